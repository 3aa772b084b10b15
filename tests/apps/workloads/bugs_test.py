"""Every operation that can be flipped is noticed by its workload, within a fixed sample of seeds; and the case that
notices it passes with nothing flipped.

    bugs_test.py SIMULATOR [--part I/N]

SIMULATOR is twofold-simulator of a build whose operations can be flipped; tools/sim/bugs.toml says which workload
notices what.
"""

import sys
import unittest

from served import BUGS, Served, case_of, part_of_arguments

PART = part_of_arguments(sys.argv)
SIMULATOR = sys.argv.pop()
# The rarest shows in one of some 200 seeds.
SEEDS = 600


class Bugs(Served):
    simulator = SIMULATOR

    def test_each_is_noticed(self) -> None:
        for name, bug in list(BUGS.items())[PART]:
            with self.subTest(bug=name):
                case = case_of(bug["workload"], bug["options"]) | {"mutant": name}
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
        self.assertEqual(sorted(self.described["mutants"]), sorted(BUGS))
        self.assertGreaterEqual(len(BUGS), 44)


if __name__ == "__main__":
    unittest.main()
