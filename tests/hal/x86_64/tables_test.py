#!/usr/bin/env python3
"""Boots the kernel on machines whose firmware's tables are missing, damaged, doubled, or list processors that are
not there.

    tables_test.py LAUNCHER IMAGE.elf [unittest's arguments]

The emulator appends tables to its own (-acpitable) and seals them, so what is damaged is their content; tables with
wrong checksums are tests/hal/hosted/damaged_tables.host.cpp.
"""
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

LAUNCHER = pathlib.Path(sys.argv.pop(1))
IMAGE = pathlib.Path(sys.argv.pop(1))
TIMEOUT_S = 60
RESERVED_TYPE = 0x7F


def table(signature: bytes, content: bytes) -> bytes:
    """An ACPI table without its checksum (ACPI 6.5, section 5.2.6)."""
    head = signature + struct.pack("<IBB", 36 + len(content), 3, 0)
    return head + b"TWOFLD" + b"DAMAGED " + struct.pack("<I4sI", 1, b"TEST", 1) + content


class Tables(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def boot(self, *further: str, machine: str = "q35", cpus: int = 2, tables: tuple[bytes, ...] = ()) -> str:
        """What `cpus; log; acpi` prints; the kernel must come up and end by itself."""
        words = [str(LAUNCHER), "--machine", machine, "--image", str(IMAGE), "--timeout", str(TIMEOUT_S)]
        words += ["--cpus", str(cpus), "--command", "cpus; log; acpi"]
        for number, content in enumerate(tables):
            file = self.folder / f"table{number}"
            file.write_bytes(content)
            further += ("-acpitable", f"file={file}")
        words += [f"--qemu-arg={word}" for word in further]
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2 * TIMEOUT_S, check=False
        )
        self.assertEqual(done.returncode, 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def test_a_machine_without_tables(self) -> None:
        text = self.boot("-machine", "acpi=off", machine="microvm", cpus=4)
        self.assertIn("1 of 1 processors run", text)
        self.assertIn("the machine has no ACPI tables", text)
        self.assertIn("the kernel lives without interrupts", text)

    def test_processors_that_may_come_later_are_left_alone(self) -> None:
        # The emulator lists all four, two as not enabled.
        text = self.boot("-smp", "2,maxcpus=4")
        self.assertIn("2 of 2 processors run", text)
        self.assertNotIn("does not run", text)

    def test_affinities_that_make_no_sense(self) -> None:
        reserved = struct.pack("<IQ", 1, 0)
        for content in (
            b"",  # shorter than its own head
            reserved + bytes([0, 0]) + bytes(14),  # a record of no length: a walk by it would never end
            reserved + bytes([0, 255]) + bytes(14),  # one that is longer than the table
            reserved + bytes([1, 40]) + struct.pack("<IHQQIIQ", 0, 0, 2**64 - 1, 2**64 - 1, 0, 1, 0),  # beyond memory
        ):
            with self.subTest(content=content):
                text = self.boot(tables=(table(b"SRAT", content),))
                self.assertIn("2 of 2 processors run", text)
                self.assertRegex(text, r"(?m)^SRAT .* TWOFLD .*corrupted")

    def test_types_that_are_reserved(self) -> None:
        record = bytes([RESERVED_TYPE, 16]) + bytes(14)
        text = self.boot(tables=(table(b"SRAT", struct.pack("<IQ", 1, 0) + record),))
        self.assertIn("2 of 2 processors run", text)
        self.assertRegex(text, r"(?m)^SRAT .* TWOFLD +0 processors and 0 memory ranges")

    def test_a_second_table_of_processors_does_not_count(self) -> None:
        head = struct.pack("<II", 0xFEE0_0000, 1)
        endless = head + bytes([0, 0]) + bytes(6)
        crowd = head + b"".join(struct.pack("<BBBBI", 0, 8, number, number, 1) for number in range(200))
        text = self.boot(tables=(table(b"APIC", endless), table(b"APIC", crowd)))
        self.assertIn("2 of 2 processors run", text)

    def test_a_root_with_very_many_tables(self) -> None:
        text = self.boot(tables=tuple(table(b"TST%d" % (number % 10), bytes(8)) for number in range(40)))
        self.assertIn("2 of 2 processors run", text)


if __name__ == "__main__":
    unittest.main()
