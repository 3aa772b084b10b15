"""No kernel state in globals: all that changes hangs off one Kernel object.

Read from the object files of core/, for every machine: nothing may lie in a writable section, and
nothing may run before the kernel's entry. Constants whose addresses the loader fills in
(.data.rel.ro) are not state; neither is what has no symbol in .data: tables that the compiler
makes (std::source_location, jumps), for a variable always has one.
"""

from __future__ import annotations

from pathlib import Path

from tools.tidy import objects
from tools.tidy.finding import Finding
from tools.tidy.tree import Tree, in_parallel

name = "globals"
explain = "no mutable global, static local or thread_local variable in core/, and no constructor"

PRESETS = ("release", "unchecked")
CONSTANT = (".data.rel.ro",)
COMPILER_TABLES = (".data",)
CONSTRUCTORS = (".init_array", ".fini_array", ".ctors", ".dtors", ".preinit_array")


def _writable(path: Path) -> list[str]:
    """What an object holds that can change: "name in section", or the section if it has no
    symbol."""
    sections = {
        one.name: one
        for one in objects.sections(path)
        if one.size > 0
        and "ALLOC" in one.flags
        and "READONLY" not in one.flags
        and not one.name.startswith(CONSTANT)
    }
    found = []
    named = set()
    for symbol in objects.symbols(path):
        common = symbol.section == "*COM*"
        if (symbol.section in sections or common) and not symbol.is_section_or_file:
            named.add(symbol.section)
            if not symbol.section.startswith(CONSTRUCTORS):
                found.append(f"{symbol.name} in {symbol.section}")
    for section in sections:
        if section.startswith(CONSTRUCTORS):
            found.append(f"a constructor or destructor in {section}")
        elif section not in named and not section.startswith(COMPILER_TABLES):
            found.append(f"{sections[section].size} bytes in {section}")
    return sorted(set(found))


def check(tree: Tree) -> list[Finding]:
    remembered = objects.Remembered(tree, name)
    found: set[Finding] = set()
    for preset in PRESETS:
        compilations = tree.built(
            preset, lambda one: one.source.startswith("core/") and one.is_kernel
        )
        answers = in_parallel(
            lambda one: remembered.ask("writable", one.object, _writable), compilations
        )
        for one, answer in zip(compilations, answers):
            for what in answer:
                wrong = f"mutable global state: {what} ({one.target}, {preset})"
                instead = "keep it in the Kernel object, or make it constexpr"
                found.add(Finding(one.source, 0, wrong, instead))
    return sorted(found)
