"""Formatting is clang-format's, with the settings of .clang-format, and never argued about."""

from __future__ import annotations

import re
import subprocess

from tools.tidy.cache import digest
from tools.tidy.finding import Finding
from tools.tidy.tree import Tree, in_parallel, version_of

name = "format"
explain = "every C++ file is as clang-format writes it"

PROGRAM = "clang-format-19"
_LINE = re.compile(r":(\d+):\d+: (?:error|warning): code should be clang-formatted")


def _settings(tree: Tree) -> str:
    file = tree.root / ".clang-format"
    return version_of(PROGRAM) + (file.read_text() if file.exists() else "")


def _first_line(tree: Tree, path: str, settings: str) -> int:
    """The first line that clang-format would change, 0 if there is none."""
    cache = tree.cache(name)
    key = digest(settings, path, tree.text(path))
    answer = cache.get(key)
    if answer is None:
        command = [PROGRAM, "--dry-run", "-Werror", "--style=file", path]
        done = subprocess.run(command, cwd=tree.root, capture_output=True, text=True, check=False)
        match = _LINE.search(done.stderr)
        answer = int(match.group(1)) if match else (0 if done.returncode == 0 else 1)
        cache.put(key, answer)
    return answer


def check(tree: Tree) -> list[Finding]:
    settings = _settings(tree)
    paths = tree.sources()
    lines = in_parallel(lambda path: _first_line(tree, path, settings), paths)
    return [
        Finding(path, line, "not as clang-format writes it", "run: ./twofold tidy --fix format")
        for path, line in zip(paths, lines)
        if line > 0
    ]


def fix(tree: Tree) -> None:
    for finding in check(tree):
        command = [PROGRAM, "-i", "--style=file", finding.path]
        subprocess.run(command, cwd=tree.root, check=True)
        tree.write(finding.path, (tree.root / finding.path).read_text())
