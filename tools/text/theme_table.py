#!/usr/bin/env python3
"""Writes the table behind core/text/theme.hpp from the themes.

    tools/text/theme_table.py OUTPUT.cpp FOLDER

A theme is FOLDER/NAME.toml: text, background, cursor, selection, and a palette of sixteen, each "#rrggbb".
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import table_source  # noqa: E402

SINGLE = ("text", "background", "cursor", "selection")
PALETTE = 16
_COLOUR = re.compile(r"#([0-9a-f]{6})")


def colour(text: object) -> str:
    match = _COLOUR.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is no colour of the form #rrggbb")
    return f"0x{match.group(1)}"


def theme(path: Path) -> str:
    """The initialiser of a theme. ValueError: the file does not hold what it must."""
    facts = tomllib.loads(path.read_text(encoding="utf-8"))
    if set(facts) != {*SINGLE, "palette"} or len(facts["palette"]) != PALETTE:
        raise ValueError(f"a theme has {', '.join(SINGLE)} and a palette of {PALETTE}")
    single = ", ".join(colour(facts[key]) for key in SINGLE)
    palette = ", ".join(colour(one) for one in facts["palette"])
    return f'{{"{path.stem}", {single}, {{{palette}}}}}'


def main() -> int:
    parser = argparse.ArgumentParser(description="write the table of themes")
    parser.add_argument("output", type=Path)
    parser.add_argument("themes", type=Path)
    options = parser.parse_args()
    made = []
    for path in sorted(options.themes.glob("*.toml")):
        try:
            made.append(theme(path))
        except ValueError as error:
            print(f"theme_table: {path}: {error}", file=sys.stderr)
            return 1
    table = "namespace {\nconstexpr Theme table[] = {\n" + ",\n".join(made) + "};\n} // namespace\n"
    parts = [table, "std::span<Theme const> themes() { return table; }\n"]
    table_source.write(options.output, "core/text/theme.hpp", "themes/", parts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
