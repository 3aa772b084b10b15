"""Just enough of C++'s lexical grammar to tell code from comments and literals.

Both functions keep every newline and column, so that a position in the result is the position in
the source. Grammar: ISO C++23 [lex.comment], [lex.string], [lex.ccon], [lex.ppnumber]."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
      (?P<comment> //(?:\\\n|[^\n])* | /\*.*?(?:\*/|\Z) )
    | (?P<raw> \b(?:u8|[uUL])?R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)" )
    | (?P<number> \b[0-9](?:'?[0-9A-Za-z_.])* )
    | (?P<string> "(?:\\.|[^"\\\n])*" )
    | (?P<character> '(?:\\.|[^'\\\n])+' )
    """,
    re.VERBOSE | re.DOTALL,
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def without_comments(source: str) -> str:
    """`source` with comments replaced by blanks."""

    def replace(match: re.Match) -> str:
        return _blank(match.group()) if match.group("comment") else match.group()

    return _TOKEN.sub(replace, source)


def code_only(source: str) -> str:
    """`source` with comments and the contents of literals replaced by blanks."""

    def replace(match: re.Match) -> str:
        text = match.group()
        if match.group("comment"):
            return _blank(text)
        if match.group("number"):
            return text
        return text[0] + _blank(text[1:-1]) + text[-1] if len(text) > 1 else text

    return _TOKEN.sub(replace, source)


def without_directives(code: str) -> str:
    """`code` with preprocessor directives, continuation lines included, replaced by blanks."""
    return _DIRECTIVE.sub(lambda match: _blank(match.group()), code)


def includes(source: str) -> list[tuple[int, str, bool]]:
    """The include directives of `source`: (line, name, whether it is quoted)."""
    text = without_comments(source)
    return [
        (text.count("\n", 0, match.start(1)) + 1, match.group(2), match.group(1) == '"')
        for match in _INCLUDE.finditer(text)
    ]


def line_of(text: str, position: int) -> int:
    """The line, counted from 1, of the character at `position`."""
    return text.count("\n", 0, position) + 1
