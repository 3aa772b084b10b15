"""Frames of displays as tests compare them, and typing at a kernel's keyboard so that no key is lost on the way."""

import pathlib
import re
import socket
import struct
import sys
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "display"))
from pattern_test import read_png  # noqa: E402  (the folder has just been named)
from person_test import PATIENCE_S, PROMPT, Person  # noqa: E402

Frame = tuple[int, int, list[int]]

NAMES = {
    " ": "spc", "\n": "ret", "\t": "tab", "-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right",
    ";": "semicolon", "'": "apostrophe", "`": "grave_accent", "\\": "backslash", ",": "comma", ".": "dot", "/": "slash",
}  # fmt: skip
SHIFTED = dict(zip('!@#$%^&*()_+{}:"~|<>?', "1234567890-=[];'`\\,./", strict=True))


def stroke(letter: str) -> tuple[str, bool]:
    """The key that types a letter on an American keyboard, as QEMU names it, and whether with shift."""
    if letter.isupper():
        return letter.lower(), True
    plain = SHIFTED.get(letter, letter)
    return NAMES.get(plain, plain), letter in SHIFTED


def scancode_bytes(text: str) -> int:
    """What a keyboard sends for it in set 2: a byte when a key goes down, two when it comes up."""
    return sum(6 if stroke(letter)[1] else 3 for letter in text)


def read_ppm(path: pathlib.Path) -> Frame:
    """A picture of QEMU, which fills its rows up to multiples of four bytes."""
    magic, size, most, pixels = path.read_bytes().split(b"\n", 3)
    assert (magic, most) == (b"P6", b"255"), (magic, most)
    width, height = map(int, size.split())
    stride = len(pixels) // height
    words: list[int] = []
    for y in range(height):
        row = pixels[y * stride : y * stride + 3 * width]
        words += (r << 16 | g << 8 | b for r, g, b in zip(row[::3], row[1::3], row[2::3], strict=True))
    return width, height, words


def write_png(path: pathlib.Path, frame: Frame) -> None:
    width, height, pixels = frame
    rows = b"".join(
        b"\0" + b"".join(struct.pack(">I", pixel)[1:] for pixel in pixels[y * width : (y + 1) * width])
        for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    )


def difference(actual: Frame | None, expected: Frame) -> str:
    """Where they differ, in words; nothing: nowhere."""
    if actual is None:
        return "there is no frame"
    if actual[:2] != expected[:2]:
        return f"it has {actual[0]}x{actual[1]} pixels, not {expected[0]}x{expected[1]}"
    wrong = [i for i, (a, b) in enumerate(zip(actual[2], expected[2], strict=True)) if a != b]
    if not wrong:
        return ""
    x, y = wrong[0] % actual[0], wrong[0] // actual[0]
    return (
        f"{len(wrong)} pixels differ, the first at {x}, {y} (row {y // 16} of text, column {x // 8}): "
        f"{actual[2][wrong[0]]:06x}, expected {expected[2][wrong[0]]:06x}"
    )


def expect_frame(look, expected: Frame, name: str) -> None:
    """Waits until look() is the frame; one that stays another is kept as a file and named."""
    end = time.monotonic() + PATIENCE_S
    while why := difference(actual := look(), expected):
        if time.monotonic() > end:
            kept = pathlib.Path(f"{name}-instead.png").resolve()
            if actual is not None:
                write_png(kept, actual)
            raise AssertionError(f"another frame than '{name}': {why}; see {kept}")
        time.sleep(0.02)


def keyboard_counts(person: Person) -> dict[str, int]:
    """What the keyboard's driver has counted, asked for at the machine's console."""
    person.type(b"input\r")
    said = person.expect(PROMPT).decode()
    found = re.findall(r"(\d+) (interrupts|bytes|dropped|losses)", said)
    return {name: int(number) for number, name in found}


def pieces(text: str, bytes_max: int) -> list[str]:
    """Of at most so many bytes of scan codes, and no key twice in any: within two milliseconds SDL takes that for a
    repeat, which is not told."""
    found: list[str] = []
    used: set[str] = set()
    for letter in text:
        key, has_shift = stroke(letter)
        keys = {key, "shift"} if has_shift else {key}
        if not found or scancode_bytes(found[-1] + letter) > bytes_max or used & keys:
            found.append("")
            used = set()
        found[-1] += letter
        used |= keys
    return found


def type_keys(person: Person, send, text: str, *, bytes_max: int = 250) -> None:
    """Calls send(piece), at most so many bytes of scan codes each, and waits after each until the kernel has it."""
    for piece in pieces(text, bytes_max):
        expect_bytes(person, lambda piece=piece: send(piece), scancode_bytes(piece))


def expect_bytes(person: Person, act, count: int) -> None:
    """Does what brings so many bytes from the keyboard, and waits until the kernel has them."""
    wanted = keyboard_counts(person)["bytes"] + count
    act()
    end = time.monotonic() + PATIENCE_S
    while (has := keyboard_counts(person)["bytes"]) < wanted:
        assert time.monotonic() < end, f"{wanted - has} of {count} bytes do not come"
    assert has == wanted, f"{has - wanted} bytes more than typed"


class Monitor:
    """QEMU's monitor for people, at a socket."""

    def __init__(self, path: pathlib.Path) -> None:
        self.folder = path.parent
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(str(path))
        self.read()

    def close(self) -> None:
        self.socket.close()

    def read(self) -> str:
        said = b""
        while not said.endswith(b"(qemu) "):
            piece = self.socket.recv(65536)
            assert piece, f"the monitor has gone; it said {said!r}"
            said += piece
        return said.decode(errors="replace")

    def ask(self, line: str) -> str:
        self.socket.sendall(line.encode() + b"\n")
        return self.read()

    def flood(self, lines) -> None:
        """Many lines, without waiting for an answer before all are sent."""
        all_lines = [line.encode() for line in lines]
        for start in range(0, len(all_lines), 100):
            part = all_lines[start : start + 100]
            self.socket.sendall(b"".join(line + b"\n" for line in part))
            said = b""
            while said.count(b"(qemu) ") < len(part):
                said += self.socket.recv(65536)

    def send_keys(self, text: str) -> None:
        """Each key for a millisecond."""
        for letter in text:
            key, has_shift = stroke(letter)
            self.ask(f"sendkey {'shift-' if has_shift else ''}{key} 1")

    def picture(self) -> Frame:
        file = self.folder / "picture.ppm"
        self.ask(f"screendump {file}")
        return read_ppm(file)


__all__ = [
    "Frame", "Monitor", "difference", "expect_bytes", "expect_frame", "keyboard_counts", "read_png", "scancode_bytes",
    "type_keys", "write_png",
]  # fmt: skip
