"""A session that somebody types at a machine's own screen and keyboard: the same on every machine, to the last pixel,
and as the golden frames show it (frames/typed.png, frames/ended.png), which anybody can look at.

    screens_test.py HOST SIMULATOR|- LAUNCHER|- WINDOW|- MAKE-ISO|- [--record] [unittest's arguments]

- files that the live and the simulated machine leave (--display png:);
- a window on an X server of its own, typed into by its keyboard, and looked at by the server;
- QEMU, typed into by its monitor's `sendkey`, and looked at by `screendump`, and the file that the launcher leaves.

`--record` makes the golden frames anew, from the live machine's files. Look at them before they are committed.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from frames import (
    Frame, Monitor, expect_bytes, expect_frame, keyboard_counts, read_png, scancode_bytes, type_keys, write_png,
)  # fmt: skip
from person_test import PATIENCE_S, PROMPT, Person

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "display"))
import window_test  # noqa: E402  (the folder has just been named)
from window_test import Screen, is_gone  # noqa: E402

FRAMES = pathlib.Path(__file__).resolve().parent / "frames"
HOST = pathlib.Path()
SIMULATOR: pathlib.Path | None = None
LAUNCHER: pathlib.Path | None = None
WINDOW: pathlib.Path | None = None
MAKE_ISO: pathlib.Path | None = None
SIZE = (640, 400)

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


def type_session_to_file(
    program: pathlib.Path, file: pathlib.Path, *options: str, size: tuple[int, int] = SIZE
) -> int:
    """The session at the screen of a hosted machine, whose last frame becomes a file."""
    command = [str(program), "--display", f"png:{file},size={size[0]}x{size[1]}", *options]
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


def settled_counts(person: Person) -> dict[str, int]:
    """What the keyboard's driver has counted once nothing comes any more."""
    counts, alike = keyboard_counts(person), 0
    while alike < 5:  # a second in all, longer than any pause in a storm
        time.sleep(0.2)
        before, counts = counts, keyboard_counts(person)
        alike = alike + 1 if counts == before else 0
    return counts


def press_after_storm(person: Person, press, interrupt: str, clear: str) -> None:
    """Drops the line that the storm has left, and makes status and screen those of a new session."""
    two_keys = 6
    expect_bytes(person, lambda: press(interrupt), two_keys)
    line = "version\n"

    def enter() -> None:
        type_by_driver(person, line)
        person.expect(PROMPT)

    expect_bytes(person, enter, scancode_bytes(line))
    expect_bytes(person, lambda: press(clear), two_keys)


class WindowedPerson(Person):
    """At a terminal, with a window on an X server beside it, which has the keyboard."""

    def __init__(self, program: pathlib.Path) -> None:
        self.screen = Screen()
        super().__init__([str(program), "--display", f"sdl,size={SIZE[0]}x{SIZE[1]}"], self.screen.environment)
        self.expect(PROMPT)
        self.window = self.screen.window()
        self.screen.xdotool("windowfocus", "--sync", self.window)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.screen.close()

    def send(self, text: str) -> None:
        send_keys(self.screen, text)

    def screen_key(self, name: str) -> None:
        self.screen.xdotool("key", name)

    def look(self) -> Frame | None:
        pixels = self.screen.pixels(self.window, *SIZE)
        return None if pixels is None else (*SIZE, pixels)

    def type_session(self) -> None:
        for line in (*LINES, BEGUN):
            type_keys(self, self.send, line)


def keeps_up() -> bool:
    """Whether the kernel takes keys as fast as they can be sent: built with sanitizers it may not, and then says how
    many it has dropped, holds none of them, and goes on."""
    done = subprocess.run([str(HOST), "--command", "version"], capture_output=True, text=True, timeout=60, check=True)
    return "Debug" not in done.stdout


