#!/usr/bin/env python3
"""Starts the packed image in QEMU in ways that must fail or that move it, and reads what it says.

    start_test.py IMAGE.elf

Each failure must be one clear line on the serial port and the debug-exit status of a machine that
could not start; never a hang.
"""
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

IMAGE = pathlib.Path(sys.argv.pop(1))
COULD_NOT_START = 71
PANIC = 70
LIMIT_SECONDS = 60
PROMPT = b"twofold> "
CHECKSUM = "the image is corrupt: its checksum is wrong; build or copy it again"


def start(image, command_line="", *options):
    """Runs `image` on a small microvm: its exit status as the guest gave it, and its console."""
    machine = ["qemu-system-x86_64", "-machine", "microvm,rtc=off,pit=off,pic=off,isa-serial=on",
               "-cpu", "max", "-m", "8M", "-nodefaults", "-display", "none", "-no-reboot",
               "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
               "-kernel", str(image), "-append", command_line]
    result = subprocess.run([*machine, *options], stdin=subprocess.DEVNULL, capture_output=True,
                            timeout=LIMIT_SECONDS, check=False)
    status = (result.returncode - 1) // 2
    return status, result.stdout.decode(errors="replace"), result.stderr.decode()


def start_without_exit_device(machine, command, *options):
    """Runs `command` on a machine whose only ways to end are those that its firmware describes: the
    emulator's exit status, and what it logged of faults and resets."""
    with tempfile.NamedTemporaryFile() as log:
        result = subprocess.run(
            ["qemu-system-x86_64", "-machine", machine, "-accel", "tcg", "-cpu", "max", "-m", "64M", "-nodefaults",
             "-display", "none", "-no-reboot", "-serial", "null", "-d", "int,cpu_reset", "-D", log.name,
             "-kernel", str(IMAGE), "-append", f"command={command}", *options],
            stdin=subprocess.DEVNULL, timeout=LIMIT_SECONDS, check=False)
        return result.returncode, pathlib.Path(log.name).read_text()


