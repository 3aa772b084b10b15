#!/usr/bin/env python3
"""Boots the kernel with NVMe controllers and uses them: data that comes back, on all processors and queues, with
small limits, several namespaces, in each mode and across resets; and what the medium holds afterwards. What does not
need an option of QEMU's is done on the hosted machine, too, with its own controller.

    nvme_test.py TWOFOLD_BOOT IMAGE.elf TWOFOLD_HOST
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
HOST = sys.argv.pop(1)
LIMIT_SECONDS = 180
DISK_BYTES = 16 << 20


class Medium:
    """A file that a namespace lies on."""

    def __init__(self, folder, name, size=DISK_BYTES):
        self.path = pathlib.Path(folder) / name
        self.name = name
        with open(self.path, "wb") as file:
            file.truncate(size)

    def options(self):
        return ["-drive", f"file={self.path},if=none,format=raw,id={self.name}"]


def run(command, *options, cpus=1):
    """What each command of the line prints, as rows, and the status of the last; the options are the emulator's."""
    return start([BOOT, "--machine", "q35", "--image", IMAGE, *(f"--qemu-arg={option}" for option in options)],
                 command, cpus)


def start(program, command, cpus):
    result = subprocess.run(
        [*program, "--json", "--cpus", str(cpus), "--command", command],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert lines, result.stdout + result.stderr
    return [line["output"] for line in lines], result.returncode, result.stdout + result.stderr


def facts(rows):
    return {row["fact"]: row["value"] for row in rows}


def queues_of(rows):
    """The tables of `nvme queues`, by queue."""
    found = {}
    for row in rows:
        found.setdefault(row["queue"], {}).update(row)
    return [found[number] for number in sorted(found)]


class Cases:
    """What is the same for both controllers; `use` runs commands with a controller over self.medium."""

    model = ""
    takes_time = True  # requests are in flight while others are made

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.addCleanup(self.folder.cleanup)
        self.medium = Medium(self.folder.name, "d")

    def assert_tested(self, output, name, least=100):
        said = next(row["text"] for row in output if row.get("text", "").startswith(name + ":"))
        words = said.replace(",", "").split()
        self.assertGreater(int(words[1]), least, said)
        self.assertEqual((words[3], words[5]), ("0", "0"), said)

    def test_what_it_is(self):
        listed, identity, features = self.use("nvme; nvme id 0; nvme features 0")
        self.assertEqual(len(listed), 1)
        self.assertEqual((listed[0]["disk"], listed[0]["sectors"], listed[0]["bytes"]),
                         ("nvme0n1", DISK_BYTES // 512, 512))
        found = facts(identity)
        self.assertEqual((found["model"], found["version"]), (self.model, "1.4.0"))
        self.assertEqual((found["transfer_bytes_max"], found["queues"], found["resets"]), (512 << 10, 1, 0))
        self.assertEqual(facts(features)["volatile_write_cache"] & 1, 1)

    def test_data_comes_back_and_is_counted(self):
        before, tested, after, queues, errors = self.use(
            "nvme smart 0; nvme test 0 8192; nvme smart 0; nvme queues 0; nvme errors 0")
        self.assert_tested(tested, "nvme0n1")
        for number in ("reads", "writes", "units_read", "units_written"):
            self.assertGreater(facts(after)[number], facts(before)[number], number)
        queue = queues_of(queues)[0]
        self.assertEqual(queue["submitted"], queue["completed"])
        if self.takes_time:
            self.assertGreater(queue["waited"], 0)  # for a slot
        self.assertGreater(queue["interrupts"], 0)
        for number in ("spurious", "retries", "replays", "timeouts", "failed"):
            self.assertEqual(queue[number], 0, number)
        self.assertEqual(errors, [])
        # Many requests were held together: one write told of many.
        self.assertLess(queue["tail_rings"], queue["submitted"] / 4)

    def test_what_was_written_is_on_the_medium(self):
        written, checked = self.use("disks stamp nvme0n1 9 30; disks verify nvme0n1 9 30")
        self.assertEqual(written[-1]["text"], "stamps: done, 0 failed")
        self.assertIn(" 0 torn, 0 lost, 0 unread", checked[0]["text"])
        there = stamps.rounds_in(9, self.medium.path.read_bytes())
        self.assertEqual({sector: number for sector, number in there.items() if number}, stamps.after_rounds(9, 30))

    def test_every_processor_has_a_queue(self):
        tested, queues = self.use("nvme test 0 16384; nvme queues 0", cpus=4)
        self.assert_tested(tested, "nvme0n1", 1000)
        self.assertEqual([row["cpu"] for row in queues_of(queues)], [0, 1, 2, 3])
        for row in queues_of(queues):
            self.assertGreater(row["completed"], 0, row)
            self.assertEqual((row["submitted"], row["spurious"]), (row["completed"], 0), row)

    def test_each_mode_and_resets(self):
        outputs = self.use("nvme mode 0 polling; nvme test 0 2048; nvme queues 0; nvme mode 0 interrupt;"
                           "nvme test 0 2048; nvme reset 0; nvme test 0 2048; nvme mode 0 hybrid; nvme test 0 2048;"
                           "nvme id 0; nvme queues 0")
        for tested in (outputs[1], outputs[4], outputs[6], outputs[8]):
            self.assert_tested(tested, "nvme0n1")
        polled, last = queues_of(outputs[2])[0], queues_of(outputs[10])[0]
        self.assertGreater(polled["polls"], 0)
        self.assertGreater(last["interrupts"], polled["interrupts"])
        self.assertEqual(facts(outputs[9])["resets"], 1)
        self.assertEqual(facts(outputs[9])["lost_interrupts"], 0)
        self.assertEqual(last["spurious"], 0)

    def test_it_tells_of_events(self):
        outputs = self.use("nvme id 0; nvme set 0 temperature_threshold 300; sleep 1; nvme id 0; nvme features 0")
        self.assertEqual(facts(outputs[0])["events"], 0)
        self.assertEqual(facts(outputs[-2])["events"], 1)  # its temperature is 323 K
        self.assertEqual(facts(outputs[-1])["temperature_threshold"], 300)

    def test_a_machine_without(self):
        outputs, status, said = self.run_without("nvme")
        self.assertEqual((outputs, status), ([[]], 0), said)


class Hosted(Cases, unittest.TestCase):
    model = "Twofold hosted NVMe controller"
    takes_time = False  # the file lies in the page cache

    def use(self, command, cpus=1):
        outputs, status, said = start([HOST, "--disk", str(self.medium.path)], command, cpus)
        self.assertEqual(status, 0, said)
        return outputs

    def run_without(self, command):
        return start([HOST], command, 1)


class Emulated(Cases, unittest.TestCase):
    model = "QEMU NVMe Ctrl"

    def use(self, command, *devices, cpus=1, media=None):
        options = []
        for medium in media or [self.medium]:
            options += medium.options()
        for device in devices or ["nvme,serial=one,drive=d"]:
            options += ["-device", device]
        outputs, status, said = run(command, *options, cpus=cpus)
        self.assertEqual(status, 0, said)
        return outputs

    def run_without(self, command):
        return run(command)

    def test_its_serial_number(self):
        self.assertEqual(self.use("nvme")[0][0]["serial"], "one")

    def test_what_is_deallocated_stays_where_the_medium_has_no_holes(self):
        self.use("nvme test 0 4096")
        with open(self.medium.path, "rb") as file:
            data = file.read(4096 * 512)
        # Of the pass with single pages, from where no other pass has written and nothing was deallocated.
        sector = 4095
        state = sector * 2 + 1
        mask = (1 << 64) - 1

        def word():
            nonlocal state
            state = (state + 0x9E3779B97F4A7C15) & mask
            mixed = state
            mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
            mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
            return mixed ^ (mixed >> 31)

        expected = b"".join(word().to_bytes(8, "little") for _ in range(64))
        self.assertEqual(data[sector * 512:(sector + 1) * 512], expected)

    def test_the_smallest_limits(self):
        device = "nvme,serial=one,drive=d,max_ioqpairs=1,msix_qsize=2,mdts=1"
        identity, tested, queues = self.use("nvme id 0; nvme test 0 4096; nvme queues 0", device, cpus=2)
        self.assertEqual((facts(identity)["transfer_bytes_max"], facts(identity)["queues"]), (8192, 1))
        self.assert_tested(tested, "nvme0n1")
        self.assertEqual(len(queues_of(queues)), 1)

    def test_one_vector_for_all(self):
        tested, queues = self.use("nvme test 0 2048; nvme queues 0", "nvme,serial=one,drive=d,msix_qsize=1")
        self.assert_tested(tested, "nvme0n1")
        self.assertGreater(queues_of(queues)[0]["interrupts"], 0)

    def test_several_namespaces_and_sizes_of_blocks(self):
        media = [Medium(self.folder.name, name) for name in ("a", "b", "c")]
        devices = ["nvme,serial=many,id=n", "nvme-ns,drive=a,bus=n,nsid=1",
                   "nvme-ns,drive=b,bus=n,nsid=7,logical_block_size=4096,physical_block_size=4096",
                   "nvme,serial=other,drive=c"]
        listed, first, second = self.use("nvme; nvme test 0 1024; nvme test 1 1024", *devices, media=media)
        self.assertEqual([(row["disk"], row["sectors"], row["bytes"]) for row in listed],
                         [("nvme0n1", DISK_BYTES // 512, 512), ("nvme0n7", DISK_BYTES // 4096, 4096),
                          ("nvme1n1", DISK_BYTES // 512, 512)])
        self.assert_tested(first, "nvme0n1")
        self.assert_tested(first, "nvme0n7")
        self.assert_tested(second, "nvme1n1")

    def test_a_medium_that_fails(self):
        config = pathlib.Path(self.folder.name) / "errors"
        config.write_text('[inject-error]\nevent = "read_aio"\nerrno = "5"\nsector = "8"\nonce = "off"\n')
        options = ["-drive", f"file=blkdebug:{config}:{self.medium.path},if=none,format=raw,id=d,rerror=report",
                   "-device", "nvme,serial=one,drive=d"]
        outputs, status, said = run("nvme test 0 2048; nvme queues 0", *options)
        self.assertEqual(status, 0, said)  # of the last command
        tested = outputs[0][0]["text"].replace(",", "").split()
        self.assertGreater(int(tested[3]), 0, said)
        queue = queues_of(outputs[1])[0]
        self.assertGreater(queue["failed"], 0, said)
        self.assertEqual(queue["submitted"], queue["completed"], said)


if __name__ == "__main__":
    unittest.main()
