"""Searches: the same result from any number of workers, ends in each way, resumes, survives being killed."""

import io
import os
import select
import signal
import unittest
from pathlib import Path
from unittest import mock

from tests.tools.sim.fixture import SimTest, same
from tools.sim import progress, state
from tools.sim.campaign import Timeline
from tools.sim.pool import Pool
from tools.sim.progress import Progress, duration


class Results(SimTest):
    def test_statuses(self):
        self.assertEqual(0, self.sim("quiet", "--seeds", "1..20")[0])
        self.assertEqual(1, self.sim("kinds", "--seeds", "1..20", "--no-shrink", "--repeats", "0")[0])

    def test_workers_do_not_decide_the_result(self):
        words = ("kinds", "--seeds", "1..200", "--repeats", "1", "--fault", "interrupt.lost:probability=0.1")
        one, two = (same(self.document(*words, "--jobs", jobs)) for jobs in ("1", "3"))
        self.assertEqual(one, two)
        self.assertEqual([3, 6], [failure["case"]["seed"] for failure in one["failures"]])
        self.assertEqual([20, 20], [failure["count"] for failure in one["failures"]])
        self.assertEqual([200, 160, 40], [one["totals"][key] for key in ("cases", "passed", "failed")])
        self.assertEqual(200 * 200, one["faults"]["interrupt.lost"]["asked"])

    def test_stop_after_ends_at_that_seed(self):
        for jobs in ("1", "4"):
            words = ("kinds", "--seeds", "1..", "--stop-after", "3", "--no-shrink", "--repeats", "0", "--jobs", jobs)
            document = self.document(*words)
            self.assertEqual([[1, 13]], document["seeds"]["done"])
            self.assertEqual(("stop-after", 3), (document["ended"], document["totals"]["failed"]))

    def test_the_time_ends_it(self):
        document = self.document("quiet", "--time", "200ms", status=0)
        self.assertEqual("time", document["ended"])
        done = document["seeds"]["done"]
        ends = [end for pair in done for end in pair]
        self.assertEqual(sorted(ends), ends)  # in order, though the first may not be there yet
        self.assertTrue(all(end >= 1 for end in ends), done)
        self.assertEqual(document["totals"]["cases"], sum(last - first + 1 for first, last in done))

    def test_one_command_reproduces(self):
        status, output, _ = self.sim("pair", "--seeds", "1..9", "--repeats", "3")
        command = next(line.strip() for line in output.splitlines() if "./twofold sim pair --seed" in line)
        self.assertEqual(
            "./twofold sim pair --seed 5 --operations 64 --keep 3,17,25 --cpus 1 --threads 1 --schedule random", command
        )
        self.assertIn("reproduced 3 of 3", output)
        status, output, _ = self.sim(*command.split()[2:])
        self.assertEqual(1, status)
        self.assertIn("failed: oracle: heap: block 5 at 0x140 is in two lists\n", output)

    def test_what_does_not_repeat_is_said(self):
        status, output, _ = self.sim("once", "--seeds", "1..4", "--repeats", "2")
        self.assertEqual(1, status)
        self.assertIn("did not fail again", output)
        self.assertIn("reproduced 0 of 2", output)


