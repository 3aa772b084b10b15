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


def run(program: str, *options: str, command: str = "version") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *options, "--command", command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
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
                self.refused(program, f"{whole},kind=floppy", USAGE, "'kind=floppy' is nothing that a disk has: .*kind=nvme")
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

    def test_a_disk_of_virtio_has_a_file_behind_it(self) -> None:
        path = self.file("virtio", 4 * MEBIBYTE)
        for more in ("", ",bs=4096", ",io=threads"):
            done = run(
                HOST, "--cpus", "4", "--disk", f"{path},kind=virtio{more}",
                command="disks; block-bench filename=vda rw=randwrite bs=4k iodepth=32 numjobs=2 size=1M fsync=32 "
                "verify=1; block-bench filename=vda rw=write bs=4k size=1M verify=1; disks stats vda",
            )  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(done.stdout.count("verify: 0 blocks are wrong"), 2, done.stdout)
            self.assertIn("0 in flight", done.stdout)
            self.assertNotEqual(path.read_bytes()[:4], b"keep")
        before = path.read_bytes()
        for program in (program for program in (HOST, SIM) if program != "-"):
            done = run(
                program, "--disk", f"{path},kind=virtio,readonly", "--disk", "memory,size=1M,kind=virtio",
                command="disks; block-bench filename=vda rw=read bs=4k iodepth=8 size=1M verify=1; "
                "block-bench filename=vdb rw=randwrite bs=512 iodepth=8 size=256k verify=1; "
                "block-bench filename=vda rw=write bs=4k size=64k",
            )  # fmt: skip
            self.assertEqual(done.stdout.count("verify: 0 blocks are wrong"), 2, done.stdout + done.stderr)
            self.assertIn("vda: permission_denied", done.stdout)
        self.assertEqual(path.read_bytes(), before)

    def test_a_compressed_disk_is_one_on_every_machine(self) -> None:
        for method in ("lz4", "zstd"):
            path = self.file(method, 16 * MEBIBYTE)
            made = run(
                HOST, "--disk", str(path),
                command=f"disks compress packed nvme0n1 method={method} size=64M; "
                "block-bench filename=packed rw=randwrite bs=4k iodepth=4 size=1M fsync=16 verify=1; "
                "disks compress inner packed; disks stats packed",
            )  # fmt: skip
            self.assertIn("verify: 0 blocks are wrong", made.stdout)
            self.assertRegex(made.stdout, rf"compressed by {method}, level \d, on nvme0n1: \d+ KiB in \d+ KiB, ratio")
            for program in (program for program in (HOST, SIM) if program != "-"):
                found = run(
                    program, "--disk", str(path),
                    command="disks assemble; block-bench filename=inner rw=read bs=64k size=1M",
                )  # fmt: skip
                self.assertIn("2 compressed disks opened", found.stdout, found.stdout + found.stderr)
                self.assertIn("err=0", found.stdout)

    def test_what_cannot_be_compressed_is_told_in_one_line(self) -> None:
        for words, why in (
            ("c0 nothing", "there is no disk 'nothing'; 'disks' lists them"),
            ("c0 ram0 method=none", "'method=none' is none of method=lz4|zstd level=-9..9 size=SIZE overwrite"),
            ("c0 ram0 level=10", "'level=10' is none of"),
            ("c0 ram0 level=-", "'level=-' is none of"),
            ("c0 ram0 size=0", "'size=0' is none of"),
            ("c0 ram0 size=2T", "c0: a size of at most 1T, and a name of letters"),
            ("'c 0' ram0", "c 0: a size of at most 1T, and a name of letters"),
            ("ram0 ram1", "there is a disk 'ram0' already"),
            ("c0 ram1", "c0: ram1 is too small for that"),
            ("1234567890123456789012345 ram0", "there are at most 16 layers, with names of at most 24 letters"),
        ):
            for program in (program for program in (HOST, SIM) if program != "-"):
                done = run(program, command=f"disks ramdisk 1M; disks ramdisk 64K; disks compress {words}")
                self.assertNotEqual(done.returncode, 0, done.stdout)
                self.assertEqual(done.stdout.count("\n"), 3, done.stdout)
                self.assertIn(why, done.stdout)

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
