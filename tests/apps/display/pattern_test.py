"""The kernel's own driver draws its pattern (`display test`), and what arrives is that pattern, pixel by pixel: in the
files of the live machine, of the simulated one and of the emulator, and in a window, also when its size changes.

    pattern_test.py HOST SIMULATOR|- LAUNCHER|- WINDOW|- [unittest's arguments]

Skipped where the kernel has no such command.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import window_test  # noqa: E402  (the folder has just been named)
from window_test import PATIENCE_S, Screen, wait_until  # noqa: E402

HOST = pathlib.Path()
SIMULATOR: pathlib.Path | None = None
LAUNCHER: pathlib.Path | None = None
WINDOW: pathlib.Path | None = None
SKIPPED = 77
BARS = (0xFFFFFF, 0xFFFF00, 0x00FFFF, 0x00FF00, 0xFF00FF, 0xFF0000, 0x0000FF, 0x000000)


def pattern(width: int, height: int) -> list[int]:
    """What `display test` draws and presents (core/boot/display_commands.cpp)."""
    rows = [
        [(x // 8 * 3 & 255) << 16 | (y // 8 * 5 & 255) << 8 | (x // 8 ^ y // 8) & 255 for x in range(width)]
        for y in range(height)
    ]
    bars: list[int] = []
    for bar, colour in enumerate(BARS):
        bars += [colour] * (width * (bar + 1) // 8 - width * bar // 8)
    rows[: height // 2] = [list(bars) for _ in range(height // 2)]
    for y, row in enumerate([row[:64] for row in rows[:32]]):
        rows[height - 32 + y][width - 64 :] = row
    for y in range(21, 21 + 67):
        rows[y][37 : 37 + 101] = [0x123456] * 101
    return [pixel for row in rows for pixel in row]


def paeth(left: int, above: int, corner: int) -> int:
    """The predictor of PNG's filter 4 (ISO/IEC 15948, section 9.4)."""
    guess = left + above - corner
    return min((left, above, corner), key=lambda near: abs(guess - near))


def read_png(path: pathlib.Path) -> tuple[int, int, list[int]]:
    """Width, height and pixels of a file with 8 bits for each of red, green and blue."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    assert data[24:29] == bytes((8, 2, 0, 0, 0)), data[24:29]
    at, packed = 8, b""
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        packed += data[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    raw, line_bytes = zlib.decompress(packed), 3 * width
    before, pixels = bytearray(line_bytes), []
    for y in range(height):
        start = y * (line_bytes + 1)
        line = bytearray(raw[start + 1 : start + 1 + line_bytes])
        kind = raw[start]
        for i in range(line_bytes if kind else 0):
            left, above = line[i - 3] if i >= 3 else 0, before[i]
            corner = before[i - 3] if i >= 3 else 0
            line[i] = line[i] + (0, left, above, (left + above) // 2, paeth(left, above, corner))[kind] & 255
        pixels += [r << 16 | g << 8 | b for r, g, b in zip(line[::3], line[1::3], line[2::3], strict=True)]
        before = line
    return width, height, pixels


Picture = tuple[int, int, list[int]]


class Files(unittest.TestCase):
    """The last frame of each machine."""

    def frame(self, program: pathlib.Path | None, *options: str, size: str = "") -> tuple[Picture, str]:
        if program is None:
            self.skipTest("there is no such machine in this build")
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "frame.png"
            done = subprocess.run(
                [
                    str(program), "--display", f"png:{file}{size}", "--append", "display=off", "--command",
                    "display test", *options,
                ],
                text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                timeout=PATIENCE_S * 3, check=False,
            )  # fmt: skip
            self.assertEqual(done.returncode, 0, f"{done.stdout}\n{done.stderr}")
            return read_png(file), done.stderr

    def expect(self, program: pathlib.Path | None, *options: str) -> None:
        (width, height, pixels), _ = self.frame(program, *options, size=",size=640x480")
        self.assertEqual((width, height), (640, 480))
        self.assertTrue(pixels == pattern(width, height), "another picture")

    def test_live(self) -> None:
        self.expect(HOST)
        self.expect(HOST, "--cpus", "2")

    def test_simulated(self) -> None:
        self.expect(SIMULATOR)
        self.expect(SIMULATOR, "--cpus", "3", "--seed", "5")

    def test_a_simulation_is_the_same_each_time(self) -> None:
        runs = [self.frame(SIMULATOR, "--seed", "9", size=",size=200x150") for _ in range(2)]
        self.assertEqual(runs[0], runs[1])
        self.assertRegex(runs[0][1], "hash [0-9a-f]{16}")

    def test_emulated(self) -> None:
        (width, height, pixels), _ = self.frame(LAUNCHER, "--timeout", "60")
        self.assertTrue(pixels == pattern(width, height), "another picture")


class Windows(unittest.TestCase):
    """A window, and the size that a person gives it."""

    def test_a_window_and_another_size(self) -> None:
        missing = [name for name in window_test.NEEDED if shutil.which(name) is None]
        if WINDOW is None or missing:
            self.skipTest(f"there is no window program, or no {', '.join(missing)}")
        screen = Screen()
        self.addCleanup(screen.close)
        machine = subprocess.Popen(
            [str(HOST), "--display", "sdl,size=400x300", "--append", "display=off"],
            env=screen.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        self.addCleanup(machine.wait)
        self.addCleanup(machine.stdout.close)
        self.addCleanup(machine.stdin.close)
        self.addCleanup(machine.kill)
        window = screen.window()
        machine.stdin.write(b"display test\n")
        first = pattern(400, 300)
        wait_until(lambda: screen.pixels(window, 400, 300) == first, "the pattern")
        machine.stdin.write(b"display follow 60000\n")
        screen.xdotool("windowsize", window, "333", "222")
        second = pattern(333, 222)
        wait_until(lambda: screen.pixels(window, 333, 222) == second, "the pattern in another size")
        screen.ask_to_close(window)
        self.assertEqual(machine.wait(PATIENCE_S), 0)


if __name__ == "__main__":
    HOST = pathlib.Path(sys.argv[1]).resolve()
    SIMULATOR, LAUNCHER, WINDOW = (
        None if text == "-" else pathlib.Path(text).resolve() for text in sys.argv[2:5]
    )
    known = subprocess.run([str(HOST), "--command", "help"], stdout=subprocess.PIPE, check=True, text=True).stdout
    if "\ndisplay " not in known:
        print("skipped: the kernel has no command `display`")
        sys.exit(SKIPPED)
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]])
