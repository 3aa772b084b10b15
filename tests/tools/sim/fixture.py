"""What the tests of campaigns share: the scripted simulator, a folder, and the program run in this process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tools.sim import sim
from tools.sim.case import Case
from tools.sim.pool import Pool

SIMULATOR = str(Path(__file__).resolve().parent / "scripted_simulator.py")
PROGRAM = str(Path(sim.__file__).resolve())
CASE_SECONDS = 20.0


class SimTest(unittest.TestCase):
    """A test with a folder of its own, which the scripted simulator knows."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sim-"))
        self.addCleanup(shutil.rmtree, self.folder)
        changed = {sim.VARIABLE: SIMULATOR, "SCRIPTED_FOLDER": str(self.folder)}
        patch = mock.patch.dict(os.environ, changed)
        patch.start()
        self.addCleanup(patch.stop)

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def sim(self, *words: str) -> tuple[int, str, str]:
        """Status, output and errors of `./twofold sim WORDS`."""
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                status = sim.main(list(words))
            except SystemExit as end:
                status = end.code
        return status, output.getvalue(), errors.getvalue()

    def document(self, *words: str, status: int = 1) -> dict[str, Any]:
        """The JSON document of a campaign that ends with `status`."""
        found, output, errors = self.sim(*words, "--json", "-")
        self.assertEqual(status, found, errors)
        return json.loads(output)

    def refused(self, *words: str, status: int = 64) -> str:
        """The one line with which a command line is refused."""
        found, output, errors = self.sim(*words)
        self.assertEqual((status, ""), (found, output), errors)
        self.assertRegex(errors, r"\Atwofold: sim: [^\n]+\n\Z")
        return errors

    def start(self, *words: str) -> subprocess.Popen[str]:
        """The program as a process, for tests that send it signals."""
        process = subprocess.Popen(
            [sys.executable, PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def pool(self, jobs: int = 2, case_seconds: float = CASE_SECONDS) -> Pool:
        pool = Pool(SIMULATOR, jobs, case_seconds)
        self.addCleanup(pool.close)
        return pool

    def case(self, workload: str, seed: int, **changed: Any) -> Case:
        return Case(workload, seed, **({"cpus": 4, "threads": 4, "operations": 64} | changed))


def same(document: dict[str, Any]) -> dict[str, Any]:
    """What another run of the same campaign must say, too."""
    return {key: value for key, value in document.items() if key not in ("measured", "command")}

