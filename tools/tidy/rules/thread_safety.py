"""Locks are clang capabilities, and the analysis of them is an error in every build with clang."""

from __future__ import annotations

from tools.tidy.finding import Finding
from tools.tidy.tree import Tree

name = "thread_safety"
explain = "every C++ source is compiled with -Werror=thread-safety under clang"

PRESET = "clang"
WANTED = ("-Wthread-safety", "-Werror=thread-safety")


def check(tree: Tree) -> list[Finding]:
    found = set()
    for one in tree.build(PRESET):
        if not one.source.endswith(".cpp") or one.source not in tree.file_set:
            continue
        missing = [flag for flag in WANTED if flag not in one.arguments]
        if missing or "-Wno-thread-safety" in one.arguments:
            wrong = f"{one.target} is compiled without {' '.join(missing) or 'thread safety'}"
            instead = "link the target to kernel_code or host_program (cmake/machines.cmake)"
            found.add(Finding(one.source, 0, wrong, instead))
    return sorted(found)