class Window(unittest.TestCase):
    """A real window, typed into and looked at from outside."""

    def need(self) -> None:
        missing = [name for name in window_test.NEEDED if shutil.which(name) is None]
        if WINDOW is None or missing:
            self.skipTest(f"there is no window program, or no {', '.join(missing)}")

    def test_a_session_in_a_window(self) -> None:
        self.need()
        for program in (HOST, SIMULATOR):
            if program is not None:
                with self.subTest(program=program.name), WindowedPerson(program) as person:
                    person.type_session()
                    expect_frame(person.look, golden("typed"), "typed")
                    person.send(END)
                    self.assertEqual(person.end(), STATUS)


    def test_a_storm_of_keys(self) -> None:
        """Keys faster than anybody types: what the controller has taken arrives, and everything works afterwards."""
        self.need()
        with WindowedPerson(HOST) as person:
            before = keyboard_counts(person)
            person.send("abcdefghijklmnopqrstuvwxyz0123456789" * 60)
            after = settled_counts(person)
            self.assertGreater(after["bytes"], before["bytes"])
            self.assertEqual(after["losses"], 0)
            if keeps_up():
                self.assertEqual(after["dropped"], 0)
            press_after_storm(person, person.screen_key, "ctrl+c", "ctrl+l")
            person.type_session()
            expect_frame(person.look, golden("typed"), "typed")
            person.send(END)
            self.assertEqual(person.end(), STATUS)

    def test_closed_by_its_owner_in_the_middle_of_commands(self) -> None:
        """One runs at the window, one fills the terminal: the run ends well, and nothing of it is left."""
        self.need()
        for program in (HOST, SIMULATOR):
            if program is None:
                continue
            with self.subTest(program=program.name), WindowedPerson(program) as person:
                type_keys(person, person.send, "watch 1s ps\n")
                person.type(b"top\r")
                person.expect(b"memory")
                children = pathlib.Path(f"/proc/{person.process.pid}/task/{person.process.pid}/children")
                window = int(children.read_text("ascii").split()[0])
                person.screen.ask_to_close(person.window)
                self.assertEqual(person.end(), 0)
                said = person.process.stderr.read().decode().split("\n")[0]
                self.assertEqual(said, f"{program.name}: ended by its window, which was closed")
                self.assertTrue(is_gone(window), "the window's program")
                while person.read():
                    pass
                for on, off in ((b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h")):
                    self.assertLess(person.seen.rfind(on), person.seen.rfind(off), "top's screen is left")


class EmulatedPerson(Person):
    """At a terminal, with QEMU's monitor beside it, which has keyboard and camera."""

    def __init__(self, folder: pathlib.Path, *options: str) -> None:
        self.file = folder / "frame.png"
        socket = folder / "monitor"
        command = [str(LAUNCHER), "--display", f"png:{self.file}", "--timeout", str(4 * PATIENCE_S), *options]
        for argument in (
            "-global", f"virtio-gpu-device.xres={SIZE[0]}", "-global", f"virtio-gpu-device.yres={SIZE[1]}",
            "-monitor", f"unix:{socket},server=on,wait=off",
        ):  # fmt: skip
            command.append(f"--qemu-arg={argument}")
        super().__init__(command)
        self.expect(PROMPT)
        self.monitor = Monitor(socket)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.monitor.close()

    def press(self, name: str) -> None:
        self.monitor.ask(f"sendkey {name} 1")

    def type_session(self) -> None:
        for line in (*LINES, BEGUN):
            type_keys(self, self.monitor.send_keys, line, bytes_max=QEMU_ROOM)

    def end_session(self) -> int:
        type_keys(self, self.monitor.send_keys, END[:-1], bytes_max=QEMU_ROOM)
        self.monitor.send_keys("\n")
        return self.end()


class Emulated(unittest.TestCase):
    """QEMU, by its monitor."""

    def setUp(self) -> None:
        if LAUNCHER is None:
            self.skipTest("there is no such machine in this build")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_a_session_by_the_monitor(self) -> None:
        with EmulatedPerson(self.folder) as person:
            person.type_session()
            expect_frame(person.monitor.picture, golden("typed"), "typed")
            self.assertEqual(person.end_session(), STATUS)
            frame = read_png(person.file)
        expect_frame(lambda: frame, golden("ended"), "ended")

    def test_a_session_at_a_vga(self) -> None:
        """Booted from a disc, so that the boot loader leaves a framebuffer: the frame is that of the live machine."""
        disc = self.folder / "disc.iso"
        image = LAUNCHER.parents[2] / "images" / "twofold-full.elf"
        subprocess.run([str(MAKE_ISO), str(image), str(disc)], check=True, stdout=subprocess.DEVNULL)
        with EmulatedPerson(self.folder, "--iso", str(disc)) as person:
            person.type_session()
            self.assertEqual(person.end_session(), STATUS)
            frame = read_png(person.file)
        live = self.folder / "live.png"
        self.assertEqual(type_session_to_file(HOST, live, size=frame[:2]), STATUS)
        expect_frame(lambda: frame, read_png(live), "vga")

    def test_a_storm_of_keys(self) -> None:
        """QEMU drops what its keyboard has no room for, also parts of strokes; no key sticks, nothing hangs."""
        with EmulatedPerson(self.folder) as person:
            before = keyboard_counts(person)
            person.monitor.flood(f"sendkey {key} 1" for key in "abcdefghijklmnopqrstuvwxyz0123456789" * 60)
            after = settled_counts(person)
            self.assertGreater(after["bytes"], before["bytes"])
            self.assertEqual(after["dropped"], 0, "by the driver")
            press_after_storm(person, person.press, "ctrl-c", "ctrl-l")
            person.type_session()
            expect_frame(person.monitor.picture, golden("typed"), "typed")
            self.assertEqual(person.end_session(), STATUS)


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
    SIMULATOR, LAUNCHER, WINDOW, MAKE_ISO = (
        None if text == "-" else pathlib.Path(text).resolve() for text in sys.argv[2:6]
    )
    if "--record" in sys.argv:
        record()
    else:
        unittest.main(argv=[sys.argv[0], *sys.argv[6:]])
