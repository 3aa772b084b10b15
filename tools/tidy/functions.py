"""Where the functions of a C++ file begin and end, found by their braces.

A heuristic for formatted code, not a parser: at namespace and class scope, a brace whose head
contains a parameter list opens a function. What is inside a function is not looked at, so lambdas
and local classes count as part of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tools.tidy import lexer

_SCOPE = re.compile(r'\bnamespace\b|\bextern\s*"')
_TYPE = re.compile(r"\b(?:class|struct|union|enum)\b")
_ANNOTATED = re.compile(r"\b(class|struct)\s+[A-Z_]+\s*\([^)]*\)")
_NAME = re.compile(r"([~\w:]+|operator\s*\W{1,3})\s*\(")
_TEMPLATE = re.compile(r"^\s*(?:export\s+)?template\s*<")


@dataclass(frozen=True)
class Function:
    name: str
    first_line: int
    lines: int


def _without_template(head: str) -> str:
    """`head` without its leading template parameter lists."""
    while match := _TEMPLATE.match(head):
        depth, position = 1, match.end()
        while depth > 0 and position < len(head):
            depth += {"<": 1, ">": -1}.get(head[position], 0)
            position += 1
        head = head[position:]
    return head


def _bare(head: str) -> str:
    """`head` without template parameters, attributes, alignment and what a type is annotated with."""
    head = _ANNOTATED.sub(r"\1 ", _without_template(head))
    return re.sub(r"\[\[.*?\]\]|\balignas\s*\([^)]*\)", " ", head, flags=re.DOTALL)


def _opens(head: str) -> str:
    """What the brace after `head` opens: scope, function or other."""
    bare = _bare(head)
    if _SCOPE.search(bare) and "(" not in bare:
        return "scope"
    if re.search(r"\bconcept\b|(?:=|\brequires)\s*requires\b", bare):
        return "other"
    if "(" in bare:
        return "function"
    return "scope" if _TYPE.search(bare) else "other"


def _skip_block(code: str, position: int) -> int:
    """The position after the brace that closes the block opened just before `position`."""
    depth = 1
    while depth > 0 and position < len(code):
        depth += {"{": 1, "}": -1}.get(code[position], 0)
        position += 1
    return position


def functions(code: str) -> list[Function]:
    """The function definitions of `code`, whose comments and literals are blanked."""
    code = lexer.without_directives(code)
    found = []
    start = position = 0
    while position < len(code):
        letter = code[position]
        position += 1
        if letter in ";}":
            start = position
        elif letter == "{":
            head = code[start : position - 1]
            kind = _opens(head)
            if kind == "scope":
                start = position
                continue
            end = _skip_block(code, position)
            if kind == "function":
                first = start + len(head) - len(head.lstrip())
                names = _NAME.findall(_bare(head))
                line = lexer.line_of(code, first)
                lines = lexer.line_of(code, end - 1) - line + 1
                found.append(Function(names[0] if names else "lambda", line, lines))
                start = end
            position = end
    return found
