#!/usr/bin/env python3
"""Steps through the first instructions of a processor that is started (kernel/trampoline.S), by the emulator's door
for debuggers: from real mode to the kernel's stack, with a look at the processor between any two of them.

    trampoline_test.py LAUNCHER IMAGE.elf [unittest's arguments]

The first of two processors shows where the trampoline lies, the second is stepped through it. The boot processor
stands still meanwhile, and goes on behind it as if nothing had been.
"""
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

LAUNCHER = pathlib.Path(sys.argv.pop(1))
IMAGE = pathlib.Path(sys.argv.pop(1))
PATIENCE_S = 90
IMAGE_BASE = 0xFFFF_FFFF_8000_0000
PAGE = 0x1000
STEPS_MAX = 200

# The emulator's order of registers (gdb-xml/i386-64bit.xml): 17 of eight bytes, seven of four, nine of eight.
NAMES = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip flags cs ss ds es fs gs".split()
NAMES += "fs_base gs_base kernel_gs_base cr0 cr2 cr3 cr4 cr8 efer".split()
LAYOUT = struct.Struct("<17Q7I9Q")
INTERRUPTS = 1 << 9
CR0_PROTECTED, CR0_PAGING = 1, 1 << 31
EFER_LONG_ACTIVE = 1 << 10
# In the page of TrampolineData (kernel/trampoline.hpp).
HARDWARE_ID, LOW_ROOT, KERNEL_ROOT, STACK, BLOCK, OFFER = 28, 24, 32, 40, 56, 96
OFFER_NONE, OFFER_TAKEN = 0, 2
NOBODYS_ID = 0xEE


class Debugger:
    """The remote protocol of gdb, as much of it as stepping takes."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(path)
        self.received = b""
        self.ask("QStartNoAckMode")
        self.socket.sendall(b"+")

    def close(self) -> None:
        self.socket.close()

    def byte(self) -> bytes:
        while not self.received:
            self.received = self.socket.recv(4096)
            if not self.received:
                raise AssertionError("the emulator is gone")
        first, self.received = self.received[:1], self.received[1:]
        return first

    def answer(self) -> str:
        while self.byte() != b"$":
            pass
        text = b""
        while (byte := self.byte()) != b"#":
            text += byte
        self.byte(), self.byte()  # the checksum, on a channel that loses nothing
        return text.decode()

    def ask(self, text: str) -> str:
        self.socket.sendall(f"${text}#{sum(text.encode()) % 256:02x}".encode())
        return self.answer()

    def demand(self, text: str) -> None:
        if (said := self.ask(text)) != "OK":
            raise AssertionError(f"'{text}' is answered by '{said}'")

    def run(self, how: str) -> int:
        """Goes on until the next stop; returns the number of the processor that stopped, from 1 on."""
        said = self.ask(how)
        if not (match := re.match(r"T05.*thread:(?:p[0-9a-f]+\.)?([0-9a-f]+);", said)):
            raise AssertionError(f"'{how}' is answered by '{said}'")
        return int(match[1], 16)

    def registers(self, processor: int) -> dict[str, int]:
        self.demand(f"Hg{processor:x}")
        return dict(zip(NAMES, LAYOUT.unpack(bytes.fromhex(self.ask("g"))[: LAYOUT.size])))

    def read(self, address: int, size: int) -> int:
        return int.from_bytes(bytes.fromhex(self.ask(f"m{address:x},{size:x}")), "little")

    def write(self, address: int, value: int, size: int) -> None:
        self.demand(f"M{address:x},{size:x}:{value.to_bytes(size, 'little').hex()}")


def addresses() -> dict[str, int]:
    """Where the image's functions are."""
    debug = IMAGE.with_suffix(".debug.elf")
    listed = subprocess.run(["nm", "--defined-only", debug], capture_output=True, text=True, check=True)
    words = (line.split() for line in listed.stdout.splitlines())
    return {name: IMAGE_BASE + int(address, 16) for address, _, name in words}


