"""gdb on a simulated machine (tools/gdb/simulated.py): `./twofold sim ... --until-event N --gdb`.

    gdb_test.py PROGRAM [unittest's arguments]
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = ""
PATIENCE_S = 200
CASE = ("heap", "--seed", "3", "--fault", "points.heap.allocate:at=3")
EVENT = "1000"
UNAVAILABLE, FRONT_USAGE = 69, 64


def front(*words: str, commands: str = "", path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TWOFOLD_SIMULATOR": PROGRAM, "PATH": path or os.environ["PATH"], "HOME": "/"}
    return subprocess.run(
        [sys.executable, str(ROOT / "tools/sim/sim.py"), *words], input=commands, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False, env=environment,
    )  # fmt: skip


def said_by(done: subprocess.CompletedProcess[str], command: str) -> str:
    """What was printed behind the echo of that command."""
    return done.stdout.partition(f"@@{command}@@\n")[2].partition("@@")[0]


class Debugger(unittest.TestCase):
    def debug(self, *words: str, commands: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        script = "set width 0\n" + "".join(f"echo @@{command}@@\\n\n{command}\n" for command in commands)
        return front(*words, "--until-event", EVENT, "--gdb", commands=script + "echo @@end\n")

    def expect_kernels(self, *words: str) -> None:
        where = front(*words, "--until-event", EVENT).stdout
        whole = subprocess.run([PROGRAM, "run", *CASE], capture_output=True, text=True, check=True).stdout
        done = self.debug(
            *words,
            commands=("sim-cpus", "sim-cpu 0", "bt", "sim-cpu 1", "backtrace", "info locals", "sim-cpu 9",
                      "sim-cpu host", "info frame", "sim-cpu 1", "continue"),
        )  # fmt: skip
        log = done.stdout + done.stderr
        event, at, digest = re.search(r"event (\d+), at (\d+) ns, hash (\w+)", where).groups()
        self.assertIn(f"event {event} at {at} ns, hash {digest}", said_by(done, "sim-cpus"), log)
        # The kernels' calls are those that the simulator finds itself.
        stands = re.findall(r"^processor (\d) (.*):\n((?:  .*\n)*)", where, re.MULTILINE)
        self.assertEqual(len(stands), 2)
        for (number, state, calls), command in zip(stands, ("bt", "backtrace"), strict=True):
            self.assertRegex(said_by(done, "sim-cpus"), rf"\n  {number}  {state}, in ")
            stack = said_by(done, command)
            addresses = [int(word, 16) for word in re.findall(r"^  (0x\w+)", calls, re.MULTILINE)]
            self.assertGreater(len(addresses), 4)
            for address in addresses:
                self.assertIn(f" {address:#018x} in ", stack, log)
            self.assertIn("perform_all", stack)
        self.assertIn("there are the processors 0, 1", log)
        self.assertNotIn("workloads", said_by(done, "info frame"))
        # And the run goes on as if nobody had looked.
        ended = re.findall(r"^heap seed 3: passed, (\d+ events, \S+ s) .* hash (\w+)$", said_by(done, "continue"), re.M)
        self.assertEqual(ended, re.findall(r"^heap seed 3: passed, (\d+ events, \S+ s) .* hash (\w+)$", whole, re.M))
        self.assertEqual(len(ended), 1, log)

    def test_a_case(self) -> None:
        self.expect_kernels(*CASE)

    def test_a_recording(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            record = str(pathlib.Path(folder) / "r.tfr")
            self.assertEqual(front(*CASE, "--record", record, "--copy-every", EVENT).returncode, 0)
            self.expect_kernels("--replay", record)

    def test_no_event(self) -> None:
        done = front(*CASE, "--gdb")
        self.assertEqual(done.returncode, FRONT_USAGE)
        self.assertEqual(done.stderr, "twofold: sim: --gdb: give --until-event N, where it is to stop\n")
        script = "sim-cpus\nsim-cpu 0\n"
        done = front(*CASE, "--until-event", "99999999", "--gdb", commands=script)
        self.assertEqual(done.stderr.count("the simulator has not come to its event"), 2, done.stderr)

    def test_no_gdb(self) -> None:
        with tempfile.TemporaryDirectory() as empty:
            done = front(*CASE, "--until-event", EVENT, "--gdb", path=empty)
        self.assertEqual(done.returncode, UNAVAILABLE)
        self.assertEqual(done.stderr, "twofold: sim: gdb does not run: No such file or directory\n")


if __name__ == "__main__":
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
