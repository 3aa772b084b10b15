"""The option --disk of programs: bad input is one line before the machine starts, and never a damaged file.

    disks_test.py HOST SIM BOOT

A `-` stands for a program that is not built.
"""

import fcntl
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

BOOT = sys.argv.pop()
SIM = sys.argv.pop()
HOST = sys.argv.pop()
PROGRAMS = [program for program in (HOST, SIM, BOOT) if program != "-"]
USAGE, UNAVAILABLE, IO = 64, 69, 74
PATIENCE_S = 60
MEBIBYTE = 1 << 20
QEMU_WRITES, QEMU_EXCLUDES_WRITERS = 101, 201  # bytes of its locks


def run(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *options, "--command", "version"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip


class Disks(unittest.TestCase):
    """Files that are disks, and files that are none."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name: str, size: int = MEBIBYTE) -> pathlib.Path:
        path = self.folder / name
        path.write_bytes(b"keep")
        os.truncate(path, size)
        return path

    def refused(self, program: str, disk: str, status: int, why: str) -> None:
        done = run(program, "--disk", disk)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertRegex(done.stderr, f"^twofold-[a-z]+: .*{why}")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertEqual(done.stdout, "")

    def test_what_is_no_disk_is_refused_in_one_line(self) -> None:
        whole = self.file("whole")
        for program in PROGRAMS:
            with self.subTest(program=program):
                self.refused(program, str(self.folder / "none"), UNAVAILABLE, "with a size it is made")
                self.refused(program, str(self.folder), USAGE, "is a folder")
                self.refused(program, "/dev/null", USAGE, "neither a file nor a block device")
                self.refused(program, str(self.file("small", 100)), USAGE, "too small: 100 bytes")
                self.refused(program, str(self.file("odd", 10_000)), USAGE, "no multiple of its blocks of 512")
                self.refused(program, f"{whole},size=2M", USAGE, "has 1048576 bytes, not 2097152")
                self.refused(program, f"{whole},bs=7", USAGE, "'bs=7' is nothing that a disk has")
                self.refused(program, f"{whole},size=x", USAGE, "'x' is no size of a disk")
                self.refused(program, ",bs=512", USAGE, "names no file")
        self.assertEqual((whole.stat().st_size, whole.read_bytes()[:4]), (MEBIBYTE, b"keep"))

    def test_a_file_that_is_read_only_is_read_where_that_is_said(self) -> None:
        path = self.file("locked")
        path.chmod(0o444)
        for program in PROGRAMS:
            if program != SIM:  # it never writes
                self.refused(program, str(path), USAGE, "is read-only; say so")
        for program in PROGRAMS:
            if program != BOOT:  # it needs an image to go on
                self.assertEqual(run(program, "--disk", f"{path},readonly").returncode, 0)

    def test_a_file_that_an_emulator_writes_is_in_use(self) -> None:
        path = self.file("busy")
        with path.open("r+b") as held:
            for byte in (QEMU_WRITES, QEMU_EXCLUDES_WRITERS):
                lock = struct.pack("hhqqi", fcntl.F_RDLCK, os.SEEK_SET, byte, 1, 0)
                fcntl.fcntl(held, fcntl.F_OFD_SETLK, lock)
            for program in PROGRAMS:
                self.refused(program, str(path), UNAVAILABLE, "is in use by another run")

    def test_a_file_is_one_disk(self) -> None:
        path = self.file("twice")
        done = run(HOST, "--disk", str(path), "--disk", str(path))
        self.assertEqual(done.returncode, UNAVAILABLE, done.stderr)
        self.assertRegex(done.stderr, "given twice\n$")

    def test_a_new_file_is_made_sparse(self) -> None:
        path = self.folder / "new"
        self.assertEqual(run(HOST, "--disk", f"{path},size=1G").returncode, 0)
        self.assertEqual(path.stat().st_size, 1 << 30)
        self.assertLess(path.stat().st_blocks * 512, MEBIBYTE)
        self.refused(HOST, f"{self.folder / 'huge'},size=900T", IO, "cannot have")
        self.assertFalse((self.folder / "huge").exists())

    def test_disks_are_on_the_bus(self) -> None:
        path = self.file("seen")
        for program in (program for program in (HOST, SIM) if program != "-"):
            done = subprocess.run(
                [program, "--disk", str(path), "--disk", "memory,size=1M", "--command", "lspci"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
            )  # fmt: skip
            self.assertEqual(done.stdout.count("010802  NVM controller"), 2, done.stdout + done.stderr)
        if BOOT != "-":
            self.refused(BOOT, "memory,size=1M", USAGE, "has no disks in memory")


if __name__ == "__main__":
    unittest.main()