class Trampoline(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.places = addresses()
        words = [str(LAUNCHER), "--machine", "q35", "--cpus", "3", "--image", str(IMAGE), "--gdb"]
        words += ["--append", f"image_base={IMAGE_BASE:#x}", "--timeout", str(PATIENCE_S), "--command", "cpus; log"]
        self.launcher = subprocess.Popen(
            words,
            env=dict(os.environ, TMPDIR=folder.name),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.launcher.communicate)
        self.addCleanup(self.launcher.kill)
        line = self.launcher.stderr.readline()
        path = re.search(r"target remote ([^']+)'", line)[1]
        deadline = time.monotonic() + PATIENCE_S
        while not os.path.exists(path):  # the emulator makes it before it listens
            self.assertIsNone(self.launcher.poll(), line)
            self.assertLess(time.monotonic(), deadline)
        self.debugger = Debugger(path)
        self.addCleanup(self.debugger.close)
        self.third = self.reach_trampoline()

    def reach_trampoline(self) -> int:
        """Stops the third processor before its first instruction; returns its number for the debugger."""
        entry = self.places["metal_processor_entry"]
        self.debugger.demand(f"Z1,{entry:x},1")
        second = self.debugger.run("c")
        self.page = self.debugger.registers(second)["r8"] - PAGE
        self.debugger.demand(f"z1,{entry:x},1")
        self.debugger.demand(f"Z1,{self.page:x},1")
        third = self.debugger.run("c")
        self.debugger.demand(f"z1,{self.page:x},1")
        self.assertNotEqual(third, second)
        self.assertEqual(self.debugger.registers(third)["cs"], self.page >> 4)
        return third

    def data(self, offset: int, size: int = 8) -> int:
        """What the page of data holds; read by a processor whose tables map it one to one."""
        return self.debugger.read(self.page + PAGE + offset, size)

    def place(self, registers: dict[str, int]) -> int:
        """The linear address of the next instruction."""
        is_real = registers["cr0"] & CR0_PROTECTED == 0
        return registers["rip"] + (self.page if is_real and registers["cs"] == self.page >> 4 else 0)

    def step(self) -> dict[str, int]:
        self.assertEqual(self.debugger.run(f"vCont;s:{self.third:x}"), self.third)
        return self.debugger.registers(self.third)

    def is_in_page(self, registers: dict[str, int]) -> bool:
        # Behind the switch to protected mode, the code segment is the old one for one instruction.
        return self.page <= self.place(registers) < self.page + PAGE or registers["cs"] == self.page >> 4

    def finish(self) -> str:
        """Lets everything go on; what the kernel has printed when it has ended."""
        self.debugger.socket.sendall(b"$D#44")  # detach
        out, errors = self.launcher.communicate(timeout=PATIENCE_S)
        self.assertEqual(self.launcher.returncode, 0, f"{out}\n{errors}")
        return out

    def test_from_real_mode_to_the_kernels_stack(self) -> None:
        start = self.places["metal_processor_start"]
        before = self.debugger.registers(self.third)
        roots = [self.data(LOW_ROOT, 4), self.data(KERNEL_ROOT)]
        stack, block = self.data(STACK), self.data(BLOCK)
        registers, steps, modes, seen_roots = before, 0, [], []
        while registers["rip"] != start:
            self.assertLess(steps, STEPS_MAX)
            self.assertEqual(registers["flags"] & INTERRUPTS, 0, registers)
            mode = (
                registers["cr0"] & CR0_PROTECTED != 0,
                registers["cr0"] & CR0_PAGING != 0,
                registers["efer"] & EFER_LONG_ACTIVE != 0,
            )
            if not modes or modes[-1] != mode:
                modes.append(mode)
            if registers["cr3"] != before["cr3"] and registers["cr3"] not in seen_roots:
                seen_roots.append(registers["cr3"])
            if self.is_in_page(registers) or registers["cr3"] != roots[1]:
                self.assertEqual(registers["rsp"], before["rsp"], "there is no stack yet")
            elif registers["rsp"] != before["rsp"]:
                self.assertTrue(stack - 24 <= registers["rsp"] <= stack and registers["rsp"] % 8 == 0, registers)
            registers = self.step()
            steps += 1
        self.assertGreater(steps, 40)
        self.assertEqual(modes, [(False, False, False), (True, False, False), (True, True, True)])
        self.assertEqual(seen_roots, roots)
        self.assertEqual(registers["rsp"], stack - 24)
        self.assertEqual(registers["rsp"] % 16, 8, "as behind a call")
        self.assertEqual(registers["rdi"], block)
        self.assertEqual(registers["rbp"], stack - 16)
        self.assertEqual([self.debugger.read(stack - 16, 8), self.debugger.read(stack - 8, 8)], [0, 0])
        self.assertIn("3 of 3 processors run", self.finish())

    def expect_parked(self) -> None:
        """It never leaves the page, uses no stack, and the kernel goes on without it."""
        before = registers = self.debugger.registers(self.third)
        places: list[int] = []
        while places.count(self.place(registers)) < 3:  # it goes round
            self.assertLess(len(places), STEPS_MAX)
            places.append(self.place(registers))
            registers = self.step()
            self.assertTrue(self.is_in_page(registers), registers)
            self.assertEqual(registers["rsp"], before["rsp"])
            if self.debugger.read(registers["rip"], 1) == 0xF4:  # HLT: it sleeps from here on
                break
        self.assertNotEqual(self.data(OFFER, 4), OFFER_TAKEN)
        out = self.finish()
        self.assertIn("2 of 3 processors run", out)
        self.assertRegex(out, r"processor 2 \(hardware id 2\) does not run: timed_out")

    def test_one_that_is_not_meant_parks(self) -> None:
        self.debugger.write(self.page + PAGE + HARDWARE_ID, NOBODYS_ID, 4)
        self.expect_parked()

    def test_one_that_comes_too_late_parks(self) -> None:
        self.debugger.write(self.page + PAGE + OFFER, OFFER_NONE, 4)
        self.expect_parked()


if __name__ == "__main__":
    unittest.main()
