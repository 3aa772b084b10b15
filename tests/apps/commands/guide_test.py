"""docs/guides/write-a-command.md, step by step: its code, its commands and what they print, on kernels that have it.

    guide_test.py BUILD [unittest's arguments]

A block `cpp` is a part of the guide's header or test, letter by letter. A block `sh` has commands, a block `keys` what
is typed at a prompt, and a block `text` lines that come of those since the last one, in this order: `...` stands for
anything, and blanks for blanks.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/apps/shell"))
from person_test import PROMPT, Person  # noqa: E402  (the folder has just been named)

GUIDE = ROOT / "docs/guides/write-a-command.md"
CODE = ROOT / "tests/apps/commands/guide"
BUILD = pathlib.Path()
PATIENCE_S = 200
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KEYS = {"<tab>": "\t", "<enter>": "\r", "<ctrl-C>": "\x03"}


def blocks(kind: str) -> list[str]:
    return [text for name, text in BLOCK.findall(GUIDE.read_text()) if name == kind]


def program_of(line: str) -> list[str]:
    """The guide's command as one of this build."""
    words = shlex.split(line)
    if words[:2] == ["./twofold", "run"]:
        simulated = "--sim" in words
        kernel = BUILD / "tests/apps/commands" / f"twofold-guide-{'sim' if simulated else 'host'}"
        return [str(kernel), *(word for word in words[2:] if word != "--sim")]
    if words[:2] == ["./twofold", "boot"]:
        image = "guide"
        rest = words[2:]
        if rest[0] == "--image":
            image, rest = rest[1], rest[2:]
        return [str(BUILD / "apps/launch/twofold-boot"), "--image", str(BUILD / f"images/twofold-{image}.elf"), *rest]
    if words[0].startswith("build/release/"):
        return [str(BUILD / words[0].removeprefix("build/release/")), *words[1:]]
    raise AssertionError(f"the guide shows a command that is not understood: {line}")


class Guide(unittest.TestCase):
    def expect(self, lines: str, printed: str) -> None:
        found = printed.splitlines()
        at = 0
        for line in lines.splitlines():
            parts = [r"\s+".join(map(re.escape, part.split())) for part in line.split("...")]
            wanted = re.compile(r"^\s*" + ".*".join(parts))
            hits = [number for number in range(at, len(found)) if wanted.search(found[number])]
            self.assertTrue(hits, f"{line}\nis not in\n" + "\n".join(found[at:]))
            at = hits[0] + 1

    def run_program(self, line: list[str], status: int) -> str:
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False)
        said = done.stdout.decode(errors="replace")
        self.assertEqual(done.returncode, status, f"{line}\n{said}{done.stderr.decode(errors='replace')}")
        return said

    def run_commands(self, text: str) -> str:
        """What the guide's commands print. One shows an error, and so has the status of a wrong usage."""
        return "".join(self.run_program(program_of(line), 2 if "luck" in line else 0) for line in text.splitlines())

    def type(self, text: str) -> str:
        """What a terminal shows for keys typed at a prompt; for each row the prompt has to come back."""
        with Person([str(BUILD / "tests/apps/commands/twofold-guide-host")]) as person:
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
        code = [(CODE / name).read_text() for name in ("sample.hpp", "sample.test.cpp")]
        shown = blocks("cpp")
        self.assertEqual(len(shown), 4)
        for part in shown:
            self.assertTrue(any(part in text for text in code), part)

    def test_every_step(self) -> None:
        printed = ""
        checked = 0
        for kind, text in BLOCK.findall(GUIDE.read_text()):
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
        host = str(BUILD / "tests/apps/commands/twofold-guide-host")
        for example in re.findall(r'\{"(sample [^"]+)", "', (CODE / "sample.hpp").read_text()):
            with self.subTest(example):
                self.assertIn("growth", self.run_program([host, "--command", example], 0))

    def test_the_build_takes_the_header(self) -> None:
        configure = blocks("")[0].splitlines()[0]
        self.assertTrue(configure.startswith("cmake --preset release -DTWOFOLD_COMMANDS="))
        with tempfile.TemporaryDirectory() as folder:
            mine = pathlib.Path(folder) / "mine"
            shutil.copytree(CODE, mine)
            header = mine / "sample.hpp"
            header.write_text(header.read_text().replace("again and again", "here and now"))
            build = pathlib.Path(folder) / "build"
            options = [f"-DTWOFOLD_COMMANDS={header}", "-DTWOFOLD_MACHINES=host", "-B", str(build)]
            for line in (
                ["cmake", "--preset", "release", *options],
                ["cmake", "--build", str(build), "--target", "selected_commands_host", "tests_commands_host"],
            ):
                done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            objects = list(build.glob("apps/commands/**/*.o"))
            self.assertTrue(any(b"here and now" in one.read_bytes() for one in objects), objects)
            self.assertTrue(list(build.glob("tests/apps/commands/**/*.o")))


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    os.chdir(ROOT)
    unittest.main()
