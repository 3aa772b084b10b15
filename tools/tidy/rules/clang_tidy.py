"""clang-tidy and the clang static analyzer, with the checks of .clang-tidy."""

from __future__ import annotations

from tools.tidy import analysis
from tools.tidy.finding import Finding
from tools.tidy.rules import confined
from tools.tidy.tree import Tree

name = "clang_tidy"
explain = "clang-tidy and the static analyzer are silent about what changed (everything: --all)"


def check(tree: Tree) -> list[Finding]:
    return [
        Finding(one.path, one.line, one.message, f"see the check {one.check}")
        for one in analysis.diagnostics(tree)
        if one.check != confined.POINTER_CHECK
    ]
