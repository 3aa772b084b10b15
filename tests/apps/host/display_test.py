"""The display of the hosted kernel's program: the file that it leaves, the window that ends it and that it survives.

    display_test.py PROGRAM SIMULATOR|- WINDOW|- [unittest's arguments]

Without a window program, or without an X server to be had (Xvfb, xdotool), the tests of windows are skipped.
"""

import os
import pathlib
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import unittest
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "display"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "core" / "device"))
import cells  # noqa: E402  (the folders have just been named)
import pattern_test  # noqa: E402
import window_test  # noqa: E402
from window_test import PATIENCE_S, Screen, is_gone, wait_until  # noqa: E402

PROGRAM = pathlib.Path()
SIMULATOR: pathlib.Path | None = None
WINDOW: pathlib.Path | None = None


def without_display() -> dict[str, str]:
    """An environment in which no window can be."""
    gone = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    return {name: value for name, value in os.environ.items() if name not in gone}


def run(program: pathlib.Path, *options: str, **keywords) -> subprocess.CompletedProcess[str]:
    keywords.setdefault("stdin", subprocess.DEVNULL)
    keywords.setdefault("env", without_display())
    return subprocess.run(
        [str(program), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        timeout=PATIENCE_S, check=False, **keywords,
    )  # fmt: skip


def read_png(path: pathlib.Path) -> tuple[int, int, bytes]:
    """Width, height and the bytes of all rows, unfiltered ones alone: what a black frame is made of."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    at, packed = 8, b""
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + size]
        assert zlib.crc32(kind + body) == int.from_bytes(data[at + 8 + size : at + 12 + size], "big"), kind
        packed += body if kind == b"IDAT" else b""
        at += size + 12
    return width, height, zlib.decompress(packed)


def read_picture(path: pathlib.Path) -> list[list[int]]:
    """The rows of any file's pixels."""
    width, height, pixels = pattern_test.read_png(path)
    return [pixels[y * width : (y + 1) * width] for y in range(height)]


class Files(unittest.TestCase):
    """--display png: and its mistakes."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_the_last_frame_is_a_file(self) -> None:
        for program in (PROGRAM, SIMULATOR):
            if program is None:
                continue
            file = self.folder / program.name / "frame.png"
            off = ["--append", "display=off"]
            done = run(program, "--display", f"png:{file},size=30x20", *off, "--command", "halt 5")
            self.assertEqual(done.returncode, 5, done.stderr)
            self.assertEqual(read_png(file), (30, 20, bytes(20 * (1 + 90))), "black: nobody has drawn")
            self.assertEqual(os.listdir(file.parent), ["frame.png"])

    def test_a_file_that_cannot_be(self) -> None:
        done = run(PROGRAM, "--display", f"png:{self.folder}", "--command", "version")
        self.assertEqual((done.returncode, done.stdout), (74, ""))
        self.assertEqual(
            done.stderr, f"twofold-host: --display: cannot write '{self.folder}': Is a directory\n"
        )

    def test_mistakes_are_refused(self) -> None:
        for text in ("window", "sdl,size=3", "png:"):
            done = run(PROGRAM, "--display", text, "--command", "version")
            self.assertEqual(done.returncode, 64, text)
            self.assertRegex(done.stderr, "^twofold-host: --display: .*\n$")

    def test_the_display_is_on_the_bus(self) -> None:
        seen = run(PROGRAM, "--display", "none", "--command", "lspci")
        self.assertEqual(seen.returncode, 0, seen.stderr)
        self.assertIn("1af4:1050", seen.stdout)
        self.assertNotIn("1af4", run(PROGRAM, "--command", "lspci").stdout, "only where it is asked for")

    def test_a_simulation_is_the_same_each_time(self) -> None:
        if SIMULATOR is None:
            self.skipTest("there is no simulator")
        said = {run(SIMULATOR, "--display", "none", "--command", "lspci").stderr for _ in range(2)}
        self.assertEqual(len(said), 1, said)


class Panics(unittest.TestCase):
    """The report of a panic is on the last frame, letter by letter as the console has it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name) / "frame.png"

    def frame(
        self, program: pathlib.Path, command: str, *options: str
    ) -> tuple[subprocess.CompletedProcess[str], list[list[int]]]:
        done = run(program, "--display", f"png:{self.file},size=640x400", *options, "--command", command)
        return done, read_picture(self.file)

    def expect_report(self, program: pathlib.Path, command: str, *options: str) -> list[str]:
        done, known = self.frame(program, cells.SHOW_ALPHABET, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        glyphs = cells.learn(known)
        done, picture = self.frame(program, command, *options)
        self.assertEqual(done.returncode, 70, done.stderr)
        seen = cells.read(picture, glyphs)
        self.assertEqual(seen, cells.report_rows(done.stdout, 80, 25))
        return seen

    def test_a_fault(self) -> None:
        for program in (PROGRAM, SIMULATOR):
            if program is not None:
                seen = self.expect_report(program, "echo before; fault write")
                self.assertRegex(seen[0], "^KERNEL PANIC: #PF page fault: write to a protected page at 0x")
                self.assertIn("stack:", seen)
                self.assertEqual(seen[-1], "reproduce: ./twofold run --command 'fault write'")

    def test_on_another_processor(self) -> None:
        for program in (PROGRAM, SIMULATOR):
            if program is not None:
                self.expect_report(program, "panic 'oh no'", "--cpus", "4")


class Themes(unittest.TestCase):
    """The command `theme`."""

    def test_it_draws_the_screen_anew(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "frame.png"
            display = ("--display", f"png:{file},size=320x80", "--append", "theme=contrast")
            for program in (PROGRAM, SIMULATOR):
                if program is None:
                    continue
                done = run(program, *display, "--command", "echo drawn; theme")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stdout, r"contrast +yes\ndark +no\nlight +no\n")
                before = read_picture(file)
                done = run(program, *display, "--command", "echo drawn; theme light; theme")
                self.assertRegex(done.stdout, r"contrast +no\ndark +no\nlight +yes\n")
                picture = read_picture(file)
                self.assertEqual(picture[-1][-1], 0xFBFBF8, "the theme's ground")
                self.assertNotEqual(before[-1][-1], picture[-1][-1])
                letter = [cells.shape(each, 0, 0) for each in (before, picture)]
                self.assertEqual(letter[0], letter[1], "the same letters in other colours")
                done = run(program, *display, "--command", "theme lihgt")
                self.assertEqual(done.returncode, 2)
                self.assertEqual(done.stdout, "theme: there is no theme 'lihgt'; did you mean 'light'? "
                                              "(there are: contrast, dark, light)\n")  # fmt: skip

    def test_without_a_screen(self) -> None:
        for command in ("theme", "theme light"):
            done = run(PROGRAM, "--command", command)
            self.assertEqual((done.returncode, done.stdout), (1, "theme: there is no screen\n"))


class NoWindow(unittest.TestCase):
    """A window that cannot be is a line, and the run goes on."""

    def test_no_display(self) -> None:
        done = run(PROGRAM, "--display", "sdl", "--command", "version; halt 4")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertRegex(done.stderr, "^twofold-host: no window: [^\n]+; running without one\n$")
        self.assertTrue(done.stdout.startswith("Twofold "))

    def test_no_program(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            alone = pathlib.Path(folder) / "bin" / "twofold-host"
            alone.parent.mkdir()
            shutil.copy(PROGRAM, alone)
            done = run(alone, "--display", "sdl", "--command", "halt 4", env={**without_display(), "PATH": folder})
        self.assertEqual(done.returncode, 4)
        self.assertEqual(
            done.stderr, "twofold-host: no window: there is no program twofold-window; running without one\n"
        )


class Windows(unittest.TestCase):
    """Windows of machines."""

    program: pathlib.Path | None = None

    def setUp(self) -> None:
        self.program = self.program or PROGRAM
        missing = [name for name in window_test.NEEDED if shutil.which(name) is None]
        if WINDOW is None or missing:
            self.skipTest(f"there is no window program, or no {', '.join(missing)}")
        self.screen = Screen()
        self.addCleanup(self.screen.close)

    def start(self, *options: str, **keywords) -> subprocess.Popen:
        keywords.setdefault("stdin", subprocess.PIPE)
        keywords.setdefault("stdout", subprocess.PIPE)
        process = subprocess.Popen(
            [str(self.program), "--display", "sdl,size=300x200", *options], env=self.screen.environment,
            stderr=subprocess.PIPE, **keywords,
        )  # fmt: skip
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                self.addCleanup(stream.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def child(self, process: subprocess.Popen) -> int:
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        return int(wait_until(lambda: children.read_text("ascii").split(), "a window program")[0])

    def expect_end_by_window(self, process: subprocess.Popen) -> None:
        self.screen.ask_to_close(self.screen.window())
        self.assertEqual(process.wait(PATIENCE_S), 0)
        self.assertEqual(process.stderr.read().decode().split("\n")[0],
                         f"{self.program.name}: ended by its window, which was closed")  # fmt: skip

    def test_closing_it_ends_a_kernel_that_waits(self) -> None:
        process = self.start()
        child = self.child(process)
        self.expect_end_by_window(process)
        wait_until(lambda: is_gone(child), "the end of the window")

    def test_closing_it_ends_a_kernel_that_works(self) -> None:
        process = self.start("--command", "beat 1000000000 1000")
        self.expect_end_by_window(process)

    def test_a_window_that_dies_is_a_line(self) -> None:
        process = self.start()
        self.screen.window()
        child = self.child(process)
        threads = pathlib.Path(f"/proc/{process.pid}/task")
        wait_until(lambda: len(os.listdir(threads)) > 1, "somebody who listens to the window")
        os.kill(child, signal.SIGKILL)
        line = process.stderr.readline().decode()
        self.assertEqual(line, f"{self.program.name}: the window has gone; the machine goes on without it\n")
        said, _ = process.communicate(b"version\nhalt 6\n", PATIENCE_S)
        self.assertTrue(said.startswith(b"Twofold "), said)
        self.assertEqual(process.returncode, 6)

    def test_a_machine_that_is_killed_takes_it(self) -> None:
        process = self.start()
        self.screen.window()
        child = self.child(process)
        process.kill()
        process.wait(PATIENCE_S)
        wait_until(lambda: is_gone(child), "the end of the window")

    def test_the_end_of_the_machine_is_the_windows(self) -> None:
        process = self.start()
        self.screen.window()
        child = self.child(process)
        process.communicate(b"halt 9\n", PATIENCE_S)
        self.assertEqual(process.returncode, 9)
        self.assertTrue(is_gone(child), "the program waits for it")

    def test_a_terminal_is_as_it_was(self) -> None:
        leader, follower = pty.openpty()
        self.addCleanup(os.close, leader)
        self.addCleanup(os.close, follower)
        before = termios.tcgetattr(follower)
        process = self.start(stdin=follower, stdout=follower)
        wait_until(lambda: termios.tcgetattr(follower) != before, "a raw terminal")
        self.expect_end_by_window(process)
        self.assertEqual(termios.tcgetattr(follower), before)

    def test_keys_and_sizes_harm_nobody(self) -> None:
        process = self.start()
        window = self.screen.window()
        self.screen.xdotool("windowfocus", "--sync", window)
        self.screen.xdotool("key", "a", "Return")
        self.screen.xdotool("windowsize", "--sync", window, "400", "220")
        process.communicate(b"lspci\nhalt 3\n", PATIENCE_S)
        self.assertEqual(process.returncode, 3)


class SimulatedWindows(Windows):
    """The same of simulated machines, which run on while the window waits."""

    def setUp(self) -> None:
        if SIMULATOR is None:
            self.skipTest("there is no simulator")
        self.program = SIMULATOR
        super().setUp()


if __name__ == "__main__":
    PROGRAM = pathlib.Path(sys.argv[1]).resolve()
    SIMULATOR, WINDOW = (None if text == "-" else pathlib.Path(text).resolve() for text in sys.argv[2:4])
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
