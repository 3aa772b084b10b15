"""Every operation that can be flipped is noticed by its workload, within a fixed sample of seeds; and the case that
notices it passes with nothing flipped.

    bugs_test.py SIMULATOR

SIMULATOR is twofold-simulator of a build whose operations can be flipped; tools/sim/bugs.toml says which workload
notices what.
"""

import json
import pathlib
import shlex
import subprocess
import sys
import tomllib
import unittest

SIMULATOR = sys.argv.pop()
TABLE = pathlib.Path(__file__).resolve().parents[3] / "tools/sim/bugs.toml"
# The rarest shows in one of some 200 seeds.
SEEDS = 600


def case_of(name: str, bug: dict) -> dict:
    """The case of a bug, without its seed."""
    case = {"id": 1, "workload": bug["workload"], "faults": [], "mutant": name}
    words = iter(shlex.split(bug["options"]))
    for option in words:
        value = next(words)
        if option == "--fault":
            case["faults"].append(value)
        else:
            case[option.removeprefix("--")] = int(value)
    return case


class Bugs(unittest.TestCase):
    """What the simulator answers to cases."""

    server: subprocess.Popen

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = subprocess.Popen(
            [SIMULATOR, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        cls.bugs = tomllib.loads(TABLE.read_text())["bug"]

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.stdin.close()
        cls.server.wait()
        cls.server.stdout.close()

    def answer(self, case: dict) -> dict:
        print(json.dumps(case), file=self.server.stdin, flush=True)
        answer = json.loads(self.server.stdout.readline())
        self.assertNotIn("error", answer)
        return answer

    def test_each_is_noticed(self) -> None:
        for name, bug in self.bugs.items():
            with self.subTest(bug=name):
                case = case_of(name, bug)
                failing = next(
                    (
                        seed
                        for seed in range(1, SEEDS + 1)
                        if self.answer(case | {"seed": seed})["outcome"] == "failed"
                    ),
                    None,
                )
                self.assertIsNotNone(failing, f"none of {SEEDS} seeds notices it")
                del case["mutant"]
                plain = self.answer(case | {"seed": failing})
                self.assertEqual(plain["outcome"], "passed", plain)

    def test_all_that_can_be_flipped_are_in_the_table(self) -> None:
        described = json.loads(
            subprocess.run([SIMULATOR, "--describe"], capture_output=True, text=True, check=True).stdout
        )
        self.assertEqual(sorted(described["mutants"]), sorted(self.bugs))
        self.assertGreaterEqual(len(self.bugs), 44)


if __name__ == "__main__":
    unittest.main()
