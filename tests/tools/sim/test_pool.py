"""Workers: every case comes out once, whatever the workers do; nothing is left behind."""

import os
import unittest

from tests.tools.sim.fixture import SimTest
from tools.sim.case import Case, Outcome
from tools.sim.pool import Pool


class Workers(SimTest):
    def outcomes(self, pool: Pool, cases: list[Case], **options) -> dict[int, Outcome]:
        """The outcome of each case by its place; each must come once, and be of that case."""
        found: dict[int, Outcome] = {}
        for answer in pool.run(cases, **options):
            if answer is not None:
                index, case, outcome = answer
                self.assertEqual(cases[index], case)
                self.assertNotIn(index, found)
                found[index] = outcome
        self.assertEqual(set(range(len(cases))), set(found))
        return found

    def failed(self, workload: str, seeds: int, case_seconds: float = 20.0) -> dict[int, tuple[str, str]]:
        """Kind and text of the failures among seeds 1 to `seeds`, by seed, with two workers."""
        pool = self.pool(2, case_seconds)
        found = self.outcomes(pool, [self.case(workload, seed) for seed in range(1, seeds + 1)])
        failures = {index + 1: one["failure"] for index, one in found.items() if one["outcome"] == "failed"}
        return {seed: (one["kind"], one["text"]) for seed, one in failures.items()}

    def test_a_worker_that_dies_fails_the_case_it_was_at(self):
        killed = ("crash", "the simulator was killed by SIGSEGV")
        ended = ("crash", "the simulator ended with status 3 before it answered")
        self.assertEqual({13: killed, 29: ended}, self.failed("crashes", 60))

    def test_what_it_said_is_in_the_report(self):
        found = self.outcomes(self.pool(1), [self.case("crashes", 13)])
        self.assertEqual("about to fall\n", found[0]["failure"]["report"])

    def test_a_worker_that_computes_for_ever(self):
        hang = ("hang", "the simulator computed for 0.4 s without an answer")
        self.assertEqual({4: hang}, self.failed("spins", 30, 0.4))

    def test_a_worker_that_waits_for_ever(self):
        hang = ("hang", "the simulator slept for 0.3 s without an answer")
        self.assertEqual({4: hang}, self.failed("waits", 30, 0.3))

    def test_a_worker_that_answers_nonsense(self):
        self.assertEqual({6: ("crash", "answered what is no outcome: hello")}, self.failed("babbles", 30))

    def test_long_cases_do_not_block_the_pipes(self):
        keep = tuple(range(0, 40_000, 2))
        cases = [self.case("quiet", seed, operations=40_000, keep=keep) for seed in range(8)]
        found = self.outcomes(self.pool(1), cases)
        self.assertEqual(20_000, len(found[7]["operations"]))

    def test_a_fresh_process_for_each_case(self):
        pool = self.pool(1)
        started: set[int] = set()
        for answer in pool.run([self.case("quiet", seed) for seed in range(5)], fresh=True):
            started.update(worker.process.pid for worker in pool._workers)
            if answer is not None and answer[0] == 4:
                break
        self.assertEqual(5, len(started))

    def test_an_abandoned_run_leaves_the_pool_as_new(self):
        pool = self.pool(2)
        running = pool.run(self.case("quiet", seed) for seed in range(10**9))
        self.assertIsNotNone(next(answer for answer in running if answer is not None))
        running.close()
        found = self.outcomes(pool, [self.case("pair", seed) for seed in (5, 6)])
        self.assertEqual(["failed", "passed"], [found[0]["outcome"], found[1]["outcome"]])

    def test_no_process_is_left(self):
        pool = self.pool(3)
        self.outcomes(pool, [self.case("quiet", seed) for seed in range(20)])
        pids = [worker.process.pid for worker in pool._workers]
        self.assertEqual(3, len(pids))
        pool.close()
        for pid in pids:
            self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_a_source_that_has_nothing_yet_is_asked_again(self):
        answers: list[int] = []

        def source():
            for seed in range(6):
                while len(answers) < seed:
                    yield None
                yield self.case("quiet", seed)

        for answer in self.pool(2).run(source()):
            if answer is not None:
                answers.append(answer[0])
        self.assertEqual(list(range(6)), answers)


if __name__ == "__main__":
    unittest.main()
