"""The last frame of a machine in the emulator, as a file, whatever way the machine ends.

    boot_display_test.py LAUNCHER GUEST [unittest's arguments]

GUEST is the test guest (tests/apps/launch/guest); it draws nothing, so a frame is the emulator's own.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

LAUNCHER = pathlib.Path()
GUEST = pathlib.Path()
PATIENCE_S = 110


class LastFrame(unittest.TestCase):
    """--display png:FILE."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.file = self.folder / "frame.png"

    def boot(self, command: str, *options: str, machine: str = "q35") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(LAUNCHER), "--image", str(GUEST), "--machine", machine, "--timeout", "90", "--display",
             f"png:{self.file}", "--command", command, *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S,
            check=False,
        )  # fmt: skip

    def expect_frame(self) -> None:
        data = self.file.read_bytes()
        self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(data[-8:-4], b"IEND", "the file is whole")
        self.assertGreater(int.from_bytes(data[16:20], "big"), 0)
        self.assertEqual(os.listdir(self.folder), [self.file.name], "nothing else is left")

    def test_the_status_is_the_guests(self) -> None:
        for machine in ("q35", "microvm"):
            done = self.boot("exit 5", machine=machine)
            self.assertEqual((done.returncode, done.stderr), (5, ""), done.stdout)
            self.expect_frame()
            self.file.unlink()

    def test_a_panic_has_a_frame_too(self) -> None:
        done = self.boot("panic oh no")
        self.assertEqual(done.returncode, 70, done.stderr)
        self.expect_frame()

    def test_so_has_a_machine_that_dies(self) -> None:
        for command, said in (("reset", "the machine reset"), ("poweroff", "the emulator ended by guest-shutdown")):
            done = self.boot(command)
            self.assertEqual(done.returncode, 71, done.stderr)
            self.assertIn(said, done.stderr)
            self.expect_frame()
            self.file.unlink()

    def test_nothing_that_was_said_is_lost(self) -> None:
        for machine in ("q35", "microvm"):
            done = self.boot("flood 3000; exit 4", machine=machine)
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertEqual(len(done.stdout.splitlines()), 3000)
            self.expect_frame()
            self.file.unlink()

    def test_a_file_that_cannot_be(self) -> None:
        self.file = pathlib.Path("/proc/frame.png")
        done = self.boot("exit 5")
        self.assertEqual(done.returncode, 74)
        self.assertRegex(done.stderr, "^twofold-boot: --display: cannot write '/proc/frame.png': [^\n]*\n$")
        self.file = self.folder
        done = self.boot("exit 5")
        self.assertEqual(done.returncode, 74)
        self.assertIn("Is a directory", done.stderr)


if __name__ == "__main__":
    LAUNCHER, GUEST = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
