"""What a bug needs to show: a fault of links, or one preemption. Without it the flipped operation changes nothing, and
with nothing flipped what is needed is borne.

    conditions_test.py SIMULATOR

SIMULATOR is twofold-simulator of a build whose operations can be flipped.
"""

import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
import unittest

SIMULATOR = sys.argv.pop()
TABLE = pathlib.Path(__file__).resolve().parents[3] / "tools/sim/bugs.toml"
LINK_FAULTS = {"link.lost", "link.late", "link.duplicated", "link.reordered", "link.partition"}
SEEDS = range(1, 13)
# Two misuses of frames at once, each of which counts by a read and a write: one in between loses one.
RACE = ("frames", "--seed", "27", "--operations", "96", "--keep", "34,39", "--mutant", "frames_count_torn")
TWO = ("--cpus", "2", "--threads", "2")
THREE = ("--cpus", "4", "--threads", "3")
RANDOM_SEEDS = range(1, 21)


def answers(cases: list[dict]) -> list[dict]:
    """What the simulator answers to cases, in their order."""
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run([SIMULATOR, "--serve"], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def outcomes(case: dict, seeds: range = SEEDS) -> list[dict]:
    return answers([case | {"id": seed, "seed": seed} for seed in seeds])


def failed(found: list[dict]) -> list[dict]:
    return [one for one in found if one["outcome"] != "passed"]


class Links(unittest.TestCase):
    """Each fault of links has a flipped operation that it takes to find."""

    def rows(self) -> dict[str, list[str]]:
        """The rules of each bug of the table that takes faults of links."""
        found = {}
        for name, bug in tomllib.loads(TABLE.read_text())["bug"].items():
            words = shlex.split(bug.get("options", ""))
            rules = [rule for word, rule in zip(words, words[1:]) if word == "--fault" and rule.startswith("link.")]
            if rules:
                self.assertEqual(bug["workload"], "register")
                found[name] = rules
        return found

    def test_each_has_one(self) -> None:
        named = {rule.partition(":")[0] for rules in self.rows().values() for rule in rules}
        self.assertEqual(named, LINK_FAULTS)

    def test_it_takes_the_fault_and_the_flip(self) -> None:
        for name, rules in self.rows().items():
            with self.subTest(bug=name, rules=rules):
                plain = {"workload": "register"}
                faults = {"faults": rules}
                both = failed(outcomes(plain | faults | {"mutant": name}))
                self.assertTrue(both, "flipped, with the fault")
                self.assertEqual(failed(outcomes(plain | {"mutant": name})), [], "flipped, without it")
                borne = outcomes(plain | faults)
                self.assertEqual(failed(borne), [], "not flipped, with it")
                for rule in rules:
                    kind = rule.partition(":")[0]
                    self.assertTrue(any(one["faults"].get(kind, {}).get("fired") for one in borne), kind)
                    self.assertTrue(any(one["faults"].get(kind, {}).get("fired") for one in both), kind)


class Exhaustive(unittest.TestCase):
    """A bug that takes exactly one preemption, in all schedules with none, and with one."""

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
        found = outcomes({"workload": "frames", "cpus": 2, "threads": 2, "mutant": "frames_count_torn"}, RANDOM_SEEDS)
        self.assertLess(len(failed(found)), len(found) / 2)


if __name__ == "__main__":
    unittest.main()
