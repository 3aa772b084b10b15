"""Every file is used: sources are built, headers included, scripts named by somebody."""

from __future__ import annotations

import re

from tools.tidy.finding import Finding
from tools.tidy.tree import Tree

name = "unused"
explain = "every source is named by the build, every header included, every script mentioned"

FOLDERS = ("core/", "hal/", "apps/", "tools/", "tests/", "bench/", "sim/")
BUILT = (".cpp", ".c", ".S", ".ld")
HEADERS = (".hpp", ".h")
MENTIONING = (".py", ".sh", ".cmake", "CMakeLists.txt", ".json", ".md", "twofold", "/run", ".yml")

_WORD = re.compile(r"[\w./${}-]+")


class _Named:
    """The paths that CMake files name; a variable in a name stands for any one part of it."""

    def __init__(self, names: set[str]) -> None:
        self._plain = frozenset(names)
        patterns = (re.escape(one) for one in names if "${" in one)
        self._patterns = [re.compile(re.sub(r"\\\$\\\{\w+\\\}", "[^/]+", one)) for one in patterns]

    def __contains__(self, path: str) -> bool:
        return path in self._plain or any(one.fullmatch(path) for one in self._patterns)


def _named_by_build(tree: Tree) -> _Named:
    """The paths that CMake files name, with folders of CMake variables resolved."""
    named = set()
    for path in tree.select(suffixes=("CMakeLists.txt", ".cmake")):
        folder = path.rpartition("/")[0]
        text = re.sub(r"(?m)#.*$", "", tree.text(path))
        for word in _WORD.findall(text):
            word = re.sub(r"\$\{(?:CMAKE|PROJECT)_SOURCE_DIR\}/", "/", word)
            word = re.sub(r"\$\{CMAKE_CURRENT_(?:SOURCE|LIST)_DIR\}/", "", word)
            if word.startswith("tests/"):  # a command that runs in the root
                word = "/" + word
            parts: list[str] = []
            for part in (word if word.startswith("/") else f"{folder}/{word}").split("/"):
                if part == "..":
                    parts = parts[:-1]
                elif part not in ("", "."):
                    parts.append(part)
            named.add("/".join(parts))
    return _Named(named)


def _scripts(tree: Tree, named: _Named) -> list[Finding]:
    """Python and shell files nobody imports or mentions."""
    mentions = {path: tree.text(path) for path in tree.select(suffixes=MENTIONING)}
    found = []
    for path in tree.select(FOLDERS, (".py", ".sh")):
        name_ = path.rpartition("/")[2]
        if name_ in ("__init__.py", "__main__.py") or path in named:
            continue
        pattern = re.compile(rf"\b{re.escape(name_.rpartition('.')[0])}\b")
        if not any(pattern.search(text) for other, text in mentions.items() if other != path):
            found.append(Finding(path, 0, "nobody mentions this script", "use it, or remove it"))
    return found


def check(tree: Tree) -> list[Finding]:
    named = _named_by_build(tree)
    included = {
        target for one in tree.include_graph.all for target in one.targets if target != one.source
    }
    found = []
    for path in tree.select(FOLDERS, BUILT):
        if path not in named and path not in included:
            wrong = "no CMakeLists.txt names this source"
            found.append(Finding(path, 0, wrong, "add it to a target, or remove it"))
    for path in tree.select(FOLDERS, HEADERS):
        if path not in included:
            found.append(Finding(path, 0, "nobody includes this header", "use it, or remove it"))
    return found + _scripts(tree, named)
