"""The parts of a Markdown document that can be checked: headings, links, command blocks, generated
parts.

Source: CommonMark 0.31 (fenced code blocks, links), and GitHub's rule for the anchors of headings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^( {0,3})(`{3,}|~{3,})\s*([^`\n]*)$")
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)")
_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_ANCHOR = re.compile(r"<a\s+(?:id|name)=\"([^\"]+)\"")
GENERATED_OPENING = re.compile(r"^<!-- generated:", re.MULTILINE)
_GENERATED = re.compile(r"^<!-- generated:([\w-]+) -->\n(.*?)^<!-- /generated -->$", re.M | re.S)


@dataclass(frozen=True)
class Fence:
    """A fenced block: `words` are those after the fence, `first_line` is that of its first content
    line."""

    words: tuple[str, ...]
    first_line: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Generated:
    """A part between <!-- generated:NAME --> and <!-- /generated -->, at [start, end) of the
    text."""

    name: str
    line: int
    start: int
    end: int
    body: str


def split(text: str) -> tuple[list[tuple[int, str]], list[Fence]]:
    """The lines outside of fenced blocks, each with its number, and the fenced blocks."""
    prose: list[tuple[int, str]] = []
    fences: list[Fence] = []
    opened: tuple[str, str, int] | None = None
    inside: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _FENCE.match(line)
        if opened is None:
            if match:
                opened = (match.group(2), match.group(3).strip(), number + 1)
                inside = []
            else:
                prose.append((number, line))
        elif match and match.group(2).startswith(opened[0]) and not match.group(3):
            fences.append(Fence(tuple(opened[1].split()), opened[2], tuple(inside)))
            opened = None
        else:
            inside.append(line)
    return prose, fences


def links(text: str) -> list[tuple[int, str]]:
    """The targets of links and images, each with its line; code is not looked at."""
    found = []
    for number, line in split(text)[0]:
        line = re.sub(r"(`+).+?\1", "", line)
        found += [(number, target) for target in _LINK.findall(line)]
        found += [(number, target) for target in _REFERENCE.findall(line)]
    return found


def anchors(text: str) -> set[str]:
    """The anchors that a link into this document may name."""
    found: set[str] = set(_ANCHOR.findall(text))
    seen: dict[str, int] = {}
    for _, line in split(text)[0]:
        if match := _HEADING.match(line):
            title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match.group(2))
            slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            count = seen.get(slug, 0)
            seen[slug] = count + 1
            found.add(slug if count == 0 else f"{slug}-{count}")
    return found


def commands(text: str, marked: str | None = None) -> list[tuple[int, str]]:
    """The commands in ```sh blocks, each with its line; of blocks with the further word `marked`
    only, if given. Comments and empty lines are left out, continued lines joined."""
    found = []
    for fence in split(text)[1]:
        if fence.words[:1] != ("sh",) or (marked is not None and marked not in fence.words[1:]):
            continue
        pending, first = "", 0
        for number, line in enumerate(fence.lines, fence.first_line):
            first = first if pending else number
            pending += line.removeprefix("$ ") if not pending else line.strip()
            if pending.endswith("\\"):
                pending = pending[:-1]
                continue
            if pending.strip() and not pending.lstrip().startswith("#"):
                found.append((first, pending.strip()))
            pending = ""
    return found


def generated(text: str) -> list[Generated]:
    """The generated parts of a document."""
    return [
        Generated(
            match.group(1),
            text.count("\n", 0, match.start()) + 1,
            match.start(2),
            match.end(2),
            match.group(2),
        )
        for match in _GENERATED.finditer(text)
    ]
