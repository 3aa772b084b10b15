"""docs/guides/find-a-bug-by-seed.md, step by step: its commands, and the essence of what they print.

    guide_test.py PROGRAM [unittest's arguments]

A block `sh` has commands, a block `gdb` what is typed into the last of them, a block `text` lines that are printed in
this order, by all commands since the last one together; `...` stands for anything.
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
GUIDE = ROOT / "docs/guides/find-a-bug-by-seed.md"
PROGRAM = ""
PATIENCE_S = 250
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pattern(line: str) -> re.Pattern[str]:
    """A line of the guide as what it stands for; it may go on."""
    return re.compile(r"^(?:\(gdb\) )*" + ".*".join(map(re.escape, line.split("..."))))


class Guide(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.failures = 0

    def command(self, line: str, typed: str) -> str:
        words = shlex.split(line)
        self.assertEqual(words[:2], ["./twofold", "sim"])
        done = subprocess.run(
            [sys.executable, str(ROOT / "tools/sim/sim.py"), *words[2:]], input=typed, capture_output=True, text=True,
            cwd=self.folder.name, timeout=PATIENCE_S, check=False,
            env={**os.environ, "TWOFOLD_SIMULATOR": PROGRAM, "HOME": "/"},
        )  # fmt: skip
        fails = "bug.tfr" in words or "--mutant" in words
        stops = "--until-event" in words
        self.assertEqual(done.returncode, 1 if fails and not stops else 0, f"{line}\n{done.stdout}{done.stderr}")
        self.failures += done.returncode
        return done.stdout

    def expect(self, lines: str, printed: list[str]) -> None:
        at = 0
        for line in lines.splitlines():
            wanted = pattern(line)
            found = [number for number in range(at, len(printed)) if wanted.search(printed[number])]
            self.assertTrue(found, f"{line}\nis not in\n" + "\n".join(printed[at:]))
            at = found[0] + 1

    def test_every_step(self) -> None:
        blocks = BLOCK.findall(GUIDE.read_text())
        self.assertGreater(len(blocks), 10)
        printed: list[str] = []
        for (kind, text), (next_kind, next_text) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
            if kind == "text":
                self.expect(text, printed)
                printed = []
            elif kind == "sh":
                typed = "set width 0\n" + next_text if next_kind == "gdb" else ""
                for line in text.splitlines():
                    printed += self.command(line, typed).splitlines()
            else:
                self.assertEqual(kind, "gdb")
        self.assertGreater(self.failures, 3)

    def test_the_printed_command_is_the_case(self) -> None:
        search = BLOCK.findall(GUIDE.read_text())[0][1]
        said = self.command(search.strip(), "").splitlines()
        reproduction = said[said.index("    reproduce:") + 1].strip()
        first, second = (self.command(reproduction, "") for _ in range(2))
        self.assertEqual(first, second)
        self.assertIn("expected invalid_state, came ok", first)


if __name__ == "__main__":
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