class States(SimTest):
    def words(self, *more: str) -> tuple[str, ...]:
        return ("kinds", "--seeds", "1..100", "--repeats", "1", "--jobs", "1", "--state", self.path("state"), *more)

    def test_resumed_and_unbroken_are_the_same(self):
        whole = self.document("kinds", "--seeds", "1..100", "--repeats", "1")
        first = self.document(*self.words("--stop-after", "3"))
        self.assertEqual(13, first["totals"]["cases"])
        self.assertEqual(same(whole), same(self.document(*self.words())))
        kept = Path(self.path("state")).read_bytes()
        with mock.patch.object(Pool, "_start", side_effect=AssertionError("what was kept is run again")):
            self.assertEqual(same(whole), same(self.document(*self.words())))
        self.assertEqual(kept, Path(self.path("state")).read_bytes())

    def test_a_torn_last_line_is_run_again(self):
        whole = self.document(*self.words())
        file = Path(self.path("state"))
        data = file.read_bytes()
        lines = data.splitlines(keepends=True)
        for length in (len(data) - 1, len(data) - len(lines[-1]) - 5, len(lines[0]) + 10, len(lines[0]) - 3, 0):
            file.write_bytes(data[:length])
            self.assertEqual(same(whole), same(self.document(*self.words())), length)

    def test_a_damaged_line_inside_is_refused(self):
        self.sim(*self.words())
        file = Path(self.path("state"))
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(lines[0] + b'{"tally"\n' + b"".join(lines[1:]))
        self.assertIn("state:2: not a record", self.refused(*self.words()))
        file.write_bytes(b"".join([*lines, lines[1]]))
        self.assertIn(f"state:{len(lines) + 1}: not a record", self.refused(*self.words()))
        file.write_text("hello\n")
        self.assertIn("is no state of a campaign", self.refused(*self.words()))
        self.assertEqual("hello\n", file.read_text())

    def test_another_campaign_is_refused_with_what_differs(self):
        self.sim(*self.words())
        before = Path(self.path("state")).read_bytes()
        for more, said in (
            (("--cpus", "2"), "cpus 4 there, 2 here"),
            (("--seeds", "1..200"), "seeds 1..100 there, 1..200 here"),
            (("--shard", "1/2"), "shard 1/1 there, 1/2 here"),
            (("--mutant", "easy_bug"), "mutant none there, easy_bug here"),
            (("--fault", "interrupt.lost:at=3"), "faults none there, interrupt.lost:at=3 here"),
        ):
            self.assertIn(said, self.refused(*self.words(*more)))
        os.environ["SCRIPTED_BUILD"] = "ff"
        self.assertIn("build 0123abcd there, 0123abcdff here", self.refused(*self.words()))
        self.assertEqual(before, Path(self.path("state")).read_bytes())

    def test_a_state_in_use_is_refused(self):
        head = state.header("b", self.case("quiet", 0).json(), (1, 2), "1/1")
        held = state.StateFile(self.path("state"), head)
        self.assertIn("in use", self.refused(*self.words()))
        held.close()


