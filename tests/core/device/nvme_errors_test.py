#!/usr/bin/env python3
"""A medium that fails under the kernel's NVMe driver: QEMU's blkdebug lets reads, writes and flushes fail. Each
request ends with a true error, what is of use is tried again, and all other data is there.

    nvme_errors_test.py TWOFOLD_BOOT IMAGE.elf
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import stamps

BOOT = sys.argv.pop(1)
IMAGE = sys.argv.pop(1)
LIMIT_SECONDS = 120
DISK_BYTES = 1 << 20
SEED, ROUNDS = 7, 12
# What an error comes to. It stays in force from the first such event on, so it also says for what.
READ = {"event": "read_aio", "iotype": "read", "once": "off"}
WRITE = {"event": "write_aio", "iotype": "write", "once": "off"}
FLUSH = {"event": "flush_to_disk", "iotype": "flush", "once": "off"}


def writers_of(sector):
    """(round, slot) of each write that has this sector among its own."""
    return {(number, slot) for number in range(1, ROUNDS + 1) for slot, count, _ in stamps.writes_of(SEED, number)
            if sector in stamps.sectors_of(slot, count)}


class Errors(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.disk = self.folder / "disk"
        self.disk.write_bytes(bytes(DISK_BYTES))

    def run_with(self, command, *errors, cpus=1):
        """What the command says while such errors are injected, and the statuses of its parts."""
        config = self.folder / "errors"
        config.write_text("".join(
            "[inject-error]\n" + "".join(f'{key} = "{value}"\n' for key, value in error.items()) for error in errors))
        done = subprocess.run(
            [BOOT, "--machine", "q35", "--image", IMAGE, "--json", "--cpus", str(cpus), "--command", command,
             "--qemu-arg=-drive", f"--qemu-arg=file=blkdebug:{config}:{self.disk},if=none,format=raw,id=d,"
             "werror=report,rerror=report",
             "--qemu-arg=-device", "--qemu-arg=nvme,serial=one,drive=d"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
        records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        self.assertTrue(records, done.stdout + done.stderr)
        return [[row.get("text", row) for row in record["output"]] for record in records]

    def queue(self, rows):
        sums = {}
        for row in rows:
            for key, value in row.items():
                sums[key] = sums.get(key, 0) + (value if key not in ("queue", "cpu") else 0)
        self.assertEqual(sums["submitted"], sums["completed"], sums)
        for stray in ("spurious", "timeouts", "replays"):
            self.assertEqual(sums[stray], 0, sums)
        return sums

    def on_disk(self):
        return stamps.rounds_in(SEED, self.disk.read_bytes())

    def test_reads_that_fail(self):
        bad = {sector for sector in (70, 130, 131) if sector in stamps.after_rounds(SEED, ROUNDS)}
        self.assertGreaterEqual(len(bad), 2)
        errors = [{**READ, "errno": 5, "sector": sector} for sector in bad]
        written, checked, again, queues = self.run_with(
            f"disks stamp nvme0n1 {SEED} {ROUNDS}; disks verify nvme0n1 {SEED} {ROUNDS};"
            f"disks verify nvme0n1 {SEED} {ROUNDS}; nvme queues", *errors)
        self.assertEqual(written[-1], "stamps: done, 0 failed")
        for said in (checked, again):
            self.assertEqual(set(said[:-1]), {f"stamps: sector {s} cannot be read: corrupted" for s in bad}, said)
            self.assertIn(f" 0 torn, 0 lost, {len(bad)} unread", said[-1])
        self.assertEqual(self.queue(queues)["failed"], 2 * len(bad))
        self.assertEqual({s: n for s, n in self.on_disk().items() if n}, stamps.after_rounds(SEED, ROUNDS))

    def test_writes_that_fail(self):
        bad = max(stamps.after_rounds(SEED, ROUNDS), key=lambda sector: len(writers_of(sector)))
        self.assertGreaterEqual(len(writers_of(bad)), 2)
        written, checked, queues = self.run_with(
            f"disks stamp nvme0n1 {SEED} {ROUNDS}; disks verify nvme0n1 {SEED} 0; nvme queues",
            {**WRITE, "errno": 5, "sector": bad})
        failed = {tuple(map(int, line.split()[1].split("."))) for line in written if "failed: io_failed" in line}
        self.assertEqual(failed, writers_of(bad), written)
        self.assertEqual(written[-1], f"stamps: done, {len(failed)} failed")
        self.assertEqual(sum(line.endswith(" flushed") for line in written), ROUNDS, written)
        self.assertIn(" 0 torn,", checked[-1])
        self.assertGreater(self.queue(queues)["failed"], 0)
        there, expected = self.on_disk(), stamps.after_rounds(SEED, ROUNDS)
        slot = (bad - stamps.FIRST_SECTOR) // stamps.SLOT_SECTORS
        touched = set(stamps.sectors_of(slot, stamps.SLOT_SECTORS))
        for sector, its_round in there.items():
            self.assertIsNotNone(its_round, sector)
            if sector not in touched:
                self.assertEqual(its_round, expected.get(sector, 0), f"sector {sector}, where nothing failed")
        self.assertEqual(there[bad], 0)

    def test_what_fails_once_is_given_again(self):
        errors = [{**WRITE, "errno": errno, "once": "on"} for errno in (5, 12)]
        written, checked, queues = self.run_with(
            f"disks stamp nvme0n1 {SEED} {ROUNDS}; disks verify nvme0n1 {SEED} {ROUNDS}; nvme queues", *errors)
        self.assertEqual(written[-1], "stamps: done, 0 failed")
        self.assertIn(" 0 torn, 0 lost, 0 unread", checked[-1])
        sums = self.queue(queues)
        self.assertGreaterEqual(sums["retries"], 1)
        self.assertEqual(sums["failed"], 0)

    def test_flushes_that_fail(self):
        """None is told to be done. QEMU 7.2 makes none for a write through, so that is."""
        written, checked, queues = self.run_with(
            f"disks stamp nvme0n1 {SEED} {ROUNDS}; disks verify nvme0n1 {SEED} 0; nvme queues",
            {**FLUSH, "errno": 5})
        self.assertEqual([line for line in written if line.endswith(" flushed")], [])
        self.assertEqual(written[-1], f"stamps: done, {ROUNDS} failed")
        self.assertEqual(sum("not flushed: io_failed" in line for line in written), ROUNDS, written)
        self.assertIn(" 0 torn,", checked[-1])
        self.assertEqual(self.queue(queues)["failed"], ROUNDS)
        self.assertEqual({s: n for s, n in self.on_disk().items() if n}, stamps.after_rounds(SEED, ROUNDS))

    def test_a_full_host(self):
        written, checked, _ = self.run_with(
            f"disks stamp nvme0n1 {SEED} 3; disks verify nvme0n1 {SEED} 0; nvme queues",
            {**WRITE, "errno": 28})
        self.assertEqual(sum("failed: " in line for line in written),
                         sum(len(stamps.writes_of(SEED, number)) for number in (1, 2, 3)), written)
        self.assertIn("stamps: 0 sectors stamped, 0 torn", checked[-1])

    def test_several_processors(self):
        written, checked, queues = self.run_with(
            f"disks stamp nvme0n1 {SEED} {ROUNDS}; block-bench filename=nvme0n1 rw=randread bs=4k iodepth=8 numjobs=4 "
            f"size=1M; disks verify nvme0n1 {SEED} 0; nvme queues",
            {**READ, "errno": 5, "sector": 70}, cpus=4)[0::2] + [None]
        self.assertEqual(written[-1], "stamps: done, 0 failed")
        self.assertIn("stamps: sector 70 cannot be read: corrupted", checked)
        self.assertIsNone(queues)


if __name__ == "__main__":
    unittest.main()
