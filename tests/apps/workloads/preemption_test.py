"""A bug that takes exactly one preemption: all schedules without one pass, and one with one does not.

    preemption_test.py SIMULATOR

SIMULATOR is twofold-simulator of a build whose operations can be flipped.
"""

import re
import subprocess
import sys
import tempfile
import unittest

from served import Served

SIMULATOR = sys.argv.pop()
# Two misuses of frames at once, each of which counts by a read and a write: one in between loses one.
RACE = ("frames", "--seed", "27", "--operations", "96", "--keep", "34,39", "--mutant", "frames_count_torn")
TWO = ("--cpus", "2", "--threads", "2")
THREE = ("--cpus", "4", "--threads", "3")
RANDOM_SEEDS = range(1, 21)


class Exhaustive(Served):
    simulator = SIMULATOR

    def run_race(self, *more: str) -> tuple[bool, str]:
        """Whether it passed, and what was said."""
        done = subprocess.run([SIMULATOR, "run", *RACE, *more], capture_output=True, text=True, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode == 0, done.stdout

    def test_no_schedule_without_a_preemption_finds_it(self) -> None:
        for shape, schedules in ((TWO, "1 schedule"), (THREE, "4 schedules")):
            passed, said = self.run_race(*shape, "--schedule", "exhaustive:0")
            self.assertTrue(passed, said)
            self.assertTrue(said.startswith(f"{schedules}, all there are\n"), said)

    def test_one_with_a_preemption_does(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            saved = f"{folder}/schedule"
            passed, said = self.run_race(*TWO, "--schedule", "exhaustive:1", "--save-schedule", saved)
            self.assertFalse(passed, said)
            tried = re.match(r"(\d+) schedules\n", said)
            self.assertIsNotNone(tried, said)
            self.assertGreater(int(tried[1]), 1)
            self.assertRegex(said, r"misuses counted: expected \d+, came \d+")
            # What was found is a schedule, and shows it by itself.
            again, same = self.run_race(*TWO, "--schedule", "exhaustive:1", "--follow-schedule", saved)
        self.assertFalse(again, same)
        self.assertEqual(re.findall("hash [0-9a-f]{16}", same), re.findall("hash [0-9a-f]{16}", said))

    def test_chance_seldom_does(self) -> None:
        """With all operations, under other seeds: a few in a hundred."""
        case = {"id": 1, "workload": "frames", "cpus": 2, "threads": 2, "mutant": "frames_count_torn"}
        failed = sum(self.answer(case | {"seed": seed})["outcome"] != "passed" for seed in RANDOM_SEEDS)
        self.assertLess(failed, len(RANDOM_SEEDS) / 2)


if __name__ == "__main__":
    unittest.main()
