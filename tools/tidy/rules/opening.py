"""A file opens by saying what it is for (docs/ARCHITECTURE.md, "Style")."""

from __future__ import annotations

import ast
import re

from tools.tidy.finding import Finding
from tools.tidy.tree import SOURCES, Tree

name = "opening"
explain = "a source opens with a comment on its purpose; a header is guarded by #pragma once"


def _python(tree: Tree, path: str) -> bool:
    text = tree.text(path)
    return not text.strip() or ast.get_docstring(ast.parse(text)) is not None


def check(tree: Tree) -> list[Finding]:
    found = []
    instead = "say what the file is for, its invariants and its neighbours"
    for path in tree.sources():
        text = tree.text(path)
        if not text.startswith(("// ", "/* ")):
            found.append(Finding(path, 1, "does not open with a comment", instead))
        if path.endswith(".hpp") and not re.search(r"^#pragma once$", text, re.MULTILINE):
            found.append(Finding(path, 1, "a header without #pragma once", "add it"))
    for path in tree.select(suffixes=(".py",)):
        if not _python(tree, path):
            found.append(Finding(path, 1, "does not open with a documentation string", instead))
    return found
