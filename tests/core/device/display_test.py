#!/usr/bin/env python3
"""Shows a pattern on QEMU's displays and compares what they show, pixel by pixel and cell by cell.

    display_test.py IMAGE.elf MAKE-ISO

The image runs in the emulator with its console on a pipe; pictures come from the emulator's monitor. The window is
resized by a client of the emulator's VNC server, as a person's would.
"""
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import cells

IMAGE = sys.argv.pop(1)
MAKE_ISO = sys.argv.pop(1)
LIMIT_SECONDS = 90

BARS = [0xFFFFFF, 0xFFFF00, 0x00FFFF, 0x00FF00, 0xFF00FF, 0xFF0000, 0x0000FF, 0x000000]


def pattern(width, height):
    """What `display test` draws and presents: rows of pixels (core/boot/display_commands.cpp)."""
    rows = [[(x // 8 * 3 & 255) << 16 | (y // 8 * 5 & 255) << 8 | (x // 8 ^ y // 8) & 255 for x in range(width)]
            for y in range(height)]
    bars = [0] * width
    for bar, colour in enumerate(BARS):
        left, right = width * bar // 8, width * (bar + 1) // 8
        bars[left:right] = [colour] * (right - left)
    for y in range(height // 2):
        rows[y] = list(bars)
    corner = [row[:64] for row in rows[:32]]
    for y, row in enumerate(corner):
        rows[height - 32 + y][width - 64:] = row
    for y in range(21, 21 + 67):
        rows[y][37:37 + 101] = [0x123456] * 101
    return rows


def read_picture(path):
    """A PPM file as rows of pixels. The emulator fills its rows up to multiples of four bytes."""
    data = pathlib.Path(path).read_bytes()
    magic, size, most, pixels = data.split(b"\n", 3)
    assert (magic, most) == (b"P6", b"255"), data[:20]
    width, height = map(int, size.split())
    stride = len(pixels) // height
    assert stride in (3 * width, (3 * width + 3) // 4 * 4), (width, height, len(pixels))
    rows = [pixels[y * stride:y * stride + 3 * width] for y in range(height)]
    return [[red << 16 | green << 8 | blue for red, green, blue in zip(row[::3], row[1::3], row[2::3])] for row in rows]


class Machine:
    """An emulator whose kernel reads commands from its console."""

    def __init__(self, folder, *options):
        self.folder = pathlib.Path(folder)
        path = str(self.folder / "monitor")
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-cpu", "max", "-m", "128M",
                   "-serial", "stdio", "-qmp", f"unix:{path},server=on,wait=off",
                   *([] if "-no-shutdown" in options else ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]), *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace")
        self.watch = threading.Timer(LIMIT_SECONDS, self.process.kill)
        self.watch.start()
        self.monitor = None
        self.seen = ""
        self.wait_for("ready")
        self.monitor = socket.socket(socket.AF_UNIX)
        self.monitor.settimeout(LIMIT_SECONDS)
        self.monitor.connect(path)
        self.answers = self.monitor.makefile("r")
        self.answers.readline()
        self.ask("qmp_capabilities")

    def wait_for(self, text):
        """The next line of the console with `text`."""
        for line in self.process.stdout:
            self.seen += line
            if text in line:
                return line
        raise AssertionError(f"the console ended without '{text}':\n{self.seen}")

    def send(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def run(self, command, expected):
        """Sends a command whose first line is to hold `expected`."""
        self.send(command)
        line = self.wait_for("")
        assert expected in line, f"{command}: {line.strip()}"
        return line

    def ask(self, command, **arguments):
        self.monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = json.loads(self.answers.readline())
            if "error" in answer:
                raise AssertionError(answer)
            if "return" in answer:
                return answer["return"]

    def picture(self):
        path = self.folder / "picture.ppm"
        self.ask("screendump", filename=str(path))
        return read_picture(path)

    def memory(self, address, size):
        path = self.folder / "memory.bin"
        self.ask("pmemsave", val=address, size=size, filename=str(path))
        return path.read_bytes()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.watch.cancel()
        if self.monitor:
            self.answers.close()
            self.monitor.close()
        self.process.stdin.close()
        self.process.stdout.close()


class Viewer:
    """As much of a VNC client as it takes to resize the screen (RFC 6143; the extension ExtendedDesktopSize)."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT_SECONDS)
        self.socket.connect(path)
        self.take(12)
        self.socket.sendall(b"RFB 003.008\n")
        kinds = self.take(self.take(1)[0])
        assert 1 in kinds, kinds
        self.socket.sendall(b"\x01")
        assert self.take(4) == b"\0\0\0\0"
        self.socket.sendall(b"\x01")
        header = self.take(24)
        self.take(struct.unpack(">I", header[20:24])[0])
        self.socket.sendall(struct.pack(">BxHii", 2, 2, 0, -308))  # raw pixels, ExtendedDesktopSize

    def take(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            assert piece, "the server has gone"
            data += piece
        return data

    def resize(self, width, height):
        screen = struct.pack(">IHHHHI", 0, 0, 0, width, height, 0)
        self.socket.sendall(struct.pack(">BxHHBx", 251, width, height, 1) + screen)

    def close(self):
        self.socket.close()


class MachineTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start(self, *options, kernel=True, use="off"):
        more = ["-kernel", IMAGE, "-append", f"console=pipe display={use} nonce=ready"] if kernel else []
        screen = [] if "-vnc" in options else ["-display", "none"]
        machine = Machine(self.folder, *more, *screen, *options)
        self.addCleanup(machine.close)
        return machine


class Displays(MachineTest):
    def assert_pattern(self, picture, width, height):
        self.assertEqual((len(picture[0]), len(picture)), (width, height))
        expected = pattern(width, height)
        for y, (row, wanted) in enumerate(zip(picture, expected)):
            if row != wanted:
                x = next(x for x in range(width) if row[x] != wanted[x])
                self.fail(f"pixel {x}, {y}: {row[x]:06x}, expected {wanted[x]:06x}")

    def show(self, machine, name, width, height):
        machine.run("display test", f"the pattern is on {name}, {width} x {height}")
        self.assert_pattern(machine.picture(), width, height)

    def test_virtio_gpu_by_pci(self):
        machine = self.start("-machine", "q35", "-vga", "none", "-device", "virtio-gpu-pci")
        self.show(machine, "virtio-gpu", 1280, 800)
        machine.send("display")
        self.assertRegex(machine.wait_for("virtio-gpu"), r"virtio-gpu +1280 +800 +2 +1030767 +0")

    def test_virtio_gpu_with_one_vector(self):
        machine = self.start("-machine", "q35", "-vga", "none", "-device", "virtio-gpu-pci,vectors=1")
        self.show(machine, "virtio-gpu", 1280, 800)

    def test_virtio_gpu_in_memory(self):
        machine = self.start("-machine", "microvm,isa-serial=on", "-global", "virtio-mmio.force-legacy=false",
                             "-device", "virtio-gpu-device,xres=800,yres=600")
        self.show(machine, "virtio-gpu", 800, 600)

    def test_a_legacy_device_is_refused(self):
        machine = self.start("-machine", "microvm,isa-serial=on", "-device", "virtio-gpu-device")
        machine.run("display test", "display: there is none: not_found")
        machine.send("log")
        machine.wait_for("the virtio-gpu in memory is not used: not_supported")

    def test_odd_sizes(self):
        machine = self.start("-machine", "q35", "-vga", "none", "-device", "virtio-gpu-pci,xres=1366,yres=769")
        self.show(machine, "virtio-gpu", 1366, 769)

    def test_another_window(self):
        path = os.path.join(self.folder, "vnc")
        machine = self.start("-machine", "q35", "-vga", "none", "-device", "virtio-gpu-pci", "-vnc", f"unix:{path}")
        self.show(machine, "virtio-gpu", 1280, 800)
        viewer = Viewer(path)
        self.addCleanup(viewer.close)
        for width, height in ((1000, 700), (1920, 1080), (640, 480)):
            machine.send("display follow 60000")
            viewer.resize(width, height)
            machine.wait_for(f"the pattern is on virtio-gpu, {width} x {height}")
            self.assert_pattern(machine.picture(), width, height)

    def test_framebuffer(self):
        iso = os.path.join(self.folder, "disc.iso")
        subprocess.run([MAKE_ISO, IMAGE, iso], check=True, stdout=subprocess.DEVNULL)
        machine = self.start("-machine", "q35", "-vga", "std", "-cdrom", iso, "-boot", "order=d", "-fw_cfg",
                             "name=opt/org.twofold/cmdline,string=console=pipe display=off nonce=ready", kernel=False)
        line = machine.run("display test", "the pattern is on framebuffer")
        width, height = (int(word) for word in line.split() if word.isdigit())
        self.assert_pattern(machine.picture(), width, height)

    def test_no_display(self):
        machine = self.start("-machine", "q35", "-vga", "none")
        machine.run("display test", "display: there is none: not_found")
        machine.run("display text", "display: there is no text screen: not_found")
        machine.run("display what", "'what' is no WHAT; one of: info test follow text")
        machine.run("display follow 600001", "display: at most 600000 ms are waited")


class Panics(MachineTest):
    """What a screen shows of a panic, as the console has it. The machine stays where it has powered off, or halted."""

    def start_dying(self, *options, **keywords):
        return self.start("-no-shutdown", *options, use="on", **keywords)

    def learn(self, machine):
        machine.send(cells.SHOW_ALPHABET)
        end = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < end:
            picture = machine.picture()
            if cells.shows_alphabet(picture):  # it may be taken while that is drawn
                return cells.learn(picture)
            time.sleep(0.1)
        raise AssertionError("the screen does not show what was typed")

    def report(self, machine, command):
        """The console's text of a panic, to its last line."""
        machine.send(command)
        machine.wait_for("KERNEL PANIC")
        machine.wait_for("reproduce: ")
        return machine.seen

    def wait_until_shown(self, machine, glyphs, expected):
        end = time.monotonic() + LIMIT_SECONDS
        while True:
            seen = cells.read(machine.picture(), glyphs)
            if seen == expected or time.monotonic() > end:
                self.assertEqual(seen, expected)
                return
            time.sleep(0.2)

    def expect_report(self, machine, command):
        glyphs = self.learn(machine)
        picture = machine.picture()
        columns, rows = len(picture[0]) // cells.WIDTH, len(picture) // cells.HEIGHT
        said = self.report(machine, command)
        self.wait_until_shown(machine, glyphs, cells.report_rows(said, columns, rows))

    def test_virtio_gpu(self):
        machine = self.start_dying("-machine", "q35", "-vga", "none", "-device", "virtio-gpu-pci,xres=800,yres=600")
        self.expect_report(machine, "fault write")

    def test_virtio_gpu_with_four_processors(self):
        machine = self.start_dying("-machine", "q35", "-smp", "4", "-vga", "none", "-device",
                                   "virtio-gpu-pci,xres=800,yres=600")
        self.expect_report(machine, "panic 'of all things'")

    def test_virtio_gpu_in_memory(self):
        machine = self.start_dying("-machine", "microvm,isa-serial=on", "-global", "virtio-mmio.force-legacy=false",
                                   "-device", "virtio-gpu-device,xres=800,yres=600")
        self.expect_report(machine, "fault write")

    def test_framebuffer(self):
        iso = os.path.join(self.folder, "disc.iso")
        subprocess.run([MAKE_ISO, IMAGE, iso], check=True, stdout=subprocess.DEVNULL)
        machine = self.start_dying("-machine", "q35", "-vga", "std", "-cdrom", iso, "-boot", "order=d", "-fw_cfg",
                                   "name=opt/org.twofold/cmdline,string=console=pipe nonce=ready", kernel=False)
        self.expect_report(machine, "fault write")

    def test_text_screen(self):
        machine = self.start_dying("-machine", "q35", "-vga", "std")
        expected = cells.report_rows(self.report(machine, "fault write"), 80, 25)
        end = time.monotonic() + LIMIT_SECONDS
        seen = None
        while seen != expected and time.monotonic() < end:
            data = machine.memory(0xB8000, 80 * 25 * 2)
            seen = [data[row * 160:row * 160 + 160:2].decode("cp437").rstrip() for row in range(25)]
        self.assertEqual(seen, expected)


class Themes(MachineTest):
    """The command `theme`, on a picture and on a text screen."""

    def wait_for_value(self, look, wanted):
        end = time.monotonic() + LIMIT_SECONDS
        while look() != wanted and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(look(), wanted)

    def test_virtio_gpu(self):
        machine = self.start("-machine", "q35", "-vga", "none", "-device", "virtio-gpu-pci,xres=320,yres=200", use="on")
        machine.send("theme light")
        self.wait_for_value(lambda: machine.picture()[-1][-1], 0xFBFBF8)

    def test_text_screen(self):
        machine = self.start("-machine", "q35", "-vga", "std", use="on")
        last = 0xB8000 + (25 * 80 - 1) * 2
        machine.send("echo drawn")
        self.wait_for_value(lambda: bytes(machine.memory(0xB8000, 2)), b"d\x07")
        self.assertEqual(machine.memory(last, 2), b" \x07")
        machine.send("theme light")  # of which the ground is nearest to light grey
        self.wait_for_value(lambda: machine.memory(last, 2)[1] >> 4, 7)

    def test_without_a_screen(self):
        machine = self.start("-machine", "q35", "-vga", "none", use="on")
        machine.run("theme light", "theme: there is no screen")


class TextScreen(MachineTest):
    """The colours are the nearest of the sixteen to those of the theme `dark`."""

    def row(self, machine, row):
        data = machine.memory(0xB8000 + row * 160, 160)
        return list(struct.unpack("<80H", data))

    def test_text(self):
        machine = self.start("-machine", "q35", "-vga", "std")
        machine.run("display text", "the pattern is on the text screen, 80 x 25")

        first = self.row(machine, 0)
        words = first[:5], first[6:10], first[11:18], first[19:23], first[23:31]
        self.assertEqual([bytes(cell & 255 for cell in word).decode("cp437") for word in words],
                         ["plain", "bold", "inverse", "red ", "on green"])
        self.assertEqual([word[0] >> 8 for word in words], [0x07, 0x0F, 0x70, 0x0C, 0x7C])
        second = self.row(machine, 1)
        self.assertEqual(bytes(cell & 255 for cell in second[:16]).decode("cp437"), "╔═╗ é Ω \x01 ?  ?  ")
        self.assertEqual(self.row(machine, 24)[79] & 255, ord("x"))


if __name__ == "__main__":
    unittest.main()
