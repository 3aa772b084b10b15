#!/usr/bin/env python3
"""Writes the table behind core/device/input/layout.hpp from the layouts.

    tools/input/layout_table.py OUTPUT.cpp KEYS.toml FOLDER

A layout is FOLDER/NAME.toml: alt_gr, keypad_decimal, the characters of each key, and what its dead keys compose.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "text"))
import key_table  # noqa: E402
import table_source  # noqa: E402

LEVELS = 4
USAGES = 0x90
DEAD = "dead:"
DEAD_FIRST = 0x110000


def character(text: object) -> int:
    """The code point of a text of one character."""
    if not isinstance(text, str) or len(text) != 1 or ord(text) < 0x20:
        raise ValueError(f"{text!r} is not one character")
    return ord(text)


class Layout:
    """What a file says. ValueError: it does not hold what it must."""

    def __init__(self, facts: dict, usages: dict[str, int]) -> None:
        if set(facts) | {"dead"} != {"alt_gr", "keypad_decimal", "keys", "dead"}:
            raise ValueError("a layout has alt_gr, keypad_decimal, [keys] and perhaps [dead.NAME]")
        if not isinstance(facts["alt_gr"], bool):
            raise ValueError("alt_gr is true or false")
        self.alt_gr = facts["alt_gr"]
        self.keypad_decimal = character(facts["keypad_decimal"])
        self.dead = [(name, *self.dead_key(name, what)) for name, what in facts.get("dead", {}).items()]
        self.keys: dict[int, tuple[list[int], bool]] = {}
        for name, texts in facts["keys"].items():
            usage = usages.get(name, USAGES)
            if usage >= USAGES:
                raise ValueError(f"there is no key {name} that types characters")
            self.keys[usage] = self.key(name, texts)
        used = {point for levels, _ in self.keys.values() for point in levels}
        for number, (name, _, _) in enumerate(self.dead):
            if DEAD_FIRST + number not in used:
                raise ValueError(f"no key is {DEAD}{name}")

    @staticmethod
    def dead_key(name: str, what: dict) -> tuple[int, list[tuple[int, int]]]:
        pairs = what.get("pairs", "")
        if set(what) != {"spacing", "pairs"} or not isinstance(pairs, str) or len(pairs) % 2 != 0:
            raise ValueError(f"dead.{name} has its spacing mark, and pairs of characters")
        letters = pairs[::2]
        if len(set(letters)) != len(letters):
            raise ValueError(f"dead.{name} composes a letter twice")
        return character(what["spacing"]), [(character(a), character(b)) for a, b in zip(letters, pairs[1::2])]

    def key(self, name: str, texts: object) -> tuple[list[int], bool]:
        limit = LEVELS if self.alt_gr else LEVELS // 2
        if not isinstance(texts, list) or not 0 < len(texts) <= limit:
            raise ValueError(f"{name} has one to {limit} characters, in the order plain, shift, AltGr, both")
        levels = [self.level(text) for text in texts]
        plain, shifted = (texts + [""])[:2]
        has_case = len(plain) == 1 and plain != shifted and plain.upper() == shifted
        return levels + [0] * (LEVELS - len(levels)), has_case

    def level(self, text: object) -> int:
        if text == "":
            return 0
        if isinstance(text, str) and text.startswith(DEAD):
            for number, (name, _, _) in enumerate(self.dead):
                if name == text.removeprefix(DEAD):
                    return DEAD_FIRST + number
            raise ValueError(f"{text}: there is no [dead.{text.removeprefix(DEAD)}]")
        return character(text)

    def source(self, name: str) -> tuple[str, str]:
        """The arrays of the layout, and its own initialiser."""
        arrays = []
        for dead, _, pairs in self.dead:
            rows = ", ".join(f"{{0x{a:x}, 0x{b:x}}}" for a, b in pairs)
            arrays.append(f"constexpr DeadKey::Composition {name}_{dead}[] = {{{rows}}};")
        if self.dead:
            rows = ", ".join(f"{{0x{spacing:x}, {name}_{dead}}}" for dead, spacing, _ in self.dead)
            arrays.append(f"constexpr DeadKey {name}_dead_keys[] = {{{rows}}};")
        rows = []
        for usage in range(USAGES):
            levels, has_case = self.keys.get(usage, ([0] * LEVELS, False))
            numbers = ", ".join(f"0x{point:x}" for point in levels)
            rows.append(f"{{{{{numbers}}}, {'true' if has_case else 'false'}}}")
        arrays.append(f"constexpr Layout::Characters {name}_keys[] = {{\n" + ",\n".join(rows) + "};")
        dead_keys = f"{name}_dead_keys" if self.dead else "{}"
        own = f'{{"{name}", {"true" if self.alt_gr else "false"}, 0x{self.keypad_decimal:x}, {name}_keys, {dead_keys}}}'
        return "\n".join(arrays) + "\n", own


def main() -> int:
    parser = argparse.ArgumentParser(description="write the table of layouts")
    parser.add_argument("output", type=Path)
    parser.add_argument("keys", type=Path)
    parser.add_argument("layouts", type=Path)
    options = parser.parse_args()
    keys = key_table.Keys(tomllib.loads(options.keys.read_text(encoding="utf-8")))
    usages = {name: usage for usage, name in keys.names.items()}
    arrays, own = [], []
    for path in sorted(options.layouts.glob("*.toml")):
        try:
            if not path.stem.isidentifier():
                raise ValueError("the name of a layout is a word")
            made = Layout(tomllib.loads(path.read_text(encoding="utf-8")), usages).source(path.stem)
        except ValueError as error:
            print(f"layout_table: {path}: {error}", file=sys.stderr)
            return 1
        arrays.append(made[0])
        own.append(made[1])
    parts = [
        "namespace {\n",
        f"static_assert(Layout::usages == {USAGES} && Layout::levels == {LEVELS});",
        f"static_assert(Layout::dead_first == {DEAD_FIRST});\n",
        *arrays,
        "constexpr Layout table[] = {\n" + ",\n".join(own) + "};\n",
        "} // namespace\n",
        "std::span<Layout const> layouts() { return table; }\n",
    ]
    table_source.write(options.output, "core/device/input/layout.hpp", "layouts/", parts, "device")
    return 0


if __name__ == "__main__":
    sys.exit(main())
