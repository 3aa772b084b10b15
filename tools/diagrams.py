#!/usr/bin/env python3
"""Diagrams for the documents, drawn from what the code really is.

`include-graph` comes from the real includes, `startup-graph` from the start-up graph that the
hosted kernel prints, `tidy-rules` from the rules themselves. All are Markdown; the graphs are
Mermaid. The tidy rule `generated` keeps them up to date where a document says
<!-- generated:NAME --> ... <!-- /generated -->.

    tools/diagrams.py include-graph
    tools/diagrams.py startup-graph [--from FILE]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tools.tidy import rules  # noqa: E402
from tools.tidy.tree import NeedsBuild, Tree  # noqa: E402

KERNEL = "build/release/apps/host/twofold-host"
STARTUP = ["--json", "--command", "startup"]

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


def startup_from(text: str) -> str:
    """The start-up graph from what `startup` printed with --json: rows with step and requires."""
    answers = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    steps = next(one["output"] for one in answers if one.get("command") == "startup")
    names = [one["step"] for one in steps]
    edges = {(required, one["step"]) for one in steps for required in one["requires"].split()}
    unknown = sorted({source for source, _ in edges} - set(names))
    if unknown:
        raise ValueError(f"steps that are required but do not exist: {', '.join(unknown)}")
    return mermaid(reduced(edges), names, "LR", {})


def startup_graph(tree: Tree) -> str:
    """The start-up graph of the hosted kernel. Raises NeedsBuild if that cannot be asked."""
    try:
        done = subprocess.run(
            [str(tree.root / KERNEL), *STARTUP],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return startup_from(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, StopIteration) as error:
        raise NeedsBuild(
            f"{KERNEL} does not tell its start-up graph ({error});"
            " run: cmake --build --preset release"
        ) from error


def tidy_rules(_: Tree) -> str:
    """The rules of tidy, one line each."""
    return "".join(f"- `{rule.name}`: {rule.explain}\n" for rule in rules.load())


GENERATORS = {
    "include-graph": include_graph,
    "startup-graph": startup_graph,
    "tidy-rules": tidy_rules,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Draw a diagram from what the code is.")
    parser.add_argument("name", choices=sorted(GENERATORS))
    parser.add_argument("--from", dest="source", type=Path, help="what `startup` printed")
    options = parser.parse_args()
    try:
        if options.source is not None:
            if options.name != "startup-graph":
                parser.error("--from belongs to startup-graph")
            print(startup_from(options.source.read_text()), end="")
        else:
            print(GENERATORS[options.name](Tree(ROOT)), end="")
    except (NeedsBuild, OSError, ValueError, KeyError, StopIteration) as error:
        print(f"diagrams: {error}", file=sys.stderr)
        return 69 if isinstance(error, NeedsBuild) else 74
    return 0


if __name__ == "__main__":
    sys.exit(main())
