#!/usr/bin/env python3
"""Writes the fonts behind core/text/font.hpp from Terminus as the distribution ships it for consoles.

    tools/text/font_table.py OUTPUT.cpp FOLDER_OF_CONSOLE_FONTS

Each file there holds the glyphs of one code set, so all of them together are read: PSF 1 and PSF 2, with their
Unicode tables. Where two files differ about a code point, the earlier of SETS is believed. Block elements that
no file has are drawn by rule, in both weights. Glyph 0 of a font, a hollow box, stands for what is missing.
"""

from __future__ import annotations

import argparse
import gzip
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import table_source  # noqa: E402

SETS = (
    "Uni3", "Uni2", "Lat15", "Lat2", "Lat7", "Lat38", "Greek", "FullGreek", "CyrSlav", "CyrKoi", "CyrAsia",
    "FullCyrSlav", "FullCyrAsia", "Hebrew", "Vietnamese",
)  # fmt: skip
# Our name of a face, and theirs of its two weights.
FACES = {(8, 16): ("Terminus16", "TerminusBold16"), (16, 32): ("Terminus32x16", "TerminusBold32x16")}
BLOCK = 64
POINTS = 0x10000  # nothing above the Basic Multilingual Plane is drawn

# Block elements as rectangles of eighths of a cell: left, top, right, bottom (the Unicode standard's names).
QUADRANTS = {"upper left": (0, 0, 4, 4), "upper right": (4, 0, 8, 4), "lower left": (0, 4, 4, 8),
             "lower right": (4, 4, 8, 8)}  # fmt: skip
QUADRANT_POINTS = {
    0x2596: ["lower left"],
    0x2597: ["lower right"],
    0x2598: ["upper left"],
    0x2599: ["upper left", "lower left", "lower right"],
    0x259A: ["upper left", "lower right"],
    0x259B: ["upper left", "upper right", "lower left"],
    0x259C: ["upper left", "upper right", "lower right"],
    0x259D: ["upper right"],
    0x259E: ["upper right", "lower left"],
    0x259F: ["upper right", "lower left", "lower right"],
}

Glyphs = dict[int, bytes]


def psf1(data: bytes) -> tuple[tuple[int, int], list[bytes], list[list[int]]]:
    """Size, glyphs, and the code points of each (linux: include/uapi/linux/kd.h, kbd: psf.h)."""
    mode, height = data[2], data[3]
    count = 512 if mode & 1 else 256
    glyphs = [data[4 + i * height : 4 + (i + 1) * height] for i in range(count)]
    words = struct.iter_unpack("<H", data[4 + count * height :])
    points: list[list[int]] = [[]]
    in_sequence = False
    for (word,) in words:
        if word == 0xFFFF:
            points.append([])
            in_sequence = False
        elif word == 0xFFFE:
            in_sequence = True
        elif not in_sequence:
            points[-1].append(word)
    return (8, height), glyphs, points


def psf2(data: bytes) -> tuple[tuple[int, int], list[bytes], list[list[int]]]:
    _, _, begin, _, count, size, height, width = struct.unpack("<8I", data[:32])
    glyphs = [data[begin + i * size : begin + (i + 1) * size] for i in range(count)]
    entries = data[begin + count * size :].split(b"\xff")[:count]
    points = [[ord(letter) for letter in entry.split(b"\xfe")[0].decode("utf-8")] for entry in entries]
    return (width, height), glyphs, points


def read(path: Path, size: tuple[int, int]) -> Glyphs:
    """The glyphs of a file by code point."""
    data = gzip.decompress(path.read_bytes())
    found, glyphs, points = psf1(data) if data[:2] == b"\x36\x04" else psf2(data)
    if found != size:
        raise ValueError(f"{path} has glyphs of {found[0]}x{found[1]}, not {size[0]}x{size[1]}")
    return {point: glyph for glyph, shown in zip(glyphs, points) for point in shown}


def weight(folder: Path, name: str, size: tuple[int, int]) -> Glyphs:
    """All that the files of one face and weight hold."""
    merged = block_elements(size)
    for code_set in reversed(SETS):
        merged |= read(folder / f"{code_set}-{name}.psf.gz", size)
    return merged


def block_elements(size: tuple[int, int]) -> Glyphs:
    """The lower and left eighths, the edges, and the quadrants."""
    parts = {0x2580 + height: [(0, 8 - height, 8, 8)] for height in range(1, 9)}
    parts |= {0x2590 - width: [(0, 0, width, 8)] for width in range(1, 9)}
    parts |= {0x2594: [(0, 0, 8, 1)], 0x2595: [(7, 0, 8, 8)]}
    parts |= {point: [QUADRANTS[name] for name in names] for point, names in QUADRANT_POINTS.items()}
    width, height = size
    glyphs = {}
    for point, rectangles in parts.items():
        lines = [0] * height
        for left, top, right, bottom in rectangles:
            ones = (1 << (right - left) * width // 8) - 1
            for row in range(top * height // 8, bottom * height // 8):
                lines[row] |= ones << (8 - right) * width // 8
        glyphs[point] = b"".join(line.to_bytes(width // 8, "big") for line in lines)
    return glyphs


def missing(size: tuple[int, int]) -> bytes:
    """A hollow box inside of a margin."""
    width, height = size
    margin = width // 8
    top, bottom = 2 * margin, height - 4 * margin
    lines = []
    for row in range(height):
        line = 0
        for column in range(margin, width - margin):
            is_edge = row - top < margin or bottom - 1 - row < margin
            is_edge = is_edge or column < 2 * margin or column >= width - 2 * margin
            line |= (top <= row < bottom and is_edge) << (width - 1 - column)
        lines.append(line.to_bytes(width // 8, "big"))
    return b"".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="write the fonts")
    parser.add_argument("output", type=Path)
    parser.add_argument("fonts", type=Path, help="the folder of the console's fonts")
    options = parser.parse_args()
    weights = {
        (size, names.index(name)): weight(options.fonts, name, size)
        for size, names in FACES.items()
        for name in names
    }
    points = sorted(point for point in set.intersection(*map(set, weights.values())) if point < POINTS)
    index = {point: number for number, point in enumerate(points, 1)}
    places, blocks = table_source.two_levels([index.get(point, 0) for point in range(POINTS)], BLOCK)
    parts = [
        "namespace {",
        table_source.array("u8", "places", places),
        table_source.array("u16", "indices", [number for block in blocks for number in block]),
    ]
    for (size, bold), glyphs in weights.items():
        shapes = [missing(size), *(glyphs[point] for point in points)]
        name = f"{'bold' if bold else 'regular'}_{size[0]}x{size[1]}"
        parts.append(table_source.array("u8", name, b"".join(shapes)))
    parts.append("} // namespace\n")
    for width, height in FACES:
        face = f"{width}x{height}"
        facts = f"{{{width}, {height}, places, indices, {{regular_{face}, bold_{face}}}}}"
        parts.append(f"constinit Font const font_{face} = {facts};\n")
    table_source.write(options.output, "core/text/font.hpp", "the console fonts Terminus", parts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
