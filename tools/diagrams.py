#!/usr/bin/env python3
"""Parts of the documents that are made from what the code really is: diagrams and tables.

`include-graph` comes from the real includes, `startup-graph` from the start-up graph that the
hosted kernel prints, `tidy-rules` from the rules themselves, `commands` and `commands-GROUP` from
the commands that the hosted kernel declares (tools/command_pages.py). All are Markdown; the graphs
are Mermaid. The tidy rule `generated` keeps them up to date where a document says
<!-- generated:NAME --> ... <!-- /generated -->.

    tools/diagrams.py include-graph
    tools/diagrams.py startup-graph [--from FILE]
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tools import command_pages  # noqa: E402
from tools.tidy import rules  # noqa: E402
from tools.tidy.tree import NeedsBuild, Tree  # noqa: E402

Edges = set[tuple[str, str]]


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)


def reduced(edges: Edges) -> Edges:
    """`edges` of an acyclic graph without those that a longer path implies."""
    reach: dict[str, set[str]] = {}

    def below(node: str) -> set[str]:
        if node not in reach:
            reach[node] = set()
            for source, target in edges:
                if source == node:
                    reach[node] |= {target} | below(target)
        return reach[node]

    def implied(source: str, target: str) -> bool:
        return any(
            target in below(other) for node, other in edges if node == source and other != target
        )

    return {edge for edge in edges if not implied(*edge)}


def mermaid(edges: Edges, nodes: list[str], direction: str, groups: dict[str, list[str]]) -> str:
    """A Mermaid flow chart in a fenced block, the same for the same graph."""
    lines = ["```mermaid", f"flowchart {direction}"]
    grouped = {node for members in groups.values() for node in members}
    for title, members in groups.items():
        inside = [node for node in nodes if node in members]
        if inside:
            lines.append(f'    subgraph {_identifier(title)}_group ["{title}"]')
            lines += [f'        {_identifier(node)}["{node}"]' for node in inside]
            lines.append("    end")
    lines += [f'    {_identifier(node)}["{node}"]' for node in nodes if node not in grouped]
    lines += [f"    {_identifier(a)} --> {_identifier(b)}" for a, b in sorted(edges)]
    return "\n".join([*lines, "```", ""])


def include_graph(tree: Tree) -> str:
    """The rooms and machines, an arrow from each to what it includes, less those implied."""
    ladder = rules.load()[0]
    order = tree.ladder["ladder"]
    shown = set(order) | set(tree.ladder["uses_hal"]) - {"hal/exemplar"}
    edges = {edge for edge in ladder.room_edges(tree) if edge[0] in shown and edge[1] in shown}
    present = {ladder.room_of(path) for path in tree.sources("core/", "hal/")} & shown
    rooms = [room for room in reversed(order) if room in present and room != "hal"]
    machines = sorted(present - set(order))
    groups = {"core": rooms, "the contract": ["hal"], "machines": machines}
    return mermaid(reduced(edges), [*rooms, "hal", *machines], "TD", groups)


def startup_of(steps: list[dict[str, str]]) -> str:
    """The start-up graph from the rows of `startup`: step and requires. Raises ValueError."""
    names = [one["step"] for one in steps]
    edges = {(required, one["step"]) for one in steps for required in one["requires"].split()}
    unknown = sorted({source for source, _ in edges} - set(names))
    if unknown:
        raise ValueError(f"steps that are required but do not exist: {', '.join(unknown)}")
    return mermaid(reduced(edges), names, "LR", {})


def startup_from(text: str) -> str:
    """The start-up graph from what `startup` printed with --json."""
    answers = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return startup_of(next(one["output"] for one in answers if one.get("command") == "startup"))


def startup_graph(tree: Tree) -> str:
    """The start-up graph of the hosted kernel. Raises NeedsBuild if that cannot be asked."""
    kernel = tree.root / command_pages.KERNEL
    try:
        return startup_of(command_pages.answer(kernel, "startup"))
    except (ValueError, KeyError) as error:
        raise NeedsBuild(
            f"{kernel} does not tell its start-up graph ({error});"
            " run: cmake --build --preset release"
        ) from error


def tidy_rules(_: Tree) -> str:
    """The rules of tidy, one line each."""
    return "".join(f"- `{rule.name}`: {rule.explain}\n" for rule in rules.load())


GENERATORS = {
    "include-graph": include_graph,
    "startup-graph": startup_graph,
    "tidy-rules": tidy_rules,
    "commands": command_pages.index,
}
GROUP_PREFIX = "commands-"


def generator(part: str) -> Callable[[Tree], str] | None:
    """What makes the part of that name from a tree, if anybody does. It may raise NeedsBuild, and
    LookupError where the kernel has no such group of commands."""
    if part.startswith(GROUP_PREFIX):
        group = part.removeprefix(GROUP_PREFIX)
        return functools.partial(command_pages.page, group=group)
    return GENERATORS.get(part)


def main() -> int:
    parser = argparse.ArgumentParser(description="Draw a diagram from what the code is.")
    known = ", ".join([*sorted(GENERATORS), f"{GROUP_PREFIX}GROUP"])
    parser.add_argument("name", help=known)
    parser.add_argument("--from", dest="source", type=Path, help="what `startup` printed")
    options = parser.parse_args()
    try:
        if options.source is not None:
            if options.name != "startup-graph":
                parser.error("--from belongs to startup-graph")
            print(startup_from(options.source.read_text()), end="")
        else:
            maker = generator(options.name)
            if maker is None:
                parser.error(f"nobody generates {options.name}; known are: {known}")
            print(maker(Tree(ROOT)), end="")
    except (NeedsBuild, OSError, ValueError, LookupError, StopIteration) as error:
        print(f"diagrams: {error}", file=sys.stderr)
        return 69 if isinstance(error, NeedsBuild) else 74
    return 0


if __name__ == "__main__":
    sys.exit(main())
