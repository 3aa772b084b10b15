"""The recorded tour of the README: a session as a person sees it, and two screens.

    tour_test.py BUILD [--record] [unittest's arguments]

With --record it writes what it finds to the README and to docs/images instead of comparing; the command is
`python3 tests/twofold/tour_test.py build/release --record`.

Text is compared letter by letter, but any number stands for any other and blanks for blanks: so figures of a run do not
matter, and all else does. Of a screen every pixel counts, and what is typed there prints nothing that changes from run
to run.
"""

import pathlib
import re
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/apps/shell"), str(ROOT / "tests/apps/display")]
from pattern_test import read_png  # noqa: E402  (the folders have just been named)
from person_test import PROMPT, Person  # noqa: E402

README = ROOT / "README.md"
IMAGES = ROOT / "docs/images"
RECORDED = re.compile(r"^<!-- recorded:tour -->\n```\n(.*?)^```\n<!-- /recorded -->$", re.MULTILINE | re.DOTALL)
BUILD = pathlib.Path()
RECORD = False
BYTES_MAX = 60_000

# Lines begin with letters of their own, so that no older one is offered as a hint while they are typed.
SESSION = (
    "version",
    "cpus | select cpu class state",
    "mem | table 2 | sort free --reverse",
    "disks | select disk MiB sector flags",
    "block-bench rw=randread bs=4k iodepth=32 size=4M",
    "pss",
    "help sort",
    "sleep 60 & jobs",
    "name=world; echo Hello, $name; exit",
)
DISK = ("--disk", "memory,size=64M")
HOSTED_SCREEN = (
    "cpus | select cpu class node state",
    "ps | where class = idle | sort cpu --reverse | head 2 | select name cpu",
    "commands | where group = filters | select command summary",
    "verson",
    "exit 0",
)
EMULATED_SCREEN = (
    "echo The same kernel, on a machine of QEMU",
    "lspci | select function id kind vectors",
    "help | head 24",
    "verson",
    "exit 0",
)


def shape(text: str) -> list[str]:
    """Text as it is compared."""
    return [re.sub(r"[ ]+", " ", re.sub(r"0x[0-9a-f]+|\d+(\.\d+)?", "#", line)).rstrip() for line in text.splitlines()]


def host(*options: str) -> list[str]:
    return [str(BUILD / "apps/host/twofold-host"), "--cpus", "4", *options]


def session() -> str:
    """What a terminal shows of the session."""
    with Person(host(*DISK)) as person:
        seen = person.expect(PROMPT)
        for line in SESSION[:-1]:
            seen += person.run(line.encode(), PROMPT)
        person.type(SESSION[-1].encode() + b"\r")
        if person.end() != 0:
            raise AssertionError("the session did not end well")
        person.read()
        seen += person.new_text()
    rows = re.sub(r" *\r*\n", "\n", seen.decode()).strip("\n")
    return f"$ ./twofold run --cpus 4 {' '.join(DISK)}\n{rows}\n"


def type_at_screen(machine: list[str], lines: tuple[str, ...]) -> None:
    """Types lines at the keyboard of a machine that has a person at its console, too. The last ends the run."""
    with Person(machine) as person:
        person.expect(PROMPT)
        for line in lines[:-1]:
            person.run(f"input type '{line}\n'".encode(), PROMPT)
        person.type(f"input type '{lines[-1]}\n'\r".encode())
        if person.end() != 0:
            raise AssertionError(f"the run did not end well: {person.new_text()!r}")


class Tour(unittest.TestCase):
    def test_the_session_is_that_of_the_readme(self) -> None:
        found = session()
        text = README.read_text()
        recorded = list(RECORDED.finditer(text))
        self.assertEqual(len(recorded), 1, "README.md has one recorded session")
        if RECORD:
            README.write_text(text[: recorded[0].start(1)] + found + text[recorded[0].end(1) :])
        else:
            self.assertEqual(shape(recorded[0].group(1)), shape(found))

    def compare(self, found: pathlib.Path, name: str) -> None:
        recorded = IMAGES / name
        self.assertLess(found.stat().st_size, BYTES_MAX)
        if RECORD:
            IMAGES.mkdir(exist_ok=True)
            recorded.write_bytes(found.read_bytes())
            return
        is_same_file = found.read_bytes() == recorded.read_bytes()  # or the same picture, by another libpng
        if not is_same_file and read_png(found) != read_png(recorded):
            kept = BUILD / "results" / name
            kept.parent.mkdir(exist_ok=True)
            kept.write_bytes(found.read_bytes())
            self.fail(f"the screen is not {recorded}, but {kept}; to take what there is: --record")

    def test_the_screen_of_the_hosted_machine(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "screen.png"
            machine = host("--core-classes", "P,P,E,E", "--display", f"png:{file},size=800x480")
            type_at_screen(machine, HOSTED_SCREEN)
            self.compare(file, "screen-host.png")

    def test_the_screen_in_the_emulator(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "screen.png"
            launcher = [str(BUILD / "apps/launch/twofold-boot"), "--image", str(BUILD / "images/twofold-full.elf")]
            type_at_screen([*launcher, "--cpus", "4", "--display", f"png:{file}"], EMULATED_SCREEN)
            self.compare(file, "screen-qemu.png")


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    RECORD = "--record" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--record"]
    unittest.main()
