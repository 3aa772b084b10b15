"""What the tests of the entry script share: a private copy of the script's files, and a way to run it."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class ScriptTest(unittest.TestCase):
    """Runs ./twofold of the tree, or of a copy without a build, with what is given of an environment."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="twofold-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def copy(self) -> pathlib.Path:
        """The script and what it reads, in a folder of its own."""
        copy = self.folder / "copy"
        shutil.copytree(ROOT / "tools", copy / "tools", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("twofold", "CMakePresets.json"):
            shutil.copy2(ROOT / name, copy / name)
        return copy

    def run_script(
        self, *arguments: str, root: pathlib.Path = ROOT, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(root / "twofold"), *arguments],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def assert_refused(self, done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
        """One line on stderr, nothing on stdout, the status, and each of the words in the line."""
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
