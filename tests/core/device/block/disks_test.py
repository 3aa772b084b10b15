#!/usr/bin/env python3
"""Boots the packed image in QEMU with disks of bytes that this writes, and compares what it says and does to them.

    disks_test.py TWOFOLD_BOOT IMAGE.elf
"""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import uuid
import zlib

BOOT = sys.argv.pop(1)
IMAGE = sys.argv.pop(1)
LIMIT_SECONDS = 120
SECTOR = 512
SECTORS = 32768
PARTITIONS = [("root", 2048, 10239), ("data", 10240, 20479), ("rest", 30000, 32000)]


def table():
    """128 entries, as tools write them."""
    kind = uuid.UUID("0FC63DAF-8483-4772-8E79-3D69D8477DE4").bytes_le
    entries = b""
    for number, (name, first, last) in enumerate(PARTITIONS):
        entry = struct.pack("<16s16sQQQ72s", kind, uuid.UUID(int=number + 1).bytes_le, first, last, 0,
                            name.encode("utf-16-le"))
        entries += entry.ljust(128, b"\0")
    return entries.ljust(128 * 128, b"\0")


def header(own, other, table_sector, entries):
    def bytes_of(checksum):
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, checksum, 0, own, other, 34, SECTORS - 34,
                           uuid.UUID(int=99).bytes_le, table_sector, 128, 128, zlib.crc32(entries))
    return bytes_of(zlib.crc32(bytes_of(0))).ljust(SECTOR, b"\0")


def gpt_disk():
    disk = bytearray(SECTORS * SECTOR)
    entries = table()
    disk[446:462] = struct.pack("<BBBBBBBBII", 0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF, 1, SECTORS - 1)
    disk[510:512] = b"\x55\xaa"
    disk[SECTOR:2 * SECTOR] = header(1, SECTORS - 1, 2, entries)
    disk[2 * SECTOR:34 * SECTOR] = entries
    disk[(SECTORS - 33) * SECTOR:(SECTORS - 1) * SECTOR] = entries
    disk[(SECTORS - 1) * SECTOR:] = header(SECTORS - 1, 1, SECTORS - 33, entries)
    return disk


