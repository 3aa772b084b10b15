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
                self.refused(program, "4096", UNAVAILABLE, "with a size it is made: --disk 4096,size=1G")
                self.refused(program, str(self.folder), USAGE, "is a folder")
                self.refused(program, "/dev/null", USAGE, "neither a file nor a block device")
                self.refused(program, str(self.file("small", 100)), USAGE, "too small: 100 bytes")
                self.refused(program, str(self.file("odd", 10_000)), USAGE, "no multiple of its blocks of 512")
                self.refused(program, f"{whole},size=2M", USAGE, "has 1048576 bytes, not 2097152")
                self.refused(program, f"{whole},bs=7", USAGE, "'bs=7' is nothing that a disk has")
                self.refused(program, f"{whole},kind=tape", USAGE, "'kind=tape' is nothing that a disk has")
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

    def test_wrong_words_are_told_in_one_line(self) -> None:
        usage, failure = 2, 1
        for command, status, why in (
            ("block-bench bs=3000", usage, "bs=3000: a multiple of 512 up to 2M is wanted"),
            ("block-bench iodepth=999", usage, "iodepth=999: a number from 1 to 256 is wanted"),
            ("block-bench numjobs=99", usage, "numjobs=99: a number from 1 to 16 is wanted"),
            ("block-bench rwmixread=101", usage, "rwmixread=101: a number from 0 to 100 is wanted"),
            ("block-bench runtime=-1", usage, "runtime=-1: seconds from 1 to 86400 are wanted"),
            ("block-bench verify=2", usage, "verify=2: 0 or 1 is wanted"),
            ("block-bench fsync=x", usage, "fsync=x: a number of writes"),
            ("block-bench filename=sda", failure, "there is no disk 'sda'; 'disks' lists them"),
            ("block-bench offset=1T", failure, "nvme0n1 has 2048 sectors of 512 bytes, where offset, size and bs"),
            ("block-bench offset=1", failure, "nvme0n1 has 2048 sectors of 512 bytes, where"),
            ("block-bench bs=512k size=4k", failure, "nvme0n1 has 2048 sectors of 512 bytes, where"),
            ("nvme id 7", failure, "there is no controller 7"),
            ("nvme id x", usage, "'x' is no number"),
            ("nvme mode 0 fast", usage, "the modes are interrupt, polling and hybrid"),
            ("nvme set 0 99 1", usage, "usage: nvme"),
            ("nvme test 0 x", usage, "usage: nvme"),
            ("nvme sing", usage, "'sing' is no WHAT"),
            ("disks stats x", failure, "there is no disk 'x'; 'disks' lists them"),
            ("disks read x 0", failure, "there is no disk 'x'; 'disks' lists them"),
            ("disks write x 0 a", failure, "there is no disk 'x'; 'disks' lists them"),
            ("disks flush x", failure, "there is no disk 'x'; 'disks' lists them"),
            ("disks read nvme0n1 2048", failure, "disks: nvme0n1 has no sector 2048; it has 2048"),
            ("disks write nvme0n1 2048 a", failure, "disks: nvme0n1 has no sector 2048; it has 2048"),
            ("disks read nvme0n1 x", usage, "usage: disks"),
            ("disks read nvme0n1", usage, "usage: disks"),
            ("disks write nvme0n1 3", usage, "usage: disks"),
            ("disks flush nvme0n1 3", usage, "usage: disks"),
            (f"disks write nvme0n1 3 {'x' * 513}", failure, "of 513 bytes is longer than a sector, which has 512"),
            ("disks ramdisk x", usage, "'x' is no size"),
            ("disks ramdisk 900G", failure, "900G: out_of_memory"),
            ("disks stripe a nvme0n1 b", failure, "there is no disk 'b'"),
            ("disks stripe a nvme0n1 nvme0n1", failure, "a: a disk is named twice, or something lies on it"),
            ("disks stripe nvme0n1 nvme0n1 nvme0n1", failure, "there is a disk 'nvme0n1' already"),
        ):
            for program in (program for program in (HOST, SIM) if program != "-"):
                with self.subTest(command=command, program=program):
                    done = run(program, "--disk", "memory,size=1M", command=command)
                    self.assertEqual(done.returncode, status, done.stdout + done.stderr)
                    self.assertEqual(done.stdout.count("\n"), 1, done.stdout)
                    self.assertIn(why, done.stdout)

    def test_a_sector_is_written_and_read_by_a_person(self) -> None:
        path = self.file("seen")
        line = "disks write nvme0n1 7 'hello there'; disks flush nvme0n1; disks read nvme0n1 7; disks read nvme0n1 8"
        for program in (program for program in (HOST, SIM) if program != "-"):
            for block_bytes in (512, 4096):
                with self.subTest(program=program, block_bytes=block_bytes):
                    done = run(program, "--disk", f"{path},bs={block_bytes}", command=line)
                    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                    self.assertEqual(
                        done.stdout.splitlines(),
                        ["done", "done", "sector 7: 'hello there', 11 bytes are not zero",
                         "sector 8: '', 0 bytes are not zero"],
                    )  # fmt: skip
                    if program == HOST:
                        self.assertEqual(path.read_bytes()[7 * block_bytes :][:12], b"hello there\0")

    def test_what_is_read_only_is_not_written_by_a_person(self) -> None:
        path = self.file("seen")
        for program in (program for program in (HOST, SIM) if program != "-"):
            for words, why in (
                ("disks write nvme0n1 0 lost", "disks: nvme0n1 is read-only"),
                ("beat 1 1000 block", "failed: permission_denied"),
            ):
                with self.subTest(program=program, words=words):
                    done = run(program, "--disk", f"{path},readonly", command=words)
                    self.assertEqual((done.returncode, done.stdout), (1, f"{why}\n"), done.stderr)
            done = run(program, "--disk", f"{path},readonly", command="disks read nvme0n1 0")
            self.assertEqual(done.stdout, "sector 0: 'keep', 4 bytes are not zero\n", done.stderr)
        self.assertEqual(path.read_bytes()[:5], b"keep\0")

    def test_a_beat_uses_the_first_disk(self) -> None:
        for program in (program for program in (HOST, SIM) if program != "-"):
            done = run(
                program, "--disk", "memory,size=1M", "--disk", "memory,size=1M",
                command="beat 40 100 block; disks stats nvme0n1; disks stats nvme1n1",
            )  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("40 beats, 0 failed", done.stdout)
            first, second = done.stdout.split("nvme1n1:")
            self.assertRegex(first, r"write +40 +0 +20 ")
            self.assertRegex(first, r"flush +2 +0 ")
            self.assertRegex(second, r"write +0 +0 +0 ")
            done = run(program, command="beat 1 1000 block")
            self.assertEqual((done.returncode, done.stdout), (1, "failed: not_found\n"), done.stderr)

    def test_a_full_disk_of_the_host_is_an_error_of_the_write(self) -> None:
        script = (
            'mount -t tmpfs -o size=3M none "$1" && cd "$1" && truncate -s 16M full && printf keep '
            '| dd of=full conv=notrunc status=none && shift && "$@"; status=$?; head -c 4 full; exit $status'
        )
        may = ["unshare", "--user", "--map-root-user", "--mount"]
        mounts = subprocess.run([*may, "mount", "-t", "tmpfs", "none", self.folder], capture_output=True, check=False)
        if mounts.returncode != 0:
            self.skipTest("nobody may mount a small file system here")
        for kind, name, error in (("nvme", "nvme0n1", "no_space"), ("virtio", "vda", "io_failed")):
            done = subprocess.run(
                [*may, "sh", "-c", script, "sh", self.folder, HOST, "--disk", f"full,kind={kind}", "--command",
                 f"block-bench filename={name} rw=write bs=64k iodepth=8 offset=64k size=8M; disks stats {name}; "
                 f"block-bench filename={name} rw=read bs=4k size=64k"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
            )  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)  # the read's
            self.assertIn(f"the first error: {error}", done.stdout)
            self.assertIn("0 in flight", done.stdout)
            self.assertIn("job: (jobs=1): err=0", done.stdout)
            self.assertTrue(done.stdout.endswith("keep"), done.stdout)

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
