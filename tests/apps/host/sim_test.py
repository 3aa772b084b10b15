"""What the program twofold-sim says and how it ends.

    sim_test.py PROGRAM
"""

import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop()
USAGE = 64
UNKNOWN_COMMAND = 3
TIMEOUT = 124


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "--timeout", "60", *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


class Sim(unittest.TestCase):
    """A seed is a run."""

    def summary(self, *options: str) -> str:
        done = run(*options)
        self.assertEqual(done.returncode, 0, done.stderr)
        said = r"^twofold-sim: seed \d+: \d+\.\d{9} s of virtual time, \d+ turns, .* hash \w{16}\n$"
        self.assertRegex(done.stderr, said)
        return done.stdout + done.stderr

    def test_the_same_seed_says_the_same(self) -> None:
        wanted = ("--seed", "7", "--cpus", "4", "--command", "cpus; ps; scenario inversion")
        first = self.summary(*wanted)
        self.assertEqual(self.summary(*wanted), first)
        self.assertEqual(self.summary(*wanted, "--window", "2"), first)
        self.assertNotEqual(self.summary("--seed", "8", *wanted[2:]), first)
        self.assertNotEqual(self.summary(*wanted, "--costs", "flat"), first)

    def test_one_cost_can_be_another(self) -> None:
        wanted = ("--seed", "7", "--cpus", "2", "--command", "scenario inversion")
        first = self.summary(*wanted)
        self.assertEqual(self.summary(*wanted, "--cost", "device=102400"), first)  # as it is
        self.assertNotEqual(self.summary(*wanted, "--cost", "device=102400", "--cost", "load=1"), first)
        for text, why in (
            ("lode=1", "'lode=1' is no OPERATION=PARTS; there are load, store, update"),
            ("load", "'load' is no OPERATION=PARTS"),
            ("load=0", "'0' is not a number from 1 to 16777216"),
            ("load=0.5", "'0.5' is not a number"),
        ):
            done = run("--cost", text, "--command", "version")
            self.assertEqual(done.returncode, USAGE, done.stderr)
            self.assertIn(why, done.stderr)

    def test_the_status_is_the_kernels(self) -> None:
        self.assertEqual(run("--command", "nonsense").returncode, UNKNOWN_COMMAND)
        done = run("--seed", "3", "--command", "fault read")
        self.assertEqual(done.returncode, 70, done.stderr)
        self.assertRegex(done.stderr, r"twofold-sim: the kernel panicked: .*\ntwofold-sim: seed 3: ")

    def test_quiet_is_quiet(self) -> None:
        self.assertEqual(run("--quiet", "--command", "version").stderr, "")

    def test_input_ends(self) -> None:
        done = subprocess.run(
            [PROGRAM, "--timeout", "60"], input="version\nps\n", capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Twofold", done.stdout)

    def test_a_run_that_sleeps_for_ever_is_ended(self) -> None:
        with subprocess.Popen(
            [PROGRAM, "--timeout", "0.2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        ) as waiting:  # for input that never comes
            self.assertEqual(waiting.wait(60), TIMEOUT)
            self.assertIn("no end after 0.2 s", waiting.stderr.read() if waiting.stderr else "")

    def test_bad_options_are_refused(self) -> None:
        for options, text in (
            (("--seed", "soon"), "--seed"),
            (("--seed", "-1"), "--seed"),
            (("--seed", "18446744073709551616"), "--seed"),
            (("--costs", "free"), "'free' is no table of costs: there are xeon, steps, flat, slow-memory"),
            (("--cpus", "65"), "65"),
        ):
            done = run(*options, "--command", "version")
            self.assertEqual(done.returncode, USAGE, done.stderr)
            self.assertIn(text, done.stderr)
            self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main()
