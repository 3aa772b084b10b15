"""The include graph, computed from the real `#include` lines.

A quoted name is a path from the repository root or from hal/include. `<machine/...>` and
`<mutant_choice.hpp>` are chosen by include path: the graph follows every candidate. What is not in
the tree (the standard library, Debian's packages) is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from tools.tidy import lexer

CONTRACT = "hal/include/"


@dataclass(frozen=True)
class Include:
    """One directive. `targets` is empty if the tree has no such file."""

    source: str
    line: int
    name: str
    quoted: bool
    targets: tuple[str, ...]


class IncludeGraph:
    """Directives by file, and what they reach."""

    def __init__(
        self,
        files: frozenset[str],
        sources: list[str],
        text: Callable[[str], str],
        ladder: dict,
    ):
        self._files = files
        self._chosen = tuple(ladder.get("chosen", {}).get("folders", []))
        self._closures: dict[str, frozenset[str]] = {}
        self.by_file = {path: self._directives(path, text(path)) for path in sources}

    def _directives(self, path: str, text: str) -> list[Include]:
        return [
            Include(path, line, name, quoted, self._resolve(path, name, quoted))
            for line, name, quoted in lexer.includes(text)
        ]

    def _resolve(self, path: str, name: str, quoted: bool) -> tuple[str, ...]:
        if quoted:
            folder = path.rpartition("/")[0]
            for candidate in (name, CONTRACT + name, f"{folder}/{name}"):
                if candidate in self._files:
                    return (candidate,)
        found = [folder + name for folder in self._chosen if folder + name in self._files]
        return tuple(found)

    @property
    def all(self) -> list[Include]:
        return [one for directives in self.by_file.values() for one in directives]

    def closure(self, path: str) -> frozenset[str]:
        """Every file of the tree that `path` includes, directly or not, without itself."""
        if path not in self._closures:
            reached: set[str] = set()
            waiting = [path]
            while waiting:
                for one in self.by_file.get(waiting.pop(), []):
                    for target in one.targets:
                        if target not in reached:
                            reached.add(target)
                            waiting.append(target)
            self._closures[path] = frozenset(reached - {path})
        return self._closures[path]


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected components with more than one node (Tarjan 1972), each sorted."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part: list[str] = []
            while not part or part[-1] != node:
                part.append(stack.pop())
            if len(part) > 1:
                found.append(sorted(part))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found
