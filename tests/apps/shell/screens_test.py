"""A session that somebody types at a machine's own screen and keyboard: the same on every machine, to the last pixel,
and as the golden frames show it (frames/typed.png, frames/ended.png), which anybody can look at.

    screens_test.py HOST SIMULATOR|- LAUNCHER|- WINDOW|- [--record] [unittest's arguments]

- files that the live and the simulated machine leave (--display png:);
- a window on an X server of its own, typed into by its keyboard, and looked at by the server;
- QEMU, typed into by its monitor's `sendkey`, and looked at by `screendump`, and the file that the launcher leaves.

`--record` makes the golden frames anew, from the live machine's files. Look at them before they are committed.
"""

import pathlib
import shutil
import sys
import tempfile
import time
import unittest

from frames import Frame, Monitor, expect_frame, read_png, type_keys, write_png
from person_test import PATIENCE_S, PROMPT, Person

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "display"))
import window_test  # noqa: E402  (the folder has just been named)
from window_test import Screen  # noqa: E402

FRAMES = pathlib.Path(__file__).resolve().parent / "frames"
HOST = pathlib.Path()
SIMULATOR: pathlib.Path | None = None
LAUNCHER: pathlib.Path | None = None
WINDOW: pathlib.Path | None = None
SIZE = (640, 400)
SIZE_OPTION = f"{SIZE[0]}x{SIZE[1]}"

# Words, a mistake and its colour, variables and a table, help; then a letter, and the hint behind it.
LINES = (
    "echo Hello, World! {1 + 2} ~ 'a b'\n", "verson\n", "name=value; echo $name | lines\n", "help echo\n",
)  # fmt: skip
BEGUN = "e"
END = "xit 7\n"
STATUS = 7
QEMU_ROOM = 15  # bytes that its keyboard holds for sure until somebody takes them


def golden(name: str) -> Frame:
    return read_png(FRAMES / f"{name}.png")


def type_by_driver(person: Person, text: str) -> None:
    """The keyboard's controller is told at the console to bring these keys."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\r")
    person.type(f'input type "{quoted}"\r'.encode())


def type_session_to_file(program: pathlib.Path, file: pathlib.Path, *options: str) -> int:
    """The session at the screen of a hosted machine, whose last frame becomes a file."""
    command = [str(program), "--display", f"png:{file},size={SIZE_OPTION}", *options]
    with Person(command) as person:
        person.expect(PROMPT)
        for line in (*LINES, BEGUN):
            type_by_driver(person, line)
            person.expect(PROMPT)
        type_by_driver(person, END)
        return person.end()


class Files(unittest.TestCase):
    """What the hosted machines leave as files."""

    def expect_file(self, program: pathlib.Path | None, *options: str) -> None:
        if program is None:
            self.skipTest("there is no such machine in this build")
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "frame.png"
            self.assertEqual(type_session_to_file(program, file, *options), STATUS)
            frame = read_png(file)
        expect_frame(lambda: frame, golden("ended"), "ended")

    def test_live(self) -> None:
        self.expect_file(HOST)
        self.expect_file(HOST, "--cpus", "2")

    def test_simulated(self) -> None:
        self.expect_file(SIMULATOR)


def send_keys(screen: Screen, text: str) -> None:
    """Keys of the X server's keyboard, as fast as it can."""
    words = text.strip("\n")
    if words:
        screen.xdotool("type", "--delay", "0", "--", words)
    if text.endswith("\n"):
        screen.xdotool("key", "Return")


class WindowedPerson(Person):
    """At a terminal, with a window on an X server beside it, which has the keyboard."""

    def __init__(self, program: pathlib.Path) -> None:
        self.screen = Screen()
        super().__init__([str(program), "--display", f"sdl,size={SIZE_OPTION}"], self.screen.environment)
        self.expect(PROMPT)
        self.window = self.screen.window()
        self.screen.xdotool("windowfocus", "--sync", self.window)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.screen.close()

    def send(self, text: str) -> None:
        send_keys(self.screen, text)

    def look(self) -> Frame | None:
        pixels = self.screen.pixels(self.window, *SIZE)
        return None if pixels is None else (*SIZE, pixels)

    def type_session(self) -> None:
        for line in (*LINES, BEGUN):
            type_keys(self, self.send, line)


class Window(unittest.TestCase):
    """A real window, typed into and looked at from outside."""

    def test_a_session_in_a_window(self) -> None:
        missing = [name for name in window_test.NEEDED if shutil.which(name) is None]
        if WINDOW is None or missing:
            self.skipTest(f"there is no window program, or no {', '.join(missing)}")
        for program in (HOST, SIMULATOR):
            if program is not None:
                with self.subTest(program=program.name), WindowedPerson(program) as person:
                    person.type_session()
                    expect_frame(person.look, golden("typed"), "typed")
                    person.send(END)
                    self.assertEqual(person.end(), STATUS)


class Emulated(unittest.TestCase):
    """QEMU's monitor has the keyboard and the camera."""

    def test_a_session_by_the_monitor(self) -> None:
        if LAUNCHER is None:
            self.skipTest("there is no such machine in this build")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        file, socket = (pathlib.Path(folder.name) / name for name in ("frame.png", "monitor"))
        command = [str(LAUNCHER), "--display", f"png:{file}", "--timeout", str(4 * PATIENCE_S)]
        for argument in (
            "-global", f"virtio-gpu-device.xres={SIZE[0]}", "-global", f"virtio-gpu-device.yres={SIZE[1]}",
            "-monitor", f"unix:{socket},server=on,wait=off",
        ):  # fmt: skip
            command.append(f"--qemu-arg={argument}")
        with Person(command) as person:
            person.expect(PROMPT)
            monitor = Monitor(socket)
            self.addCleanup(monitor.close)
            for line in (*LINES, BEGUN):
                type_keys(person, monitor.send_keys, line, bytes_max=QEMU_ROOM)
            expect_frame(monitor.picture, golden("typed"), "typed")
            type_keys(person, monitor.send_keys, END[:-1], bytes_max=QEMU_ROOM)
            monitor.send_keys("\n")
            self.assertEqual(person.end(), STATUS)
        frame = read_png(file)
        expect_frame(lambda: frame, golden("ended"), "ended")


def record() -> None:
    """Makes the golden frames anew: `ended` by the live machine, `typed` in its window."""
    FRAMES.mkdir(exist_ok=True)
    status = type_session_to_file(HOST, FRAMES / "ended.png")
    assert status == STATUS, status
    with WindowedPerson(HOST) as person:
        person.type_session()
        time.sleep(3)  # so that it is drawn; the tests of the other machines show whether it was
        write_png(FRAMES / "typed.png", person.look())
    print(f"look at {FRAMES}/*.png")


if __name__ == "__main__":
    HOST = pathlib.Path(sys.argv[1]).resolve()
    SIMULATOR, LAUNCHER, WINDOW = (
        None if text == "-" else pathlib.Path(text).resolve() for text in sys.argv[2:5]
    )
    if "--record" in sys.argv:
        record()
    else:
        unittest.main(argv=[sys.argv[0], *sys.argv[5:]])
