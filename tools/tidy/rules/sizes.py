"""Files, functions and lines stay small enough to be read in one sitting.

What is over a limit is recorded in ratchet.json with its size; that number may only fall.
"""

from __future__ import annotations

import ast

from tools.tidy import ratchet
from tools.tidy.finding import Finding
from tools.tidy.functions import Function, functions
from tools.tidy.tree import SOURCES, Tree

name = "sizes"
explain = "files of at most 500 lines, functions of at most 70, lines of 100 columns (scripts 120)"

FILE_LINES = 500
FUNCTION_LINES = 70
COLUMNS = 100
COLUMNS_OF_SCRIPTS = 120
SCRIPTS = (".cmake", "CMakeLists.txt", ".S", ".py", ".ld", ".sh", "twofold")
MEASURED = (*SOURCES, ".c", ".h", *SCRIPTS)


def _python_functions(text: str) -> list[Function]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        Function(node.name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, kinds)
    ]


def _functions(tree: Tree, path: str) -> list[Function]:
    if path.endswith(SOURCES):
        return functions(tree.code(path))
    return _python_functions(tree.text(path)) if path.endswith(".py") else []


def _measure(tree: Tree) -> tuple[dict[str, int], dict[str, tuple[str, int, str]]]:
    """What is over a limit: size by key, and where and what each key is."""
    over: dict[str, int] = {}
    places: dict[str, tuple[str, int, str]] = {}
    for path in tree.select(suffixes=MEASURED):
        lines = tree.text(path).count("\n")
        if lines > FILE_LINES:
            over[path] = lines
            places[path] = (path, 0, f"{lines} lines (limit {FILE_LINES})")
        for function in _functions(tree, path):
            if function.lines > FUNCTION_LINES:
                key = f"{path}:{function.name}"
                over[key] = max(over.get(key, 0), function.lines)
                what = f"{function.name} has {over[key]} lines (limit {FUNCTION_LINES})"
                places[key] = (path, function.first_line, what)
    return over, places


def _wide_lines(tree: Tree) -> list[Finding]:
    found = []
    for path in tree.select(suffixes=MEASURED):
        limit = COLUMNS_OF_SCRIPTS if path.endswith(SCRIPTS) else COLUMNS
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            if len(line) > limit:
                wrong = f"{len(line)} columns (limit {limit})"
                found.append(Finding(path, number, wrong, "break the line"))
    return found


def check(tree: Tree) -> list[Finding]:
    over, places = _measure(tree)
    instead = "give each transition or concern its own function or file"
    return ratchet.compare(tree, name, over, places, instead) + _wide_lines(tree)


def fix(tree: Tree) -> None:
    ratchet.lower(tree, name, _measure(tree)[0])
