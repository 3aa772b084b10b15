#!/usr/bin/env python3
"""Writes the table behind core/device/input/keys.hpp from keys.toml.

    tools/input/key_table.py OUTPUT.cpp KEYS.toml

What the file says of a key must be all that there is to say: a code that two keys send, or that the controller
would have to translate in two ways, is an error.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "text"))
import table_source  # noqa: E402

USAGES = 256
EXTENDED = 0xE000
HALVES = {1: 128, 2: 256}  # codes of each set, without and with the prefix
TRANSLATED = 0x85
FAKE_SHIFTS = ((0x2A, 0x12), (0x36, 0x59))


class Keys:
    """What keys.toml says. ValueError: it contradicts itself."""

    def __init__(self, facts: dict) -> None:
        self.names: dict[int, str] = {}
        self.codes: dict[int, tuple[int, int]] = {}
        self.by_code: dict[int, dict[int, str]] = {1: {}, 2: {}}
        for name, (usage, one, two) in facts["keys"].items():
            self.add_name(name, usage)
            self.codes[usage] = (one, two)
            self.add_codes(name, one, two)
        for name, (usage, other) in facts["same_as"].items():
            self.add_name(name, usage)
            self.codes[usage] = self.codes[self.usage(other)]
        announced = facts["announced"]
        if set(announced) != {"pause"}:
            raise ValueError("one key is announced by 0xe1, and that is pause")
        usage, self.pause_1, self.pause_2 = announced["pause"]
        self.add_name("pause", usage)
        for name, (one, two) in facts["also"].items():
            self.usage(name)
            self.add_codes(name, one, two)

    def add_name(self, name: str, usage: int) -> None:
        if not 0 < usage < USAGES or usage in self.names:
            raise ValueError(f"{name}: the usage 0x{usage:02x} is none, or another key's")
        self.names[usage] = name

    def add_codes(self, name: str, one: int, two: int) -> None:
        for which, code in ((1, one), (2, two)):
            if code & 0xFF >= HALVES[which] or code & 0xFF00 not in (0, EXTENDED) or code & 0xFF == 0:
                raise ValueError(f"{name}: set {which} has no code 0x{code:02x}")
            if code in self.by_code[which]:
                raise ValueError(f"{name}: 0x{code:02x} of set {which} is sent by {self.by_code[which][code]}")
            self.by_code[which][code] = name
        if (one >= EXTENDED) != (two >= EXTENDED):
            raise ValueError(f"{name}: has the prefix in one set alone")

    def usage(self, name: str) -> int:
        for usage, known in self.names.items():
            if known == name:
                return usage
        raise ValueError(f"there is no key {name}")

    def translations(self) -> list[int]:
        """What the controller makes of each byte of set 2."""
        made: dict[int, int] = {}
        pairs = [(one, two, name) for name, one, two in self.strokes()]
        pairs += [(one, two, "a shift that goes along") for one, two in FAKE_SHIFTS]
        pairs += [(one, two, "pause") for one, two in zip(self.pause_1, self.pause_2)]
        for one, two, name in pairs:
            if made.setdefault(two & 0xFF, one & 0xFF) != one & 0xFF:
                raise ValueError(f"{name}: 0x{two & 0xFF:02x} would have to be translated in two ways")
        return [made.get(byte, byte) for byte in range(TRANSLATED)]

    def strokes(self) -> list[tuple[str, int, int]]:
        """Each code with that of the other set: the order of both is that of the file."""
        pairs = zip(self.by_code[1].items(), self.by_code[2].items())
        return [(name, one, two) for (one, name), (two, _) in pairs]


def code_table(keys: Keys, which: int) -> str:
    half = HALVES[which]
    table = ["none"] * (2 * half)
    for code, name in keys.by_code[which].items():
        table[(half if code >= EXTENDED else 0) + (code & 0xFF)] = name
    lines = ",\n".join(f"Key::{name}" for name in table)
    return f"constexpr Key keys_of_set_{which}[] = {{\n{lines}}};\n"


def parts(keys: Keys) -> list[str]:
    rows = []
    for usage in range(USAGES):
        one, two = keys.codes.get(usage, (0, 0))
        rows.append(f'{{"{keys.names.get(usage, "")}", 0x{one:x}, 0x{two:x}}}')
    named = "\n".join(
        f'static_assert(static_cast<u8>(Key::{name}) == 0x{usage:02x}, "keys.toml");'
        for usage, name in sorted(keys.names.items())
    )
    pause = ", ".join(f"{{0x{codes[0]:x}, 0x{codes[1]:x}}}" for codes in (keys.pause_1, keys.pause_2))
    return [
        named + "\n",
        "namespace detail {\n",
        "constexpr KeyCodes key_codes[] = {\n" + ",\n".join(rows) + "};\n",
        code_table(keys, 1),
        code_table(keys, 2),
        f"constexpr u8 codes_of_pause[2][2] = {{{pause}}};\n",
        table_source.array("u8", "translations", keys.translations()),
        f"static_assert(translated_bytes == {TRANSLATED});\n",
        "} // namespace detail\n",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="write the table of keys")
    parser.add_argument("output", type=Path)
    parser.add_argument("keys", type=Path)
    options = parser.parse_args()
    try:
        keys = Keys(tomllib.loads(options.keys.read_text(encoding="utf-8")))
        made = parts(keys)
    except (KeyError, TypeError, ValueError) as error:
        print(f"key_table: {options.keys}: {error}", file=sys.stderr)
        return 1
    header = "core/device/input/keys.hpp"
    table_source.write(options.output, header, "core/device/input/keys.toml", made, "device")
    return 0


if __name__ == "__main__":
    sys.exit(main())
