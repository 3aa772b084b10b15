#!/usr/bin/env python3
"""Plugs NVMe disks into QEMU's root ports and has them pulled out while the packed image runs.

    hot_plug_test.py IMAGE.elf

The emulator presses the attention button of the port, and the kernel has to give power to the slot, give addresses
to what is in it, and, when it is to be let go, switch the power off: only then is the device gone. QEMU's q35 tells
firmware's methods of what is plugged in, and not the port, unless it is told otherwise (docs/drivers.md).
"""
import sys
import tempfile
import unittest

from emulated import Emulated

IMAGE = sys.argv.pop(1)
NVME = "1b36:0010"
NATIVE = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]
PORTS = [option for number in (1, 2)
         for option in ("-device", f"pcie-root-port,id=port{number},chassis={number},slot={number}")]
#: A request takes that long, so that there are always some in flight.
LATENCY_NS = 100_000_000


def ports_bound(text):
    return sum("pcie-port" in line and "bound" in line for line in text.splitlines())


class HotPlug(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.addCleanup(self.folder.cleanup)

    def start(self, *options, cpus=1):
        machine = Emulated(IMAGE, self.folder.name, [*options, *PORTS], cpus)
        self.addCleanup(machine.close)
        return machine

    def plug(self, machine, number, disk):
        machine.ask("device_add", driver="nvme", id=f"hot{number}", serial=str(number), bus=f"port{number}", drive=disk)

    def pull(self, machine, number):
        machine.ask("device_del", id=f"hot{number}")
        machine.await_event("DEVICE_DELETED")

    def come_and_go(self, cpus):
        """A disk comes, is used, goes while requests are in flight, and comes again."""
        disk = f"driver=null-co,node-name=d,size=16777216,read-zeroes=on,latency-ns={LATENCY_NS}"
        machine = self.start(*NATIVE, "-blockdev", disk, cpus=cpus)
        text = machine.run("devices")
        self.assertEqual(ports_bound(text), 2, text)
        self.assertNotIn(NVME, text)
        for _ in range(3):
            self.plug(machine, 2, "d")
            machine.wait_until("disks", lambda text: "nvme0n1" in text)
            bars = [line for line in machine.run("lspci").splitlines() if "memory64" in line]
            self.assertTrue(any("0x0000000000000000" not in line for line in bars), bars)
            before = machine.run("block-bench filename=nvme0n1 rw=randread bs=4k iodepth=4 size=64k")
            self.assertIn("err=0", before)
            job = machine.run("block-bench filename=nvme0n1 rw=randread bs=4k iodepth=32 runtime=60 &")
            machine.wait_until("disks stats nvme0n1", lambda text: ", 32 in flight" in text)
            begun = len(machine.seen)
            self.pull(machine, 2)  # the kernel has switched the power off
            machine.wait_until("jobs", lambda text: "ended" in text)
            machine.run(f"wait {job[job.index('[') + 1:job.index(']')]}")
            self.assertIn("the first error: io_failed", machine.seen[begun:])
            self.assertNotIn("nvme0n1", machine.run("disks"))
            self.assertNotIn(NVME, machine.run("devices"))
        text = machine.run("devices")
        self.assertEqual(ports_bound(text), 2, text)
        self.assertNotIn("warning", machine.run("log"))

    def test_a_disk_comes_and_goes_while_it_is_used(self):
        self.come_and_go(cpus=1)

    def test_the_same_with_several_processors(self):
        self.come_and_go(cpus=4)

    def test_each_port_is_for_itself(self):
        disks = [option for number in (1, 2)
                 for option in ("-blockdev", f"driver=null-co,node-name=d{number},size=16777216,read-zeroes=on")]
        machine = self.start(*NATIVE, *disks)
        machine.run("devices")
        for number in (1, 2):
            self.plug(machine, number, f"d{number}")
        machine.wait_until("devices", lambda text: text.count(NVME) == 2)
        machine.wait_until("disks", lambda text: "nvme0n1" in text and "nvme1n1" in text)
        self.pull(machine, 1)
        text = machine.wait_until("devices", lambda text: text.count(NVME) == 1)
        self.assertIn("0000:02:00.0", text)
        left = "nvme0n1" if "nvme0n1" in machine.run("disks") else "nvme1n1"
        self.assertIn("err=0", machine.run(f"block-bench filename={left} rw=read bs=4k size=64k"))

    def test_a_port_that_is_not_told_says_nothing(self):
        """What is plugged in is found by a look at the bus then."""
        machine = self.start("-blockdev", "driver=null-co,node-name=d,size=16777216,read-zeroes=on")
        self.assertEqual(ports_bound(machine.run("devices")), 2)
        self.plug(machine, 2, "d")
        self.assertNotIn(NVME, machine.run("sleep 1; devices"))
        machine.wait_until("devices rescan; devices", lambda text: NVME in text)
        self.assertIn("nvme0n1", machine.run("disks"))


if __name__ == "__main__":
    unittest.main()
