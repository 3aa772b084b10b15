"""What binutils says about object files, remembered under the hash of each object."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.tidy.cache import digest
from tools.tidy.tree import Tree, version_of


RULES = Path(__file__).resolve().parent / "rules"


@dataclass(frozen=True)
class Symbol:
    """A line of the symbol table. `flags` are objdump's seven columns."""

    name: str
    section: str
    flags: str
    size: int

    @property
    def is_weak(self) -> bool:
        return self.flags[1] == "w" or self.flags[0] == "u"

    @property
    def is_section_or_file(self) -> bool:
        return self.flags[5] in "df"


@dataclass(frozen=True)
class Section:
    name: str
    size: int
    flags: frozenset[str]


def objdump(*arguments: str) -> str:
    done = subprocess.run(["objdump", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def symbols(path: Path) -> list[Symbol]:
    """The symbols that are defined in an object, demangled."""
    found = []
    for line in objdump("-t", "-w", "-C", str(path)).splitlines():
        if "\t" not in line:
            continue
        left, right = line.split("\t", 1)
        address, flags, section = left[:16], left[17:24], left[25:]
        size, _, symbol = right.partition(" ")
        if address.strip() and section != "*UND*":
            symbol = symbol.removeprefix(".hidden ").strip()
            found.append(Symbol(symbol, section, flags, int(size, 16)))
    return found


def sections(path: Path) -> list[Section]:
    found = []
    for line in objdump("-h", "-w", str(path)).splitlines():
        columns = line.split()
        if columns and columns[0].isdigit():
            flags = frozenset(word.strip(",") for word in columns[7:])
            found.append(Section(columns[1], int(columns[2], 16), flags))
    return found


class Remembered:
    """Answers about objects, in one cache file; forgotten when the rule `name` is written anew."""

    def __init__(self, tree: Tree, name: str):
        self._cache = tree.cache(name)
        code = (Path(__file__), RULES / f"{name}.py")
        self._version = version_of("objdump") + "".join(file.read_text() for file in code)

    def ask(self, question: str, path: Path, work):
        """work(path), which must be JSON and not None, unless it is known for these bytes."""
        key = digest(self._version, question, path.read_bytes())
        answer = self._cache.get(key)
        if answer is None:
            answer = work(path)
            self._cache.put(key, answer)
        return answer
