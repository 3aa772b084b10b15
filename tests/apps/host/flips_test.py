"""What tests flip, and what fails on purpose, is in the builds that say so and in no other: neither its symbols nor the
names of the operations.

    flips_test.py CHOICE LIVE... [--simulated PROGRAM]

CHOICE is what TWOFOLD_MUTANTS says: none or selected. LIVE are programs and images with symbols whose kernel is not
simulated; PROGRAM's is, so points can fail there.
"""

import argparse
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
CHOICE = "selected_mutant()"
POINT = "sim_fails("
PARSER = argparse.ArgumentParser()
PARSER.add_argument("choice", choices=("none", "selected"))
PARSER.add_argument("live", nargs="+", type=pathlib.Path)
PARSER.add_argument("--simulated", type=pathlib.Path)
OPTIONS = PARSER.parse_args()


def operations() -> list[str]:
    """The names of all operations that can be flipped."""
    header = (ROOT / "core/base/mutant.hpp").read_text()
    body = header[header.index("enum class Mutant") : header.index("};")]
    return [name for name in re.findall(r"^    (\w+),", body, re.MULTILINE) if name != "none"]


def has_symbol(program: pathlib.Path, name: str) -> bool:
    said = subprocess.run(["nm", "-C", program], capture_output=True, text=True, check=True).stdout
    if not said:
        raise AssertionError(f"{program} has no symbols")
    return name in said


def named(program: pathlib.Path) -> list[str]:
    """The operations whose name is in what a program consists of when it runs."""
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["objcopy", "--strip-all", program, stripped.name], check=True)
        content = pathlib.Path(stripped.name).read_bytes()
    return [name for name in operations() if name.encode() + b"\0" in content]


class Flips(unittest.TestCase):
    def test_operations_are_flipped_where_the_build_says_so(self) -> None:
        self.assertGreater(len(operations()), 100)
        expected = operations() if OPTIONS.choice == "selected" else []
        for program in [*OPTIONS.live, *filter(None, [OPTIONS.simulated])]:
            with self.subTest(program=program.name):
                self.assertEqual(OPTIONS.choice == "selected", has_symbol(program, CHOICE))
                self.assertEqual(expected, named(program))

    def test_points_fail_in_simulations_alone(self) -> None:
        for program in OPTIONS.live:
            self.assertFalse(has_symbol(program, POINT), program.name)
        if OPTIONS.simulated:
            self.assertTrue(has_symbol(OPTIONS.simulated, POINT))


if __name__ == "__main__":
    unittest.main(argv=["flips_test.py"])
