#!/usr/bin/env python3
"""Writes the table behind core/text/width.hpp from the Unicode character database.

    tools/text/width_table.py OUTPUT.cpp UNICODE_FOLDER

0 cells: nonspacing and enclosing marks (Mn, Me), format characters (Cf) but the soft hyphen, controls (Cc),
and the vowels and final consonants of conjoining Hangul, which join the syllable before them. 2 cells: East
Asian Wide and Fullwidth (UAX #11), unassigned ones of the ranges that it names as wide. 1 cell: all others.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import table_source  # noqa: E402

LAST = 0x10FFFF
BLOCK = 256
SOFT_HYPHEN = 0xAD
HANGUL_MEDIAL_AND_FINAL = ((0x1160, 0x11FF), (0xD7B0, 0xD7FB))
# EastAsianWidth.txt says so in a comment: these are wide, assigned or not.
WIDE_UNASSIGNED = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2FFFD), (0x30000, 0x3FFFD))
ZERO_CATEGORIES = {"Mn", "Me", "Cf", "Cc"}
_RANGE = re.compile(r"^([0-9A-F]+)(?:\.\.([0-9A-F]+))?\s*;\s*(\w+)", re.MULTILINE)


def wide_ranges(folder: Path) -> Iterator[tuple[int, int]]:
    yield from WIDE_UNASSIGNED
    text = (folder / "EastAsianWidth.txt").read_text(encoding="utf-8")
    for first, last, width in _RANGE.findall(text):
        if width in ("W", "F"):
            yield int(first, 16), int(last or first, 16)


def zero_ranges(folder: Path) -> Iterator[tuple[int, int]]:
    begun = 0
    for line in (folder / "UnicodeData.txt").read_text(encoding="utf-8").splitlines():
        code, name, category, *_ = line.split(";")
        point = int(code, 16)
        if name.endswith(", First>"):
            begun = point
        elif category in ZERO_CATEGORIES and point != SOFT_HYPHEN:
            yield (begun if name.endswith(", Last>") else point), point
    yield from HANGUL_MEDIAL_AND_FINAL


def widths(folder: Path) -> list[int]:
    table = [1] * (LAST + 1)
    for width, ranges in ((2, wide_ranges(folder)), (0, zero_ranges(folder))):
        for first, last in ranges:
            table[first : last + 1] = [width] * (last + 1 - first)
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description="write the table of character widths")
    parser.add_argument("output", type=Path)
    parser.add_argument("unicode", type=Path, help="the folder of UnicodeData.txt and EastAsianWidth.txt")
    options = parser.parse_args()
    places, blocks = table_source.two_levels(widths(options.unicode), BLOCK)
    if len(blocks) > 256:
        print(f"width_table: {len(blocks)} different blocks do not fit in a byte", file=sys.stderr)
        return 1
    packed = [
        sum(width << 2 * i for i, width in enumerate(block[at : at + 4]))
        for block in blocks
        for at in range(0, BLOCK, 4)
    ]
    parts = [table_source.array("u8", "width_blocks", places), table_source.array("u8", "width_bits", packed)]
    table_source.write(options.output, "core/text/width.hpp", "the Unicode character database", parts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
