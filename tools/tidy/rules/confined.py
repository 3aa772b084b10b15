"""Inline assembly, reinterpret_cast and pointer arithmetic stay in hal/ and in a short list of
files.

The list is confined.toml, with a reason for each file; the counts stand in ratchet.json and only
fall. Pointer arithmetic is found by clang-tidy, in core/, in the files that changed (all under
--all)."""

from __future__ import annotations

import re
from collections import defaultdict

from tools.tidy import analysis, lexer, ratchet
from tools.tidy.finding import Finding
from tools.tidy.tree import Tree

name = "confined"
explain = "assembly, reinterpret_cast, pointer arithmetic only in hal/ and where confined.toml says"

LIST = "tools/tidy/confined.toml"
AREAS = ("core/", "apps/", "bench/", "sim/", "tests/", "tools/")
MACHINE_TESTS = "tests/hal/"
POINTER_CHECK = "cppcoreguidelines-pro-bounds-pointer-arithmetic"

_PATTERNS = {
    "assembly": re.compile(r"\b(?:asm|__asm__|__asm)\b"),
    "reinterpret_cast": re.compile(r"\breinterpret_cast\b|\bbit_cast<[^<>;]*\*\s*(?:const\s*)?>"),
    "pointer_cast": re.compile(
        r"(?:(?<=\breturn)\s*|(?<![\w)\]>])(?<![\w)\]>] ))"
        r"\(\s*(?:const\s+)?(?:unsigned\s+|struct\s+)?[A-Za-z_][\w:]*(?:<[\w:, *&]*>)?(?:\s+const)?"
        r"\s*\*+\s*(?:const\s*)?\)\s*[\w(&*]"
    ),
}
_INSTEAD = {
    "assembly": "add an operation to the HAL contract",
    "reinterpret_cast": "use std::bit_cast, a typed view, or std::as_bytes; else see " + LIST,
    "pointer_cast": "use static_cast, or do without",
    "pointer_arithmetic": "use std::span (subspan, indexing) or an index; else see " + LIST,
}

Places = dict[tuple[str, str], list[int]]


def _textual(tree: Tree) -> Places:
    """Where the constructs are that the text alone shows: lines by (file, construct)."""
    places: Places = defaultdict(list)
    for path in tree.sources(*AREAS):
        if path.startswith(MACHINE_TESTS):
            continue
        code = tree.code(path)
        for construct, pattern in _PATTERNS.items():
            for match in pattern.finditer(code):
                places[path, construct].append(lexer.line_of(code, match.start()))
    return places


def _arithmetic(tree: Tree) -> Places:
    """Where clang-tidy sees pointer arithmetic in core/."""
    places: Places = defaultdict(list)
    for one in analysis.diagnostics(tree):
        if one.check == POINTER_CHECK and one.path.startswith("core/"):
            places[one.path, "pointer_arithmetic"].append(one.line)
    return places


def _compare(tree: Tree, places: Places, looked_at: frozenset[str] | None) -> list[Finding]:
    """Findings against the list and the ratchet. Files that were not looked at are taken on
    trust."""
    entries = tree.settings("confined.toml").get("file", [])
    permitted = {(one["path"], kind): one["why"] for one in entries for kind in one["constructs"]}
    found = []
    counts: dict[str, int] = {}
    where = {}
    for (path, construct), lines in places.items():
        key = f"{path}:{construct}"
        if permitted.get((path, construct), "").strip():
            counts[key] = len(lines)
            wrong = f"{len(lines)} uses of {construct}, the ratchet allows fewer"
            where[key] = (path, lines[-1], wrong)
        else:
            wrong = f"{construct} outside of hal/"
            found += [Finding(path, line, wrong, _INSTEAD[construct]) for line in lines]
    for path, construct in permitted:
        key = f"{path}:{construct}"
        unseen = construct == "pointer_arithmetic" and looked_at is not None
        if unseen and path not in looked_at:
            counts[key] = tree.ratchet.get(name, {}).get(key, 0)
        elif not permitted[path, construct].strip():
            found.append(Finding(LIST, 0, f"{key} has no reason", "say why it is sound"))
        elif key not in counts:
            wrong = f"{key} is listed but not used"
            found.append(Finding(LIST, 0, wrong, "remove the entry"))
    return found + ratchet.compare(tree, name, counts, where, "do without the new ones")


def check(tree: Tree) -> list[Finding]:
    places = _textual(tree)
    places.update(_arithmetic(tree))
    return _compare(tree, places, None if tree.everything else tree.changed)


def fix(tree: Tree) -> None:
    places = _textual(tree)
    places.update(_arithmetic(tree))
    counts = {f"{path}:{kind}": len(lines) for (path, kind), lines in places.items()}
    if not tree.everything:
        for key, limit in tree.ratchet.get(name, {}).items():
            if key.endswith(":pointer_arithmetic"):
                counts.setdefault(key, limit)
    ratchet.lower(tree, name, counts)
