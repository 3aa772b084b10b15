"""What the generators of tables share (tools/text, tools/input): C++ sources that hold constant arrays."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

COLUMNS = 16


def array(kind: str, name: str, values: Iterable[int]) -> str:
    """The definition of a constant array."""
    numbers = [str(value) for value in values]
    lines = [", ".join(numbers[i : i + COLUMNS]) for i in range(0, len(numbers), COLUMNS)]
    return f"{kind} const {name}[{len(numbers)}] = {{\n" + ",\n".join(lines) + "};\n"


def two_levels(values: list[int], block: int) -> tuple[list[int], list[list[int]]]:
    """A table cut into blocks, equal blocks once: the block of each part, and the blocks."""
    places: list[int] = []
    blocks: dict[tuple[int, ...], int] = {}
    for at in range(0, len(values), block):
        part = tuple(values[at : at + block])
        places.append(blocks.setdefault(part, len(blocks)))
    return places, [list(part) for part in blocks]


def write(path: Path, header: str, origin: str, parts: Iterable[str], room: str = "text") -> None:
    """A source of the namespace twofold::ROOM that includes `header`."""
    namespace = f"twofold::{room}"
    text = f'// Made at build time from {origin}.\n#include "{header}"\n\nnamespace {namespace} {{\n\n'
    path.write_text(text + "\n".join(parts) + f"\n}} // namespace {namespace}\n", encoding="ascii")