def talk(machine, lines, *options):
    """Types each of `lines` when the kernel asks for one; its exit status and what it said."""
    command = ["qemu-system-x86_64", "-machine", machine, "-accel", "tcg", "-cpu", "max", "-m", "64M", "-nodefaults",
               "-display", "none", "-no-reboot", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
               "-kernel", str(IMAGE), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as emulator:
        said = b""
        watchdog = threading.Timer(LIMIT_SECONDS, emulator.kill)
        watchdog.start()
        for line in lines:
            prompts = said.count(PROMPT)
            while said.count(PROMPT) == prompts and (piece := os.read(emulator.stdout.fileno(), 4096)):
                said += piece
            emulator.stdin.write(line.encode() + b"\r")
            emulator.stdin.flush()
        said += emulator.stdout.read()
        watchdog.cancel()
    return (emulator.returncode - 1) // 2, said.decode(errors="replace")


def payload_offset(image):
    """Where the last loadable segment, the payload, begins in the file."""
    table, = struct.unpack_from("<Q", image, 32)
    count, = struct.unpack_from("<H", image, 56)
    return struct.unpack_from("<Q", image, table + (count - 1) * 56 + 8)[0]


class Start(unittest.TestCase):
    def damaged(self, change):
        image = bytearray(IMAGE.read_bytes())
        change(image, payload_offset(image))
        with tempfile.NamedTemporaryFile(suffix=".elf") as file:
            file.write(image)
            file.flush()
            return start(file.name, "command=version")

    def assert_refused(self, outcome, reason):
        status, console, _ = outcome
        self.assertEqual(console, f"twofold: cannot start: {reason}\n")
        self.assertEqual(status, COULD_NOT_START)

    def test_starts(self):
        status, console, _ = start(IMAGE, "command=version")
        self.assertEqual(status, 0)
        self.assertTrue(console.startswith("Twofold "), console)

    def test_a_flipped_bit_anywhere_is_found(self):
        size = IMAGE.stat().st_size - payload_offset(IMAGE.read_bytes())
        for at in (8, 20, 60, size // 3, size // 2, size - 1):
            def flip(image, payload, at=at):
                image[payload + at] ^= 0x10
            with self.subTest(at=at):
                self.assert_refused(self.damaged(flip), CHECKSUM)

    def test_a_foreign_payload_is_refused(self):
        def rename(image, payload):
            image[payload] ^= 0xff
        self.assert_refused(
            self.damaged(rename), "the image is corrupt: what it carries is of another version; build it again"
        )

    def test_an_absurd_size_is_refused(self):
        def grow(image, payload):
            struct.pack_into("<I", image, payload + 16, 0xffff_fff0)
        self.assert_refused(self.damaged(grow), CHECKSUM)

    def test_a_truncated_file_never_starts(self):
        with tempfile.NamedTemporaryFile(suffix=".elf") as file:
            file.write(IMAGE.read_bytes()[:-4096])
            file.flush()
            _, console, complaint = start(file.name, "command=version")
        self.assertNotIn("Twofold", console)
        self.assertTrue(console or complaint, "somebody says why: the emulator or the stub")

    def test_the_image_runs_where_it_is_told_to(self):
        for base in ("0xffffffffc0200000", "0xffffe00000000000", "0xfffff12345600000"):
            with self.subTest(base=base):
                status, console, _ = start(IMAGE, f"image_base={base} command=memmap")
                self.assertEqual(status, 0)
                self.assertIn(f"image     {base}", console)

    def test_a_place_that_cannot_be_is_refused(self):
        reason = "image_base must be a multiple of 0x200000 from 0xffffe00000000000 on: "
        for base, error in (("0x200000", "out_of_range"),
                            ("0xffffffff80001000", "invalid_argument"),
                            ("here", "invalid_argument"),
                            ("0xffffffffffe00000", "out_of_range"),
                            ("0x1ffffffff80000000", "out_of_range")):
            with self.subTest(base=base):
                self.assert_refused(start(IMAGE, f"image_base={base}"), reason + error)

    def test_an_old_processor_is_refused(self):
        reason = "the processor has no long mode or no no-execute pages"
        self.assert_refused(start(IMAGE, "", "-cpu", "qemu64,-nx"), reason)
        self.assert_refused(start(IMAGE, "", "-cpu", "qemu32"), reason)

    def test_too_little_memory_is_refused(self):
        outcome = start(IMAGE, "command=version", "-m", "1500K")
        self.assert_refused(outcome, "there is not enough memory")

    def test_an_exhausted_stack_is_a_readable_double_fault(self):
        status, console, _ = start(IMAGE, "command='fault stack'")
        self.assertEqual(status, PANIC)
        self.assertIn("#DF double fault (the stack is exhausted)", console)
        self.assertIn("registers:", console)

    def test_firmware_switches_the_machine_off_and_starts_it_anew(self):
        # Without a keyboard controller a reset is the register's, or a triple fault, which is logged.
        for machine in ("q35,i8042=off", "microvm,isa-serial=on"):
            for command in ("halt", "reset"):
                with self.subTest(machine=machine, command=command):
                    status, log = start_without_exit_device(machine, command)
                    self.assertEqual(status, 0)
                    self.assertNotIn("Triple fault", log)

    def test_a_kernel_that_sleeps_hears_what_is_typed(self):
        for machine, options in (("q35", ()), ("microvm,isa-serial=on", ()), ("q35", ("-smp", "3"))):
            with self.subTest(machine=machine, options=options):
                status, said = talk(machine, ["version"] * 10 + ["halt 5"], *options)
                self.assertEqual(status, 5)
                self.assertEqual(said.count("Twofold "), 10)

    def test_every_processor_starts_wherever_the_image_lies(self):
        for machine in ("q35", "microvm,isa-serial=on"):
            for base in ("0xffffffff80000000", "0xffffe00000000000"):
                with self.subTest(machine=machine, base=base):
                    status, said = talk(machine, ["log", "halt"], "-smp", "8", "-append", f"image_base={base}")
                    self.assertEqual(status, 0)
                    self.assertIn("8 of 8 processors run", said)

    def test_a_machine_without_a_clock_lives_without(self):
        status, console, _ = start(IMAGE, "command=log", "-smp", "2", "-m", "16M")
        self.assertEqual(status, 0)
        self.assertIn("the kernel lives without time: the clocks are not_supported", console)
        self.assertIn("1 processors are not started: there is no time", console)

    def test_a_panic_shows_the_edges(self):
        status, console, _ = start(IMAGE, "command='fault read'")
        self.assertEqual(status, PANIC)
        self.assertRegex(console, r"last edges \(1 in all\):\r?\n  tick \d+  fault refused  core/")


unittest.main(verbosity=2)
