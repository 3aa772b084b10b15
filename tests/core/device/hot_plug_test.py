#!/usr/bin/env python3
"""Plugs devices into QEMU's root ports and has them pulled out while the packed image runs.

    hot_plug_test.py IMAGE.elf

The emulator presses the attention button of the port, and the kernel has to give power to the slot, give addresses
to what is in it, and, when it is to be let go, switch the power off: only then is the device gone.
"""
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

IMAGE = sys.argv.pop(1)
LIMIT_SECONDS = 90
LOOKS_MAX = 60
NVME = "1b36:0010"


class Machine:
    """An emulator with two root ports, whose kernel reads commands from its console."""

    def __init__(self, folder):
        path = str(pathlib.Path(folder) / "monitor")
        ports = [option for number in (1, 2)
                 for option in ("-device", f"pcie-root-port,id=port{number},chassis={number},slot={number}")]
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-machine", "q35", "-nodefaults", "-no-user-config", "-no-reboot", "-cpu", "max",
             "-m", "128M", "-display", "none", "-serial", "stdio", "-qmp", f"unix:{path},server=on,wait=off",
             "-device", "isa-debug-exit,iobase=0xf4,iosize=4", *ports, "-kernel", IMAGE],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        self.watch = threading.Timer(LIMIT_SECONDS, self.process.kill)
        self.watch.start()
        self.seen = ""
        self.read_to("ready")
        self.monitor = socket.socket(socket.AF_UNIX)
        self.monitor.settimeout(LIMIT_SECONDS)
        self.monitor.connect(path)
        self.answers = self.monitor.makefile("r")
        self.answers.readline()
        self.ask("qmp_capabilities")

    def read_to(self, text):
        """The lines of the console up to one with `text`."""
        lines = []
        for line in self.process.stdout:
            self.seen += line
            lines.append(line)
            if text in line:
                return lines
        raise AssertionError(f"the console ended without '{text}':\n{self.seen}")

    def run(self, command):
        self.process.stdin.write(command + "; echo that was-it\n")
        self.process.stdin.flush()
        return "".join(line for line in self.read_to("that was-it") if "; echo" not in line)

    def ask(self, command, **arguments):
        self.monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = json.loads(self.answers.readline())
            if "error" in answer:
                raise AssertionError(answer)
            if "return" in answer:
                return answer["return"]

    def wait_until(self, is_so):
        """Looks at `devices` until that holds of it."""
        for _ in range(LOOKS_MAX):
            text = self.run("devices")
            if is_so(text):
                return text
            self.run("sleep 0.1")
        raise AssertionError(f"that never came to be:\n{text}")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.watch.cancel()
        self.answers.close()
        self.monitor.close()
        self.process.stdin.close()
        self.process.stdout.close()


class HotPlug(unittest.TestCase):
    def test_a_device_comes_and_goes_and_comes_again(self):
        with tempfile.TemporaryDirectory() as folder:
            machine = Machine(folder)
            try:
                text = machine.run("devices")
                self.assertEqual(sum("pcie-port" in line and "bound" in line for line in text.splitlines()), 2, text)
                self.assertNotIn(NVME, text)
                for _ in range(2):
                    machine.ask("device_add", driver="nvme", id="hot", serial="one", bus="port2")
                    machine.wait_until(lambda text: NVME in text)
                    bars = [line for line in machine.run("lspci").splitlines() if "memory64" in line]
                    self.assertTrue(any("0x0000000000000000" not in line for line in bars), bars)
                    machine.ask("device_del", id="hot")
                    machine.wait_until(lambda text: NVME not in text)
                text = machine.run("devices")
                self.assertEqual(sum("pcie-port" in line and "bound" in line for line in text.splitlines()), 2, text)
            finally:
                machine.close()

    def test_each_port_is_for_itself(self):
        with tempfile.TemporaryDirectory() as folder:
            machine = Machine(folder)
            try:
                machine.run("devices")
                for number in (1, 2):
                    machine.ask("device_add", driver="nvme", id=f"hot{number}", serial=str(number), bus=f"port{number}")
                text = machine.wait_until(lambda text: text.count(NVME) == 2)
                machine.ask("device_del", id="hot1")
                text = machine.wait_until(lambda text: text.count(NVME) == 1)
                self.assertIn("0000:02:00.0", text)
            finally:
                machine.close()


if __name__ == "__main__":
    unittest.main()
