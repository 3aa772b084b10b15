"""The pages of the kernel's commands, made of what the kernel itself declares.

The hosted kernel's command `commands` tells its registry (core/boot/command.hpp): every command with its arguments and
examples. `index` is the table of docs/commands.md, `page` the part of docs/commands/GROUP.md. The tidy rule `generated`
keeps both up to date (tools/diagrams.py).
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tools.tidy.tree import NeedsBuild, Tree  # noqa: E402

KERNEL = "build/release/apps/host/twofold-host"
KINDS = {
    "text": "text",
    "number": "a number",
    "command": "a command",
    "thread": "the number of a thread",
    "scenario": "a scenario",
    "variable": "a variable",
    "column": "a column",
    "theme": "a theme",
    "layout": "a layout",
}
COUNTS = {"one": "", "optional": "may be left out", "any": "as many as wanted"}

Row = dict[str, str]


@dataclass
class Command:
    """One command as it is declared. `usage` is what stands behind its name."""

    name: str
    usage: str
    summary: str
    arguments: list[Row] = field(default_factory=list)
    examples: list[Row] = field(default_factory=list)


Registry = dict[str, list[Command]]


def answer(kernel: Path, line: str) -> list[Row]:
    """The rows and lines that a command of the hosted kernel prints. Raises NeedsBuild if it cannot be asked."""
    try:
        done = subprocess.run(
            [str(kernel), "--json", "--command", line],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return next(json.loads(row)["output"] for row in done.stdout.splitlines() if row.startswith("{"))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, StopIteration) as error:
        raise NeedsBuild(f"{kernel} does not answer `{line}` ({error}); run: cmake --build --preset release") from error


def registry_of(rows: list[Row]) -> Registry:
    """Commands by group, in the kernel's order, from the rows of the three tables of `commands`. Raises ValueError."""
    groups: Registry = {}
    by_name: dict[str, Command] = {}
    for row in rows:
        if "summary" in row:
            command = Command(row["command"], row["arguments"], row["summary"])
            by_name[command.name] = command
            groups.setdefault(row["group"], []).append(command)
        elif "argument" in row:
            by_name[row["command"]].arguments.append(row)
        elif "example" in row:
            by_name[row["command"]].examples.append(row)
        else:
            raise ValueError(f"a row of no table: {row}")
    return groups


@functools.cache
def _ask(kernel: Path, _changed: float) -> Registry:
    return registry_of(answer(kernel, "commands"))


def registry(tree: Tree) -> Registry:
    """What the hosted kernel of the tree declares; asked once. Raises NeedsBuild."""
    kernel = tree.root / KERNEL
    try:
        return _ask(kernel, kernel.stat().st_mtime)
    except (OSError, ValueError, KeyError) as error:
        raise NeedsBuild(f"{KERNEL} tells no registry ({error}); run: cmake --build --preset release") from error


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


def _taken(argument: Row) -> str:
    """What an argument may be, in a few words."""
    choices = argument["choices"].split()
    kind = " ".join(["one of", *map(_code, choices)]) if choices else KINDS[argument["kind"]]
    return "; ".join(word for word in (kind, COUNTS[argument["count"]]) if word)


def _section(command: Command) -> str:
    lines = [f"## {command.name}", "", command.summary[:1].upper() + command.summary[1:] + "."]
    lines += ["", "```", " ".join(filter(None, (command.name, command.usage))), "```"]
    if command.arguments:
        lines += ["", "| argument | meaning | what is taken |", "|---|---|---|"]
        lines += [f"| `{one['argument']}` | {_cell(one['meaning'])} | {_taken(one)} |" for one in command.arguments]
    if command.examples:
        lines += [""]
        lines += [f"- `{one['example']}`: {one['shows']}" for one in command.examples]
    return "\n".join(lines) + "\n"


def page_of(groups: Registry, group: str) -> str:
    """The page of a group. Raises LookupError: there is none."""
    if group not in groups:
        raise LookupError(f"the kernel has no group of commands '{group}', but {', '.join(groups)}")
    return "\n" + "\n".join(map(_section, groups[group])) + "\n"


def index_of(groups: Registry) -> str:
    """A table of all commands, with links to their pages."""
    lines = ["", "| command | arguments | what it does |", "|---|---|---|"]
    for group, commands in groups.items():
        place = f"commands/{group}.md"
        lines += [f"| **[{group}]({place})** | | |"]
        lines += [
            f"| [{one.name}]({place}#{one.name}) | {_code(one.usage)} | {_cell(one.summary)} |" for one in commands
        ]
    return "\n".join(lines) + "\n\n"


def page(tree: Tree, group: str) -> str:
    return page_of(registry(tree), group)


def index(tree: Tree) -> str:
    return index_of(registry(tree))
