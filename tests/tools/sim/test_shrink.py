"""Shrinking: what is left is needed, its size and cost do not depend on the workers, and bounds hold."""

import unittest

from tests.tools.sim.fixture import SimTest
from tools.sim import fault_rules
from tools.sim.campaign import Stop
from tools.sim.case import Case
from tools.sim.pool import Pool
from tools.sim.shrink import Bounds, Shrinker, Shrunk, _begun


class Shrinking(SimTest):
    def outcome(self, pool: Pool, case: Case):
        return next(answer for answer in pool.run([case]) if answer is not None)[2]

    def shrink(self, case: Case, jobs: int = 2, runs: int = 5000, seconds: float = 60.0) -> Shrunk:
        pool = self.pool(jobs)
        outcome = self.outcome(pool, case)
        self.assertEqual("failed", outcome["outcome"])
        return Shrinker(pool, case, outcome, Bounds(runs, seconds), Stop()).shrink()

    def rules(self, *texts: str) -> tuple[fault_rules.Rule, ...]:
        return tuple(fault_rules.parse(text) for text in texts)

    def test_only_needed_operations_stay(self):
        for seed in (5, 10, 35):
            shrunk = self.shrink(self.case("pair", seed))
            self.assertEqual(tuple(sorted((3, 17, 20 + seed % 7))), shrunk.case.keep)
            self.assertEqual((1, 1, seed), (shrunk.case.cpus, shrunk.case.threads, shrunk.case.seed))
            self.assertTrue(shrunk.whole and shrunk.repeats)
            self.assertLess(shrunk.runs, 100)

    def test_what_was_not_begun_goes_at_once(self):
        self.assertEqual((1, 9), _begun(self.case("pair", 5, keep=(1, 9, 21), threads=4), {"operations": ["1"]}))
        case = self.case("pair", 5, keep=(1, 2, 3, 6, 10), threads=4)
        self.assertEqual((1, 2, 3, 6), _begun(case, {"operations": ["1-2"]}))
        few = self.shrink(self.case("pair", 5, operations=10_000), runs=1500)
        self.assertEqual(((3, 17, 25), True), (few.case.keep, few.whole))
        self.assertLess(few.runs, 60)

    def test_no_single_part_can_be_left_out(self):
        rules = self.rules("interrupt.late:probability=0.05:amount=5-9", "points.frames.allocate:probability=0.02")
        shrunk = self.shrink(self.case("faulty", 158, faults=rules, swarm=True))
        self.assertEqual((1,), shrunk.case.keep)
        self.assertFalse(shrunk.case.swarm)
        pool = self.pool()
        for index, rule in enumerate(shrunk.case.faults):
            self.assertFalse(rule.probability)
            for one in rule.at:
                left = tuple(other for other in rule.at if other != one)
                rules = (rule.exactly(left),) if left else ()
                fewer = (*shrunk.case.faults[:index], *rules, *shrunk.case.faults[index + 1 :])
                again = Case(**{**vars(shrunk.case), "faults": fewer})
                self.assertEqual("passed", self.outcome(pool, again)["outcome"], again.options())

    def test_probabilities_become_the_occurrences_that_matter(self):
        rules = self.rules(
            "interrupt.lost:probability=0.9",
            "interrupt.late:probability=0.05:amount=10-20",
            "points.frames.allocate:probability=0.05",
        )
        faults = self.shrink(self.case("faulty", 158, faults=rules)).case.faults
        self.assertEqual(["interrupt.late", "points.frames.allocate"], [rule.name for rule in faults])
        self.assertEqual((2, 1), (len(faults[0].at), len(faults[1].at)))
        self.assertEqual((3, (("amount", "10-20"),)), (faults[0].at[0], faults[0].values))

    def test_rules_that_cannot_be_exact_stay_and_others_go(self):
        rules = self.rules("interrupt.lost:probability=0.9", "interrupt.late:probability=0.05")
        self.assertEqual(rules[1:], self.shrink(self.case("noisy", 1, faults=rules)).case.faults)

    def test_faults_move_when_what_was_before_them_goes(self):
        for text in ("interrupt.lost:at=35", "interrupt.lost:probability=0.2"):
            shrunk = self.shrink(self.case("timed", 3, faults=self.rules(text)))
            self.assertEqual((11,), shrunk.case.keep, text)
            (rule,) = shrunk.case.faults
            self.assertEqual(1, len(rule.at))
            self.assertLessEqual(rule.at[0], 3)

    def test_one_fault_does_what_two_did(self):
        shrunk = self.shrink(self.case("led", 3, faults=self.rules("interrupt.lost:at=2,9")))
        self.assertEqual(["interrupt.lost:at=7"], [rule.text() for rule in shrunk.case.faults])

    def test_faults_that_do_not_matter_go(self):
        shrunk = self.shrink(self.case("pair", 5, faults=self.rules("interrupt.late:probability=0.5"), swarm=True))
        self.assertEqual(((), False), (shrunk.case.faults, shrunk.case.swarm))

    def test_as_many_processors_and_threads_as_it_needs(self):
        shrunk = self.shrink(self.case("wide", 1, cpus=8, threads=7))
        self.assertEqual((2, 3, (9,)), (shrunk.case.cpus, shrunk.case.threads, shrunk.case.keep))

    def test_as_many_machines_as_it_needs(self):
        lost = self.rules("link.lost:probability=0.5:cpu=1")
        shrunk = self.shrink(self.case("joined", 2, faults=lost, machines=5)).case
        self.assertEqual((2, 1, 1, (9,)), (shrunk.machines, shrunk.cpus, shrunk.threads, shrunk.keep))
        self.assertEqual(("link.lost:at=2",), tuple(rule.text() for rule in shrunk.faults))

    def test_another_schedule_when_operations_cannot_go(self):
        shrunk = self.shrink(self.case("raced", 1))
        self.assertEqual(((4,), "pct:3"), (shrunk.case.keep, shrunk.case.schedule))

    def test_another_seed_when_operations_cannot_go(self):
        shrunk = self.shrink(self.case("brittle", 4 * 3))
        self.assertEqual((2, None), (shrunk.case.operations, shrunk.case.keep))
        self.assertEqual(12, shrunk.case.seed)

    def test_crashes_shrink_too(self):
        shrunk = self.shrink(self.case("crashes", 13))
        self.assertEqual((2,), shrunk.case.keep)
        self.assertEqual("crash", shrunk.outcome["failure"]["kind"])

    def test_workers_do_not_decide_the_result(self):
        rules = self.rules("interrupt.late:probability=0.1", "points.frames.allocate:probability=0.1")
        for case in (self.case("pair", 35), self.case("faulty", 158, faults=rules), self.case("wide", 2)):
            results = [self.shrink(case, jobs).json() for jobs in (1, 2, 5)]
            self.assertEqual(results[0], results[1])
            self.assertEqual(results[0], results[2])

    def test_bounds(self):
        shrunk = self.shrink(self.case("pair", 5), runs=4)
        self.assertEqual((4, False), (shrunk.runs, shrunk.whole))
        self.assertLess(len(shrunk.case.kept()), 64)
        shrunk = self.shrink(self.case("pair", 5), seconds=0.0)
        self.assertEqual((self.case("pair", 5), False), (shrunk.case, shrunk.whole))

    def test_what_does_not_repeat_is_said(self):
        shrunk = self.shrink(self.case("once", 2))
        self.assertEqual((False, 1, self.case("once", 2)), (shrunk.repeats, shrunk.runs, shrunk.case))

    def test_minimal_for_any_needed_set(self):
        """Against every set of a few operations, the very set is left."""
        pool = self.pool(1)
        for needed in ((0,), (63,), (0, 63), (7, 8, 9), (1, 2, 4, 8, 16, 32), tuple(range(0, 64, 5))):
            shrinker = Predicate(pool, self.case("quiet", 1), set(needed))
            shrinker._minimise(range(64), 1, lambda kept: [self.case("quiet", 1, keep=kept)])
            self.assertEqual(needed, shrinker.case.keep)


class Predicate(Shrinker):
    """A shrinker whose cases fail when they keep what is needed; no simulator runs."""

    def __init__(self, pool: Pool, case: Case, needed: set[int]) -> None:
        outcome = {"outcome": "failed", "failure": {"kind": "oracle", "text": "x"}}
        super().__init__(pool, case, outcome, Bounds(10_000, 60), Stop())
        self._needed = needed

    def _fails(self, candidate: Case, running) -> bool:
        self._outcomes[candidate] = self.outcome
        return self._needed <= set(candidate.kept())


if __name__ == "__main__":
    unittest.main()