class Signals(SimTest):
    """A campaign that is at a known case: it has opened the FIFO that this test opens."""

    def at_seed(self, seed: int, *more: str):
        fifo = Path(self.path(f"seed-{seed}"))
        os.mkfifo(fifo)
        process = self.start("single", "--seeds", "1..40", "--jobs", "1", "--state", self.path("state"), *more)
        gate = fifo.open("wb")  # waits until the worker has opened it
        self.addCleanup(gate.close)
        fifo.unlink()
        return process, gate

    def workers_of(self, pid: int) -> list[int]:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def assert_gone(self, pids: list[int]) -> None:
        """The processes end: their pidfds become readable."""
        for pid in pids:
            try:
                handle = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            with open(handle, "rb", buffering=0) as file:
                poll = select.poll()
                poll.register(file, select.POLLIN)
                self.assertTrue(poll.poll(20_000), f"process {pid} is still there")

    def test_ctrl_c_reports_what_was_found(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process, _ = self.at_seed(20)
            workers = self.workers_of(process.pid)
            self.assertEqual(1, len(workers))
            process.send_signal(number)
            output, errors = process.communicate(timeout=20)
            self.assertEqual((1, ""), (process.returncode, errors))
            self.assertIn("FAILED oracle: object 3 is lost", output)
            self.assertIn("--seed 3", output)
            # To be at the 20th it must have had 14 answers: it is sent few more than it has answered.
            self.assertRegex(output, "\nsingle: 1[4-9] cases in ")
            self.assertIn("then it was interrupted: 1 failure", output)
            self.assert_gone(workers)
            Path(self.path("state")).unlink()

    def test_ctrl_c_while_shrinking_reports_the_first_case(self):
        gates = [Path(self.path(f"seed-{seed}")) for seed in (3, 5)]
        for gate in gates:
            os.mkfifo(gate)
        process = self.start("single", "--seeds", "1..5", "--jobs", "1")
        for gate in gates:
            gate.open("wb").close()  # the search comes to it, and goes on
        with gates[0].open("wb"):  # shrinking begins with the same case
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=20)
        self.assertEqual(1, process.returncode)
        self.assertIn("./twofold sim single --seed 3 --operations 64 --cpus 4 ", output)
        self.assertIn("5 cases in ", output)

    def test_a_signal_to_all_is_no_crash_of_a_case(self):
        """Slurm sends the signal that ends a task to each of its processes."""
        process, gate = self.at_seed(20)
        for pid in self.workers_of(process.pid):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(pid, number)
        gate.close()
        output, _ = process.communicate(timeout=20)
        self.assertRegex(output, "\nsingle: 40 cases in .*: 1 failure of 1 kind\n")

    def test_interrupted_without_a_failure_is_no_pass(self):
        process, _ = self.at_seed(2)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
        self.assertEqual(130, process.returncode)
        self.assertIn("1 case in", output)

    def test_killed_and_resumed_is_the_same_as_unbroken(self):
        words = ("single", "--seeds", "1..40")
        whole = self.document(*words)
        process, gate = self.at_seed(20)
        workers = self.workers_of(process.pid)
        process.kill()
        process.communicate(timeout=20)
        self.assert_gone(workers)
        gate.close()
        kept = state.read(self.path("state")).tally
        self.assertTrue({3} <= set(kept.groups["oracle: object N is lost"].seeds) and 3 <= kept.cases <= 19)
        self.assertEqual(same(whole), same(self.document(*words, "--state", self.path("state"))))


class Told(unittest.TestCase):
    def test_durations(self):
        shown = [duration(seconds) for seconds in (0.82, 12.4, 200, 7500)]
        self.assertEqual(["0.8 s", "12 s", "3 min 20 s", "2 h 5 min"], shown)

    def test_a_log_gets_few_lines(self):
        stream = io.StringIO()
        with mock.patch.object(progress.time, "monotonic", return_value=100.0) as clock:
            shown = Progress(stream)
            shown.label = "heap"
            seconds = []
            for clock.return_value in range(100, 300):
                if shown.due():
                    seconds.append(clock.return_value - 100)
                    shown.show(f"{clock.return_value} cases")
            shown.clear()
        self.assertEqual([10, 30, 60, 120, 180], seconds)
        self.assertTrue(stream.getvalue().startswith("twofold: sim: heap: 110 cases\n"))
        self.assertEqual(5, stream.getvalue().count("\n"))

    def test_a_terminal_gets_one_line(self):
        leader, follower = os.openpty()
        self.addCleanup(os.close, leader)
        with open(follower, "w") as stream, mock.patch.object(progress.time, "monotonic", return_value=5.0) as clock:
            shown = Progress(stream)
            self.assertTrue(shown.due())
            shown.show("3 cases " + 200 * "x")
            self.assertFalse(shown.due())
            clock.return_value = 5.3
            self.assertTrue(shown.due())
            shown.clear()
            text = os.read(leader, 4096).decode()
            while not text.endswith("x\r\033[K"):  # a terminal hands on what it has when it likes
                text += os.read(leader, 4096).decode()
        self.assertTrue(text.startswith("\r\033[K3 cases x") and text.endswith("\r\033[K"))
        self.assertNotIn("\n", text)
        self.assertLess(len(text), 100)

    def test_a_timeline_stays_small(self):
        timeline = Timeline()
        for step in range(100_000):
            timeline.note(step / 10, step, 0)
        self.assertTrue(100 <= len(timeline.points) <= 201)
        self.assertEqual(sorted(timeline.points), timeline.points)


if __name__ == "__main__":
    unittest.main()
