"""What tests of guides with commands in them share: the guide's blocks, its commands as programs of a build.

A block `cpp` is a part of the guide's code, letter by letter. A block `sh` has commands, and a block `text` lines that
come of those since the last one, in this order: `...` stands for anything, and blanks for blanks.
"""

import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PATIENCE_S = 200
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Guide:
    """A guide, and the build that has what it shows."""

    def __init__(self, page: str, build: pathlib.Path):
        self.text = (ROOT / page).read_text()
        self.build = build

    def all_blocks(self) -> list[tuple[str, str]]:
        return BLOCK.findall(self.text)

    def blocks(self, kind: str) -> list[str]:
        return [text for name, text in self.all_blocks() if name == kind]

    def kernel(self, machine: str) -> str:
        return str(self.build / "tests/apps/commands" / f"twofold-guide-{machine}")

    def program_of(self, line: str) -> list[str]:
        """The guide's command as one of this build."""
        words = shlex.split(line)
        if words[:2] == ["./twofold", "run"]:
            machine = "sim" if "--sim" in words else "host"
            return [self.kernel(machine), *(word for word in words[2:] if word != "--sim")]
        if words[:2] == ["./twofold", "boot"]:
            image = "guide"
            rest = words[2:]
            if rest[0] == "--image":
                image, rest = rest[1], rest[2:]
            return [str(self.build / "apps/launch/twofold-boot"), "--image",
                    str(self.build / f"images/twofold-{image}.elf"), *rest]
        if words[0].startswith("build/release/"):
            return [str(self.build / words[0].removeprefix("build/release/")), *words[1:]]
        raise AssertionError(f"the guide shows a command that is not understood: {line}")


class Steps(unittest.TestCase):
    """Looks at what a guide's commands print."""

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

    def check_code(self, guide: Guide, files: list[pathlib.Path], blocks: int) -> None:
        """Each block of code is a part of one of the files."""
        code = [path.read_text() for path in files]
        shown = guide.blocks("cpp")
        self.assertEqual(len(shown), blocks)
        for part in shown:
            self.assertTrue(any(part in text for text in code), part)

    def check_build(self, guide: Guide, change: tuple[str, str, str], targets: list[str]) -> list[bytes]:
        """Configures and builds a copy of the guide's folder as the guide says, with a word of its header changed.

        `change` is the header, a text in it, and what takes its place. The answer is the objects that were made.
        """
        header, before, after = change
        option = re.match(r"cmake --preset release -D(\w+)=", guide.blocks("")[0])
        self.assertIsNotNone(option)
        with tempfile.TemporaryDirectory() as folder:
            mine = pathlib.Path(folder) / "mine"
            shutil.copytree((ROOT / header).parent, mine)
            copy = mine / pathlib.Path(header).name
            self.assertIn(before, copy.read_text())
            copy.write_text(copy.read_text().replace(before, after))
            build = pathlib.Path(folder) / "build"
            options = [f"-D{option[1]}={copy}", "-DTWOFOLD_MACHINES=host", "-B", str(build)]
            for line in (
                ["cmake", "--preset", "release", *options],
                ["cmake", "--build", str(build), "--target", *targets],
            ):
                done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            return [path.read_bytes() for path in build.glob("**/*.o")]
