"""Small trees for the tests of tidy: files in a temporary folder, compiled if a test asks."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import textwrap
import unittest
from pathlib import Path

from tools.tidy.finding import Finding
from tools.tidy.tree import CONFIGURATION, Tree

COMPILERS = {"release": "g++", "clang": "clang++-19", "unchecked": "clang++-19"}
KERNEL_FLAGS = {
    "release": ["-std=c++23", "-ffreestanding", "-O2", "-fno-exceptions", "-mgeneral-regs-only"],
    "clang": ["-std=c++23", "-ffreestanding", "-O2", "-fno-exceptions", "-mno-sse", "-mno-mmx"],
    "unchecked": ["-std=c++23", "-ffreestanding", "-O2", "-fno-exceptions", "-mno-sse", "-mno-mmx"],
}


class TreeTest(unittest.TestCase):
    """A test with a tree of its own. Configuration files are the real ones, but for `configure`."""

    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="tidy-"))
        self.addCleanup(shutil.rmtree, self.root)
        self._configuration = CONFIGURATION

    def write(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))

    def configure(self, files: dict[str, str]) -> None:
        """Takes these configuration files in the place of the real ones of the same name."""
        if self._configuration == CONFIGURATION:
            self._configuration = self.root / "build" / "configuration"
            self._configuration.mkdir(parents=True)
            for file in (*CONFIGURATION.glob("*.toml"), *CONFIGURATION.glob("*.json")):
                shutil.copy(file, self._configuration)
        for name, text in files.items():
            (self._configuration / name).write_text(textwrap.dedent(text))

    def configuration(self, name: str) -> str:
        return (self._configuration / name).read_text()

    def tree(self, **options) -> Tree:
        return Tree(self.root, self._configuration, **options)

    def check(self, rule, files: dict[str, str], **options) -> list[Finding]:
        """The findings of `rule` in the tree with `files` added."""
        self.write(files)
        return rule.check(self.tree(**options))

    def assert_finding(
        self, findings: list[Finding], path: str, wrong: str, line: int | None = None
    ):
        """One finding is about `path` (and `line`), contains `wrong`, and says what to do."""
        for one in findings:
            if one.path == path and wrong in one.wrong and line in (None, one.line):
                self.assertTrue(one.instead)
                return
        shown = "\n".join(one.text() for one in findings) or "nothing"
        self.fail(f"no finding {path}:{line} with {wrong!r}, but:\n{shown}")

    def assert_clean(self, findings: list[Finding]) -> None:
        self.assertEqual([], [one.text() for one in findings])

    def compile(
        self, sources: list[str], target: str = "base_host", flags: list[str] | None = None
    ):
        """Compiles `sources` as both presets would, with their compile_commands.json."""
        for preset, compiler in COMPILERS.items():
            build = self.root / "build" / preset
            build.mkdir(parents=True, exist_ok=True)
            file = build / "compile_commands.json"
            database = json.loads(file.read_text()) if file.exists() else []
            for source in sources:
                output = f"CMakeFiles/{target}.dir/{source}.o"
                (build / output).parent.mkdir(parents=True, exist_ok=True)
                chosen = KERNEL_FLAGS[preset] if flags is None else flags
                arguments = [compiler, f"-I{self.root}", f"-I{self.root}/hal/include", *chosen]
                arguments += ["-o", output, "-c", str(self.root / source)]
                done = subprocess.run(arguments, cwd=build, capture_output=True, text=True)
                self.assertEqual(0, done.returncode, done.stderr)
                database.append(
                    {
                        "directory": str(build),
                        "arguments": arguments,
                        "file": str(self.root / source),
                        "output": output,
                    }
                )
            file.write_text(json.dumps(database))
            self._write_ninja(build, database)

    def _write_ninja(self, build: Path, database: list[dict]) -> None:
        """What tells whether the objects are up to date. They are never built by it."""
        statements = [f"build {one['output']}: compile {one['file']}" for one in database]
        rule = "rule compile\n  command = false\n  generator = 1\n"
        (build / "build.ninja").write_text(rule + "\n".join(sorted(set(statements))) + "\n")