class Disks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def boot(self, disks, command, *arguments, machine="q35", status=0, json_output=True, options="", more=""):
        """What the commands print, one list of rows each. `disks` are bytes, which are changed as the kernel does."""
        words = [BOOT, "--machine", machine, "--image", IMAGE, "--command", command, "--timeout", "100", *arguments]
        if json_output:
            words.append("--json")
        if machine == "microvm":
            words += ["--qemu-arg=-global", "--qemu-arg=virtio-mmio.force-legacy=false"]
        for number, disk in enumerate(disks):
            path = self.folder / f"disk{number}"
            path.write_bytes(disk)
            words += ["--qemu-arg=-drive", f"--qemu-arg=file={path},if=none,id=d{number},format=raw{options}",
                      "--qemu-arg=-device",
                      f"--qemu-arg=virtio-blk-{'device' if machine == 'microvm' else 'pci'},drive=d{number}{more}"]
        result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=LIMIT_SECONDS, check=False)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        for number, disk in enumerate(disks):
            disk[:] = (self.folder / f"disk{number}").read_bytes()
        if not json_output:
            return result.stdout
        return [json.loads(line)["output"] for line in result.stdout.splitlines() if line.startswith("{")]

    def test_partitions_are_found(self):
        rows, _, stats = self.boot([gpt_disk()], "disks; log; disks stats vda2")
        self.assertEqual([row["disk"] for row in rows], ["vda", "vda1", "vda2", "vda3"])
        self.assertEqual([row["MiB"] for row in rows], [16, 4, 5, 0])
        text = " ".join(row.get("text", "") for row in stats)
        self.assertIn("partition 2, 'data', sectors 10240 to 20479, type 0FC63DAF-8483-4772-8E79-3D69D8477DE4", text)

    def test_a_damaged_table_is_read_from_its_backup(self):
        disk = gpt_disk()
        disk[SECTOR + 60] ^= 1
        rows, log = self.boot([disk], "disks; log")
        self.assertEqual(len(rows), 4)
        self.assertIn("vda: the first partition table is damaged", [row["message"] for row in log])

    def test_two_damaged_tables_are_said(self):
        disk = gpt_disk()
        disk[SECTOR + 60] ^= 1
        disk[-SECTOR + 60] ^= 1
        rows, log = self.boot([disk], "disks; log")
        self.assertEqual([row["disk"] for row in rows], ["vda"])
        self.assertIn("vda: both partition tables are damaged", [row["message"] for row in log])

    def check_writes(self, machine, *arguments):
        disk = gpt_disk()
        before = bytes(disk)
        text = self.boot(
            [disk], "block-bench filename=vda2 rw=randwrite bs=4k iodepth=16 size=4M fsync=64 verify=1; "
            "block-bench filename=vda2 rw=write bs=256k iodepth=4 size=2M verify=1", *arguments, machine=machine,
            json_output=False)
        self.assertEqual(text.count("verify: 0 blocks are wrong"), 2, text)
        first, behind = 10240 * SECTOR, 20480 * SECTOR
        self.assertEqual(disk[:first], before[:first])
        self.assertEqual(disk[behind:], before[behind:])
        self.assertNotEqual(disk[first:first + (2 << 20)].count(0), 2 << 20)
        self.assertEqual(disk[first + (4 << 20):behind], before[first + (4 << 20):behind])

    def test_what_is_written_lies_in_the_partition(self):
        self.check_writes("q35", "--cpus", "2")

    def test_what_is_written_lies_in_the_partition_on_a_machine_without_pci(self):
        self.check_writes("microvm")

    def test_four_processors_have_queues_of_their_own(self):
        disk = gpt_disk()
        text = self.boot([disk], "block-bench filename=vda rw=randread bs=4k iodepth=8 numjobs=4 runtime=1; "
                         "disks stats vda", "--cpus", "4", json_output=False, more=",num-queues=4")
        self.assertIn("err=0", text)
        self.assertIn("0 in flight", text)

    def test_sectors_of_4096_bytes(self):
        disk = bytearray(SECTORS * SECTOR)
        rows, = self.boot([disk], "disks", more=",logical_block_size=4096,physical_block_size=4096")
        self.assertEqual(rows[0]["sector"], 4096)
        text = self.boot([disk], "block-bench filename=vda rw=randwrite bs=8k iodepth=8 size=2M verify=1",
                         json_output=False, more=",logical_block_size=4096,physical_block_size=4096")
        self.assertIn("verify: 0 blocks are wrong", text)

    def test_a_disk_that_is_only_read(self):
        disk = gpt_disk()
        text = self.boot([disk], "disks; block-bench filename=vda rw=write bs=4k size=64k", status=1,
                         json_output=False, options=",readonly=on")
        self.assertIn("read-only", text)
        self.assertIn("vda: permission_denied", text)

    def test_an_error_of_the_medium_is_an_error_of_the_request(self):
        disk = bytearray(SECTORS * SECTOR)
        rules = self.folder / "rules"
        rules.write_text('[inject-error]\nevent = "read_aio"\nerrno = "5"\nsector = "4096"\n')
        path = self.folder / "disk"
        path.write_bytes(disk)
        words = [BOOT, "--image", IMAGE, "--timeout", "100", "--command",
                 "block-bench rw=read bs=4k iodepth=8; block-bench rw=read bs=4k size=1M; disks stats vda",
                 "--qemu-arg=-drive", f"--qemu-arg=file=blkdebug:{rules}:{path},if=none,id=d0,format=raw",
                 "--qemu-arg=-device", "--qemu-arg=virtio-blk-pci,drive=d0,rerror=report,werror=report"]
        result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=LIMIT_SECONDS, check=False)
        self.assertIn("the first error: io_failed", result.stdout, result.stdout + result.stderr)
        self.assertEqual(result.stdout.count("err=0"), 1, result.stdout)

    def test_a_stripe_is_found_again(self):
        disks = [bytearray(4 << 20) for _ in range(3)]
        first = self.boot(disks, "disks stripe fast vda vdb vdc chunk=64k; "
                          "block-bench filename=fast rw=write bs=256k iodepth=4 size=6M verify=1",
                          json_output=False)
        self.assertIn("verify: 0 blocks are wrong", first)
        self.assertTrue(all(disk.startswith(b"2FSTRIPE") for disk in disks))
        disks.reverse()  # members know their numbers
        again = self.boot(disks, "disks assemble; block-bench filename=fast rw=read bs=256k size=6M verify=1",
                          json_output=False)
        self.assertIn("1 stripes assembled", again)
        self.assertIn("verify: 0 blocks are wrong", again)
        missing = self.boot(disks[1:], "disks assemble; log", json_output=False)
        self.assertIn("the stripe fast is not whole: member 2 of 3 is missing", missing)

    def test_a_disk_of_virtio_by_the_option(self):
        path = self.folder / "option"
        for machine in ("q35", "microvm"):
            path.write_bytes(gpt_disk())
            words = [BOOT, "--machine", machine, "--image", IMAGE, "--timeout", "100",
                     "--disk", f"{path},kind=virtio", "--command",
                     "disks; block-bench filename=vda2 rw=write bs=64k iodepth=4 size=1M verify=1"]
            result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                    timeout=LIMIT_SECONDS, check=False)
            self.assertIn("verify: 0 blocks are wrong", result.stdout, result.stdout + result.stderr)
            self.assertNotIn("nvme", result.stdout)

    def test_a_compressed_disk_is_found_again(self):
        for method in ("lz4", "zstd"):
            disks = [bytearray(8 << 20)]
            first = self.boot(disks, f"disks compress packed vda method={method} size=32M; "
                              "block-bench filename=packed rw=write bs=64k size=2M fsync=8 verify=1; "
                              "disks stats packed", json_output=False)
            self.assertIn(f"packed: 32 MiB on vda, by {method}", first)
            self.assertIn("verify: 0 blocks are wrong", first)
            self.assertRegex(first, rf"compressed by {method}, level \d, on vda: 2048 KiB in \d+ KiB, ratio")
            self.assertTrue(disks[0].startswith(b"2FCMPSD1"))
            again = self.boot(disks, "disks assemble; disks assemble; disks compress packed vda; "
                              "block-bench filename=packed rw=read bs=64k size=2M verify=1", json_output=False)
            self.assertIn("1 compressed disks opened", again)
            self.assertIn("0 compressed disks opened", again)
            self.assertIn("disks: packed lies on vda", again)
            self.assertIn("verify: 0 blocks are wrong", again)
            disks[0][40] ^= 1
            disks[0][4096 + 40] ^= 1
            damaged = self.boot(disks, "disks assemble; log", json_output=False)
            self.assertIn("the compressed disk on vda is not used: corrupted", damaged)

    def test_what_a_disk_holds_is_not_compressed_away_by_mistake(self):
        whole, damaged = gpt_disk(), gpt_disk()
        damaged[SECTOR + 60] ^= 1
        damaged[-SECTOR + 60] ^= 1
        stripes = [bytearray(4 << 20) for _ in range(2)]
        self.boot(stripes, "disks stripe fast vda vdb", json_output=False)
        before = bytes(whole), bytes(damaged), bytes(stripes[0])
        text = self.boot([whole, damaged, *stripes],
                         "disks compress c vda; disks compress c vdb; disks compress c vdc; disks compress c vda1; "
                         "disks stripe x vda vdd; disks compress c vdd overwrite", json_output=False, status=1)
        self.assertIn("disks: vda holds partitions; 'overwrite'", text)
        self.assertIn("disks: vdb holds a damaged partition table; 'overwrite'", text)
        self.assertIn("disks: vdc holds a member of a stripe; 'overwrite'", text)
        self.assertIn("c: 4 MiB on vda1", text)
        self.assertIn("disks: x: a disk is named twice, or something lies on it", text)  # a part of vda is in use
        self.assertIn("disks: there is a disk 'c' already", text)
        first, behind = PARTITIONS[0][1] * SECTOR, (PARTITIONS[0][2] + 1) * SECTOR
        self.assertEqual(whole[:first] + whole[behind:], before[0][:first] + before[0][behind:])
        self.assertEqual((bytes(damaged), bytes(stripes[0])), before[1:])
        text = self.boot([whole], "disks compress c vda overwrite", json_output=False)
        self.assertIn("c: 16 MiB on vda", text)

    def test_layers_over_layers(self):
        disks = [bytearray(8 << 20), bytearray(8 << 20)]
        make = ("disks compress a vda; disks compress b vdb; disks stripe ab a b; disks compress top ab; "
                "block-bench filename=top rw=randwrite bs=4k iodepth=8 size=1M fsync=32 verify=1; disks stats b")
        text = self.boot(disks, make, json_output=False)
        self.assertIn("verify: 0 blocks are wrong", text)
        again = self.boot(disks, "disks assemble; log; "
                          "block-bench filename=top rw=randread bs=4k size=1M verify=1", json_output=False)
        self.assertIn("1 stripes assembled, 3 compressed disks opened", again)
        self.assertNotIn("is not", again)
        self.assertIn("verify: 0 blocks are wrong", again)

    def test_stripes_over_stripes(self):
        text = self.boot([], "disks ramdisk 4M; disks ramdisk 4M; disks ramdisk 4M; disks ramdisk 4M; "
                         "disks ramdisk 4M; disks stripe a ram0 ram1; disks stripe b ram2 ram3; disks stripe c a b; "
                         "disks stripe d c a; disks stripe d c ram4; "
                         "block-bench filename=d rw=randwrite bs=4k iodepth=16 size=2M verify=1 fsync=16; "
                         "block-bench filename=d rw=write bs=1M iodepth=4 size=2M verify=1; disks stats d",
                         json_output=False)
        self.assertIn("disks: d: a disk is named twice, or something lies on it", text)
        self.assertEqual(text.count("verify: 0 blocks are wrong"), 2, text)
        self.assertIn("0 in flight", text)

    def test_fios_json(self):
        disk = bytearray(SECTORS * SECTOR)
        text = self.boot([disk], "block-bench filename=vda rw=randrw rwmixread=70 bs=4k iodepth=8 size=4M fsync=32 "
                         "output-format=json", json_output=False)
        said = json.loads(text[text.index("{"):text.rindex("}") + 1])
        job = said["jobs"][0]
        self.assertEqual(job["error"], 0)
        self.assertEqual(job["read"]["io_bytes"] + job["write"]["io_bytes"], 4 << 20)
        for way in ("read", "write"):
            latency = job[way]["clat_ns"]
            self.assertEqual(latency["N"], job[way]["total_ios"])
            self.assertLessEqual(latency["min"], latency["percentile"]["50.000000"] * 1.07)
            self.assertLessEqual(latency["percentile"]["50.000000"], latency["percentile"]["99.000000"])
            self.assertLessEqual(latency["percentile"]["99.000000"], latency["max"])
            self.assertLessEqual(latency["mean"], latency["max"])
            self.assertGreater(job[way]["iops"], 0)
        self.assertGreater(job["read"]["total_ios"], job["write"]["total_ios"])
        self.assertEqual(job["sync"]["total_ios"], job["write"]["total_ios"] // 32)

    def test_options_that_make_no_sense(self):
        for words, answer in [
                ("rw=sideways", "rw=sideways: one of read write"), ("bs=100", "bs=100: a multiple of 512"),
                ("iodepth=0", "iodepth=0: a number from 1 to 256 is wanted"),
                ("depth=3", "depth=3: there is no such option"), ("fast", "fast: name=value is wanted"),
                ("verify=2", "verify=2: 0 or 1 is wanted"), ("rw=write", "who writes names the disk"),
                ("filename=sda", "there is no disk 'sda'")]:
            with self.subTest(words):
                text = self.boot([bytearray(SECTORS * SECTOR)], f"block-bench {words}; halt", json_output=False)
                self.assertIn(answer, text)


if __name__ == "__main__":
    os.environ.pop("TWOFOLD_ACCEL", None)
    unittest.main()
