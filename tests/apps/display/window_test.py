"""The window of a hosted machine's display, on a display of its own (Xvfb): what the X server shows is what was
presented, keys and the mouse arrive, closing is told, nothing is done while nothing happens, and no program outlives
the other wrongly.

    window_test.py SUBJECT WINDOW [unittest's arguments]

SUBJECT plays the machine's program (window_subject.cpp).
"""

import ctypes
import os
import pathlib
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
import unittest

SUBJECT = WINDOW = pathlib.Path()
PATIENCE_S = 30
NEEDED = ("Xvfb", "xdotool", "xwd")
WIDTH, HEIGHT = 320, 200


def wait_until(condition, what: str):
    """Waits for `condition()` to be true and returns what it is."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"never happened: {what}")
        select.select([], [], [], 0.02)
    return value


def painted(seed: int, width: int, height: int) -> list[int]:
    """The pixels of the subject's `paint`."""
    return [(i * 0x9E3779 + seed) & 0xFFFFFF for i in range(width * height)]


class Screen:
    """An X server without a window manager."""

    def __init__(self) -> None:
        ours, theirs = os.pipe()
        self.server = subprocess.Popen(
            # Else the server starts over when its last client goes, and refuses the next meanwhile.
            ["Xvfb", "-noreset", "-displayfd", str(theirs), "-screen", "0", "800x600x24", "-nolisten", "tcp"],
            pass_fds=[theirs], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs)
        with os.fdopen(ours) as numbers:
            self.name = ":" + numbers.readline().strip()
        self.environment = {**os.environ, "DISPLAY": self.name, "SDL_VIDEODRIVER": "x11"}

    def close(self) -> None:
        self.server.terminate()
        self.server.wait(PATIENCE_S)

    def xdotool(self, *words: str) -> str:
        done = subprocess.run(
            ["xdotool", *words], env=self.environment, text=True, check=False, timeout=PATIENCE_S,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        return done.stdout.strip()

    def window(self) -> str:
        search = ("search", "--onlyvisible", "--name", "^Twofold")
        return wait_until(lambda: self.xdotool(*search).split("\n")[0], "a window")

    def pixels(self, window: str, width: int, height: int) -> list[int] | None:
        """What the server shows of the window, which has that size, or nothing."""
        dump = subprocess.run(
            ["xwd", "-silent", "-id", window], env=self.environment, check=False, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=PATIENCE_S,
        ).stdout  # fmt: skip
        if len(dump) < 100:
            return None
        header = struct.unpack(">25I", dump[:100])
        order = "<" if header[7] == 0 else ">"
        depth, wide, high, line_bytes, colours = header[11], header[4], header[5], header[12], header[19]
        if (wide, high) != (width, height) or depth != 32:
            return None
        start = header[0] + 12 * colours
        words: list[int] = []
        for row in range(high):
            begin = start + row * line_bytes
            words += (word & 0xFFFFFF for word in struct.unpack(f"{order}{wide}I", dump[begin : begin + 4 * wide]))
        return words

    def ask_to_close(self, window: str) -> None:
        """What a window manager does when somebody clicks on the cross (ICCCM, section 4.2.8.1)."""
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        x11.XInternAtom.restype = ctypes.c_ulong
        display = ctypes.c_void_p(x11.XOpenDisplay(self.name.encode()))
        atom = [x11.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")]
        event = struct.pack("@iLiPLLi5l", 33, 0, 1, display.value, int(window), atom[0], 32, atom[1], 0, 0, 0, 0)
        x11.XSendEvent(display, ctypes.c_ulong(int(window)), 0, ctypes.c_long(0), event.ljust(192, b"\0"))
        x11.XFlush(display)
        x11.XCloseDisplay(display)


class Machine:
    """The subject, and what it has printed."""

    def __init__(self, environment: dict[str, str], window: pathlib.Path | None = None) -> None:
        self.process = subprocess.Popen(
            [str(SUBJECT), str(window or WINDOW)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            bufsize=0,
        )  # fmt: skip
        self.lines: list[str] = []
        self.rest = b""

    def read(self, wait_s: float = 0.0) -> None:
        while select.select([self.process.stdout], [], [], wait_s)[0]:
            text = os.read(self.process.stdout.fileno(), 65536)
            if not text:
                return
            *whole, self.rest = (self.rest + text).split(b"\n")
            self.lines += (line.decode() for line in whole)

    def has(self, line: str) -> bool:
        self.read()
        return line in self.lines

    def expect(self, line: str) -> None:
        wait_until(lambda: self.has(line), f"{line!r}; there was {self.lines}")

    def tell(self, line: str) -> None:
        before = self.lines.count("done")
        self.process.stdin.write(line.encode() + b"\n")
        wait_until(lambda: self.has("done") and self.lines.count("done") > before, f"an answer to {line!r}")

    def window_process(self) -> int:
        """The window program, its child."""
        found = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii").split()
        return int(found[0]) if found else 0

    def close(self) -> int:
        self.process.stdin.close()
        status = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        return status


def is_gone(process: int) -> bool:
    """Whether it has ended; waiting for its parent to notice is ended, too."""
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class WindowTest(unittest.TestCase):
    """What every test needs."""

    def setUp(self) -> None:
        self.screen = Screen()
        self.addCleanup(self.screen.close)
        self.machine = Machine(self.screen.environment)
        self.addCleanup(self.end)
        self.machine.expect("open")
        self.window = self.screen.window()

    def end(self) -> None:
        if self.machine.process.poll() is None:
            self.machine.close()

    def expect_pixels(self, pixels: list[int], width: int = WIDTH, height: int = HEIGHT) -> None:
        wait_until(lambda: self.screen.pixels(self.window, width, height) == pixels, "the frame")


class Frames(WindowTest):
    """What is presented is seen, pixel by pixel."""

    def test_a_frame_and_parts_of_it(self) -> None:
        self.machine.tell("paint 5")
        pixels = painted(5, WIDTH, HEIGHT)
        self.expect_pixels(pixels)
        self.machine.tell("fill 300 190 20 10 ff8000")
        self.machine.tell("fill 0 0 1 1 0000ff")
        for y in range(190, 200):
            pixels[y * WIDTH + 300 : (y + 1) * WIDTH] = [0xFF8000] * 20
        pixels[0] = 0x0000FF
        self.expect_pixels(pixels)

    def test_another_size(self) -> None:
        self.machine.tell("size 401 123")
        self.machine.tell("paint 9")
        self.expect_pixels(painted(9, 401, 123), 401, 123)
        self.assertNotIn("resized 401 123", self.machine.lines, "nobody but the machine has")

    def test_no_frame_is_lost_among_many(self) -> None:
        for seed in range(200):
            self.machine.tell(f"paint {seed}")
        self.expect_pixels(painted(199, WIDTH, HEIGHT))

    def test_a_window_that_stands_still_holds_nobody_up(self) -> None:
        process = self.machine.window_process()
        os.kill(process, signal.SIGSTOP)
        for seed in range(20):
            self.machine.tell(f"paint {seed}")
        os.kill(process, signal.SIGCONT)
        self.expect_pixels(painted(19, WIDTH, HEIGHT))


class Events(WindowTest):
    """What the person does arrives."""

    def setUp(self) -> None:
        super().setUp()
        self.machine.tell("paint 1")
        self.expect_pixels(painted(1, WIDTH, HEIGHT))
        self.screen.xdotool("windowfocus", "--sync", self.window)
        self.screen.xdotool("mousemove", "--window", self.window, "100", "100")
        self.settle()

    def settle(self) -> None:
        """Waits until all that was done so far has arrived: things keep their order."""
        self.screen.xdotool("key", "Escape")
        self.machine.expect("key 0x29 up")
        self.machine.lines.clear()

    def test_keys_are_usages(self) -> None:
        self.screen.xdotool("key", "a")
        self.machine.expect("key 0x04 down")
        self.machine.expect("key 0x04 up")
        self.screen.xdotool("key", "shift+Return")
        for line in ("key 0xe1 down", "key 0x28 down", "key 0x28 up", "key 0xe1 up"):
            self.machine.expect(line)
        self.screen.xdotool("key", "F12", "Right", "KP_Enter")
        for usage in ("0x45", "0x4f", "0x58"):
            self.machine.expect(f"key {usage} up")
        down = [line for line in self.machine.lines if line.endswith("down")]
        self.assertEqual(len(down), 6, down)

    def test_keys_that_are_held_are_let_go_with_the_window(self) -> None:
        self.screen.xdotool("keydown", "b")
        self.machine.expect("key 0x05 down")
        select.select([], [], [], 1.0)  # the server repeats meanwhile, and that is not told
        self.screen.xdotool("windowunmap", self.window)
        self.machine.expect("key 0x05 up")
        self.assertEqual(self.machine.lines.count("key 0x05 down"), 1)
        self.screen.xdotool("keyup", "b")

    def test_the_mouse(self) -> None:
        self.screen.xdotool("mousemove_relative", "--", "7", "-3")
        self.machine.expect("mouse 7 -3 0 0")
        self.screen.xdotool("click", "1")
        self.machine.expect("mouse 0 0 0 1")
        self.machine.expect("mouse 0 0 0 0")
        self.screen.xdotool("click", "3")
        self.machine.expect("mouse 0 0 0 2")
        self.screen.xdotool("click", "2")
        self.machine.expect("mouse 0 0 0 4")
        self.screen.xdotool("click", "4")
        self.machine.expect("mouse 0 0 1 0")
        self.screen.xdotool("click", "5")
        self.machine.expect("mouse 0 0 -1 0")

    def test_a_click_catches_the_mouse_and_a_key_lets_it_go(self) -> None:
        self.screen.xdotool("click", "1")
        self.machine.expect("mouse 0 0 0 1")
        wait_until(lambda: "releases" in self.screen.xdotool("getwindowname", self.window), "the title")
        self.screen.xdotool("key", "ctrl+alt+g")
        wait_until(lambda: self.screen.xdotool("getwindowname", self.window) == "Twofold", "the title")
        self.machine.read(0.2)
        self.assertNotIn("key 0x0a down", self.machine.lines, "that key is the window's own")

    def test_a_size_is_told(self) -> None:
        self.screen.xdotool("windowsize", self.window, "500", "300")
        self.machine.expect("resized 500 300")


class Ends(WindowTest):
    """How the window and the machine end."""

    def test_the_cross(self) -> None:
        process = self.machine.window_process()
        self.screen.ask_to_close(self.window)
        self.machine.expect("closed")
        wait_until(lambda: is_gone(process), "the end of the window")
        self.assertNotIn("lost", self.machine.lines)
        self.machine.tell("paint 3")  # goes nowhere
        self.assertEqual(self.machine.close(), 0)

    def test_a_window_that_dies_leaves_the_machine(self) -> None:
        os.kill(self.machine.window_process(), signal.SIGKILL)
        self.machine.expect("lost")
        self.machine.tell("paint 3")
        self.machine.tell("size 10 10")
        self.assertEqual(self.machine.close(), 0)

    def test_a_machine_that_ends_takes_its_window(self) -> None:
        process = self.machine.window_process()
        self.assertEqual(self.machine.close(), 0)
        wait_until(lambda: is_gone(process), "the end of the window")

    def test_a_machine_that_crashes_takes_its_window(self) -> None:
        process = self.machine.window_process()
        self.machine.process.stdin.write(b"die\n")
        self.assertEqual(self.machine.process.wait(PATIENCE_S), 3)
        wait_until(lambda: is_gone(process), "the end of the window")
        self.machine.close()


class Rest(WindowTest):
    """Nothing is done while nothing happens."""

    def test_nobody_computes(self) -> None:
        self.machine.tell("paint 1")
        self.expect_pixels(painted(1, WIDTH, HEIGHT))
        processes = (self.machine.process.pid, self.machine.window_process())
        before = [self.ticks(process) for process in processes]
        select.select([], [], [], 3.0)
        used = [self.ticks(process) - was for process, was in zip(processes, before, strict=True)]
        self.assertLessEqual(max(used), 3, f"of 300 ticks in 3 s, by the machine's program and the window: {used}")

    @staticmethod
    def ticks(process: int) -> int:
        """Its time so far, in hundredths of a second."""
        words = pathlib.Path(f"/proc/{process}/stat").read_text("ascii").rsplit(")", 1)[1].split()
        return int(words[11]) + int(words[12])


class Without(unittest.TestCase):
    """Why there is no window, in words."""

    def refused(self, window: pathlib.Path, **changes: str) -> str:
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")}  # fmt: skip
        machine = Machine({**environment, **changes}, window)
        wait_until(lambda: machine.process.poll() is not None, "an end")
        machine.read()
        self.assertEqual(machine.close(), 1)
        self.assertEqual(len(machine.lines), 1, machine.lines)
        return machine.lines[0]

    def test_no_program(self) -> None:
        self.assertEqual(self.refused(pathlib.Path("/no/such/program")), "no window: twofold-window has ended at once")
        self.assertEqual(self.refused(pathlib.Path("/bin/true")), "no window: twofold-window has ended at once")

    def test_no_display(self) -> None:
        self.assertRegex(self.refused(WINDOW, SDL_VIDEODRIVER="x11"), "^no window: .+")
        self.assertRegex(self.refused(WINDOW), "^no window: .+")

    def test_started_by_hand(self) -> None:
        done = subprocess.run([str(WINDOW)], check=False, text=True, stderr=subprocess.PIPE, timeout=PATIENCE_S)
        self.assertEqual(done.returncode, 64)
        self.assertEqual(
            done.stderr,
            "twofold-window: this is the window of a machine, which starts it: ./twofold run --display sdl\n",
        )


if __name__ == "__main__":
    SUBJECT, WINDOW = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing:
        print(f"skipped: there is no {', '.join(missing)}")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
