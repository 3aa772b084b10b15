#!/usr/bin/env python3
"""Boots the packed image in QEMU with devices of several kinds and compares what `lspci` says of them.

    lspci_test.py TWOFOLD_BOOT IMAGE.elf
"""
import json
import subprocess
import sys
import unittest

BOOT = sys.argv.pop(1)
IMAGE = sys.argv.pop(1)
LIMIT_SECONDS = 60


def lspci(*devices, machine="q35"):
    """The rows of `lspci` on a machine with `devices`."""
    options = []
    for device in devices:
        options += ["--qemu-arg=-device", f"--qemu-arg={device}"]
    result = subprocess.run(
        [BOOT, "--machine", machine, "--image", IMAGE, "--json", "--command", "lspci", *options],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    line = next(line for line in result.stdout.splitlines() if line.startswith("{"))
    return json.loads(line)["output"]


def functions(rows):
    return {row["id"]: row for row in rows if "id" in row}


def bars(rows, function):
    return {row["bar"]: row for row in rows if row.get("function") == function and "bar" in row}


def capabilities(rows, function):
    return [row["capability"] for row in rows if row.get("function") == function and "capability" in row]


def lspci_without_windows(*devices):
    """The rows on a PC of 1996, which `twofold-boot` does not offer: configuration space by ports alone."""
    machine = ["qemu-system-x86_64", "-machine", "pc", "-cpu", "max", "-m", "64M", "-nodefaults", "-display", "none",
               "-no-reboot", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
               "-kernel", IMAGE, "-append", "json=on command=lspci"]
    for device in devices:
        machine += ["-device", device]
    result = subprocess.run(machine, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=LIMIT_SECONDS, check=False)
    assert result.returncode == 1, result.stdout + result.stderr  # status 0 by the debug-exit device
    line = next(line for line in result.stdout.splitlines() if line.startswith("{"))
    return json.loads(line)["output"]


class Lspci(unittest.TestCase):
    def assert_sound(self, rows):
        for row in functions(rows).values():
            self.assertEqual(row["defects"], "", row)

    def test_the_chipset_alone(self):
        rows = lspci()
        self.assert_sound(rows)
        host = functions(rows)["8086:29c0"]
        self.assertEqual((host["function"], host["kind"]), ("0000:00:00.0", "host bridge"))
        self.assertEqual(functions(rows)["8086:2922"]["kind"], "SATA controller")

    def test_a_teaching_device(self):
        rows = lspci("edu")
        self.assert_sound(rows)
        edu = functions(rows)["1234:11e8"]
        self.assertEqual(edu["vectors"], "MSI 1")
        registers = bars(rows, edu["function"])[0]
        self.assertEqual((registers["space"], registers["bytes"]), ("memory32", 1 << 20))
        self.assertEqual(int(registers["address"], 16) % (1 << 20), 0)

    def test_a_controller_with_message_vectors(self):
        rows = lspci("nvme,serial=one")
        self.assert_sound(rows)
        nvme = next(row for row in functions(rows).values() if row["kind"] == "NVM controller")
        self.assertEqual(nvme["class"], "010802")
        self.assertIn("MSI-X 65", nvme["vectors"])
        self.assertEqual(bars(rows, nvme["function"])[0]["space"], "memory64")
        self.assertIn("PCI Express", capabilities(rows, nvme["function"]))

    def test_behind_bridges(self):
        rows = lspci("pcie-root-port,id=rp1,bus=pcie.0,chassis=1", "virtio-rng-pci,bus=rp1",
                     "pcie-pci-bridge,id=old,bus=pcie.0", "pci-bridge,id=inner,bus=old,chassis_nr=2,addr=1",
                     "edu,bus=inner,addr=3")
        self.assert_sound(rows)
        found = functions(rows)
        port = found["1b36:000c"]
        self.assertEqual(port["header"], "bridge")
        behind = found["1af4:1044"]["function"]
        self.assertEqual(behind[5:7], port["buses"][:2])
        outer, inner, edu = found["1b36:000e"], found["1b36:0001"], found["1234:11e8"]
        self.assertEqual(inner["function"][5:7], outer["buses"][:2])
        self.assertEqual(edu["function"][5:], inner["buses"][:2] + ":03.0")
        self.assertEqual(outer["buses"][3:], inner["buses"][3:])
        self.assertIn("MSI-X", capabilities(rows, behind))

    def test_several_functions(self):
        rows = lspci("edu,addr=4.0,multifunction=on", "virtio-rng-pci,addr=4.3")
        self.assert_sound(rows)
        self.assertEqual(functions(rows)["1234:11e8"]["function"], "0000:00:04.0")
        self.assertTrue(any(row.get("function") == "0000:00:04.3" for row in rows))

    def test_a_second_host_bridge(self):
        rows = lspci("pxb-pcie,id=second,bus_nr=0x40,bus=pcie.0", "pcie-root-port,id=rp1,bus=second,chassis=1",
                     "virtio-rng-pci,bus=rp1")
        self.assert_sound(rows)
        buses = {row["function"][5:7] for row in functions(rows).values()}
        self.assertIn("40", buses)
        self.assertIn("41", buses)

    def test_ports_where_there_are_no_windows(self):
        rows = lspci_without_windows("nvme,serial=one", "pci-bridge,id=b1,chassis_nr=2", "edu,bus=b1,addr=2")
        self.assert_sound(rows)
        self.assertEqual(functions(rows)["8086:1237"]["kind"], "host bridge")
        bridge, edu = functions(rows)["1b36:0001"], functions(rows)["1234:11e8"]
        self.assertEqual(edu["function"][5:], bridge["buses"][:2] + ":02.0")
        self.assertFalse(any(row.get("list") == "extended" for row in rows))

    def test_a_machine_without_a_bus(self):
        self.assertEqual(lspci(machine="microvm"), [{"text": "no PCI bus is reached on this machine"}])


if __name__ == "__main__":
    unittest.main()
