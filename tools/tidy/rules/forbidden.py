"""Tokens that do not belong, each with what takes its place. They are listed in forbidden.toml."""

from __future__ import annotations

import re

from tools.tidy import lexer
from tools.tidy.finding import Finding
from tools.tidy.tree import SOURCES, Tree

name = "forbidden"
explain = "no token that breaks a decision of the house, area by area (forbidden.toml)"

_DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*((?:\\\n|[^\n])*)", re.MULTILINE)


def _regions(tree: Tree, path: str, where: str) -> list[tuple[int, str]]:
    """What of a file a token is looked for in: (position, text) of each part."""
    if where == "text":
        return [(0, tree.text(path))]
    if where == "code":
        return [(0, tree.code(path))]
    assert where == "directive", where
    source = lexer.without_comments(tree.text(path))
    return [(match.start(1), match.group(1)) for match in _DIRECTIVE.finditer(source)]


def _search(tree: Tree, path: str, token: dict, pattern: re.Pattern) -> list[Finding]:
    found = []
    for start, text in _regions(tree, path, token["in"]):
        for match in pattern.finditer(text):
            line = lexer.line_of(tree.text(path), start + match.start())
            wrong = token["wrong"].replace("{}", match.group().strip())
            found.append(Finding(path, line, wrong, token["instead"]))
    return found


def check(tree: Tree) -> list[Finding]:
    found = []
    for token in tree.settings("forbidden.toml")["token"]:
        pattern = re.compile(token["pattern"])
        excepted = tuple(token.get("except", ()))
        for path in tree.select(token["area"], token.get("suffixes", SOURCES)):
            if not (excepted and path.startswith(excepted)):
                found += _search(tree, path, token, pattern)
    return found
