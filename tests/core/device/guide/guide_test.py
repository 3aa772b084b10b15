"""docs/guides/write-a-driver.md, step by step: its code, its commands and what they print, on kernels that have it.

    guide_test.py BUILD [unittest's arguments]

The blocks of the page are those of tests/apps/commands/guide_steps.py.
"""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "apps/commands"))
from guide_steps import ROOT, Guide, Steps  # noqa: E402  (the folder has just been named)

CODE = ROOT / "tests/core/device/guide"
FILES = ("edu.hpp", "edu.twin.hpp", "edu.test.cpp")
GUIDE = Guide("docs/guides/write-a-driver.md", pathlib.Path(sys.argv.pop(1)).resolve())
NO_DEVICE = "./twofold boot --command 'factorial 10'"


class DriverGuide(Steps):
    def test_the_code_is_that_of_the_example(self) -> None:
        self.check_code(GUIDE, [CODE / name for name in FILES], 11)

    def test_every_step(self) -> None:
        """One command shows an error, and so fails."""
        printed = ""
        checked = 0
        for kind, text in GUIDE.all_blocks():
            if kind == "sh":
                for line in text.splitlines():
                    printed += self.run_program(GUIDE.program_of(line), 1 if line == NO_DEVICE else 0)
            elif kind == "text":
                self.expect(text, printed)
                printed = ""
                checked += 1
            else:
                self.assertIn(kind, ("cpp", ""))
        self.assertEqual(checked, 3)

    def test_the_build_takes_header_twin_and_test(self) -> None:
        change = ("tests/core/device/guide/edu.hpp", "has the device edu compute", "lets edu compute")
        targets = ["selected_drivers_host", "selected_twins", "tests_drivers_host"]
        objects = self.check_build(GUIDE, change, targets)
        self.assertTrue(any(b"lets edu compute" in one for one in objects))
        self.assertTrue(any(b"EduTwin" in one for one in objects))
        self.assertTrue(any(b"ComputesFactorials" in one for one in objects))


if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main()
