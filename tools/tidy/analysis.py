"""clang-tidy and the clang static analyzer, run on what changed and remembered.

One run serves two rules: `clang_tidy` reports what .clang-tidy asks for, `confined` counts pointer
arithmetic. An answer is kept under the hash of the source, of all project files it includes, of its
flags, of every .clang-tidy and of the program's version. A changed header is examined through one
source that includes it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import dataclass

from tools.tidy.cache import digest
from tools.tidy.commands_database import Compilation
from tools.tidy.tree import SOURCES, Tree, in_parallel, version_of

PROGRAM = "clang-tidy-19"
PRESET = "clang"
FOLDERS = ("core/", "hal/", "apps/", "tests/", "tools/", "bench/", "sim/")

_LINE = re.compile(r"^(/[^:\n]+):(\d+):\d+: (?:warning|error): (.*) \[([\w.,-]+)\]$", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Diagnostic:
    path: str
    line: int
    message: str
    check: str


def _one_each(compilations: list[Compilation]) -> dict[str, Compilation]:
    """One compilation for each source: the host's where it is compiled for several machines."""
    chosen: dict[str, Compilation] = {}
    for one in sorted(compilations, key=lambda one: (not one.target.endswith("_host"), one.target)):
        if one.source.startswith(FOLDERS) and one.source.endswith(".cpp"):
            chosen.setdefault(one.source, one)
    return chosen


def _wanted(tree: Tree, sources: dict[str, Compilation]) -> list[str]:
    """The sources to examine: those that changed, and one for each changed header."""
    changed = [path for path in tree.changed if path.startswith(FOLDERS) and path.endswith(SOURCES)]
    wanted = {path for path in changed if path in sources}
    for header in sorted(path for path in changed if path.endswith(".hpp")):
        users = [path for path in sources if header in tree.include_graph.closure(path)]
        if users and not wanted.intersection(users):
            wanted.add(min(users, key=lambda path: (len(tree.include_graph.closure(path)), path)))
    return sorted(wanted)


def _parse(tree: Tree, output: str) -> list[list]:
    """The diagnostics about files of the tree, as plain lists."""
    found = set()
    for path, line, message, check in _LINE.findall(output):
        relative = path.removeprefix(f"{tree.root}/")
        if relative in tree.file_set:
            found.add((relative, int(line), message, check.split(",")[0]))
    return [list(one) for one in sorted(found)]


def _examine(tree: Tree, one: Compilation, settings: str, version: str) -> list[list]:
    cache = tree.cache("clang_tidy")
    key = digest(version, settings, "\0".join(one.flags()), tree.closure_text(one.source))
    answer = cache.get(key)
    if answer is None:
        command = [PROGRAM, "-p", str(tree.root / "build" / "tidy"), "--quiet", one.source]
        done = subprocess.run(command, cwd=tree.root, capture_output=True, text=True, check=False)
        answer = _parse(tree, done.stdout)
        if done.returncode != 0 and not answer:
            complaint = (done.stderr or done.stdout).strip().splitlines()
            answer = [[one.source, 0, complaint[-1] if complaint else "it failed", PROGRAM]]
        cache.put(key, answer)
    return answer


def diagnostics(tree: Tree) -> list[Diagnostic]:
    """Everything that clang-tidy says about the sources that changed. Computed once a run.
    Raises NeedsBuild without the compile commands of the clang preset."""
    if not hasattr(tree, "_diagnostics"):
        sources = _one_each(tree.build(PRESET))
        wanted = _wanted(tree, sources)
        version = version_of(PROGRAM)
        database = [
            {
                "directory": str(one.directory),
                "file": str(tree.root / one.source),
                "command": shlex.join(one.arguments),
            }
            for one in sources.values()
        ]
        folder = tree.root / "build" / "tidy"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "compile_commands.json").write_text(json.dumps(database))
        settings = "\0".join(tree.text(path) for path in tree.select(suffixes=(".clang-tidy",)))
        answers = in_parallel(lambda path: _examine(tree, sources[path], settings, version), wanted)
        tree._diagnostics = sorted({Diagnostic(*one) for answer in answers for one in answer})
    return tree._diagnostics
