"""docs/guides/write-a-command.md, step by step: its code, its commands and what they print, on kernels that have it.

    guide_test.py BUILD [unittest's arguments]

The blocks of the page are those of guide_steps.py; a block `keys` is what is typed at a prompt.
"""

import os
import pathlib
import re
import sys
import unittest

from guide_steps import ROOT, Guide, Steps

sys.path.insert(0, str(ROOT / "tests/apps/shell"))
from person_test import PROMPT, Person  # noqa: E402  (the folder has just been named)

CODE = ROOT / "tests/apps/commands/guide"
KEYS = {"<tab>": "\t", "<enter>": "\r", "<ctrl-C>": "\x03"}
GUIDE = Guide("docs/guides/write-a-command.md", pathlib.Path(sys.argv.pop(1)).resolve())


class CommandGuide(Steps):
    def run_commands(self, text: str) -> str:
        """What the guide's commands print. One shows an error, and so has the status of a wrong usage."""
        return "".join(
            self.run_program(GUIDE.program_of(line), 2 if "luck" in line else 0) for line in text.splitlines())

    def type(self, text: str) -> str:
        """What a terminal shows for keys typed at a prompt; for each row the prompt has to come back."""
        with Person([GUIDE.kernel("host")]) as person:
            printed = person.expect(PROMPT)
            for row in text.splitlines():
                for part in re.split(r"(<[\w-]+>)", row):
                    person.type(KEYS.get(part, part).encode())
                    if part == "<ctrl-C>":
                        printed += person.expect(PROMPT)
                printed += person.expect(b"growth" if "10000" in row else PROMPT)
            person.type(b"exit 0\r")
            self.assertEqual(person.end(), 0)
        return "\n".join(re.split(r"[\r\n]+", printed.decode(errors="replace")))

    def test_the_code_is_that_of_the_example(self) -> None:
        self.check_code(GUIDE, [CODE / name for name in ("sample.hpp", "sample.test.cpp")], 4)

    def test_every_step(self) -> None:
        printed = ""
        checked = 0
        for kind, text in GUIDE.all_blocks():
            if kind == "sh":
                printed += self.run_commands(text)
            elif kind == "keys":
                printed += self.type(text)
            elif kind == "text":
                self.expect(text, printed)
                printed = ""
                checked += 1
            else:
                self.assertIn(kind, ("cpp", ""))
        self.assertEqual(checked, 5)

    def test_its_examples_work(self) -> None:
        for example in re.findall(r'\{"(sample [^"]+)", "', (CODE / "sample.hpp").read_text()):
            with self.subTest(example):
                self.assertIn("growth", self.run_program([GUIDE.kernel("host"), "--command", example], 0))

    def test_the_build_takes_the_header(self) -> None:
        change = ("tests/apps/commands/guide/sample.hpp", "again and again", "here and now")
        objects = self.check_build(GUIDE, change, ["selected_commands_host", "tests_commands_host"])
        self.assertTrue(any(b"here and now" in one for one in objects))
        self.assertTrue(any(b"ARowForEachLook" in one for one in objects))


if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main()
