"""How each source is compiled: build/<preset>/compile_commands.json, as CMake writes it."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

# A source that CMake made of several (UNITY_BUILD), and the lines by which it includes them.
_JOINED = re.compile(r"/CMakeFiles/[^/]+\.dir/Unity/unity_\d+_\w+\.\w+$")
_PART = re.compile(r'^#include "([^"]+)"$', re.MULTILINE)
_TARGET = re.compile(r"CMakeFiles/([^/]+)\.dir/")


@dataclass(frozen=True)
class Compilation:
    """One source compiled once, for one target."""

    source: str  # relative to the repository root; absolute if it lies outside
    directory: Path
    arguments: tuple[str, ...]
    object: Path  # of several sources together where they are joined
    target: str
    is_joined: bool = False

    @property
    def is_kernel(self) -> bool:
        """Whether this is freestanding code of the kernel, not a program of the host."""
        return "-ffreestanding" in self.arguments

    def flags(self) -> list[str]:
        """The arguments without the compiler, the source, the output and dependency files."""
        kept: list[str] = []
        skip_next = False
        for argument in self.arguments[1:]:
            if skip_next:
                skip_next = False
            elif argument in ("-o", "-MF", "-MT", "-MQ"):
                skip_next = True
            elif argument in ("-c", "-MD", "-MMD") or argument.endswith(self.source):
                continue
            else:
                kept.append(argument)
        return kept


def load(root: Path, build: Path) -> list[Compilation]:
    """The compilations of one build folder. Raises OSError or ValueError if it is not
    configured."""
    compilations = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        directory = Path(entry["directory"])
        file = directory / entry["file"]
        arguments = tuple(entry.get("arguments") or shlex.split(entry["command"]))
        if "output" in entry:
            output = entry["output"]
        else:
            output = arguments[arguments.index("-o") + 1]
        match = _TARGET.search(output)
        target = match.group(1) if match else ""
        parts = _parts(file)
        for source in parts:
            relative = (
                source.relative_to(root).as_posix() if source.is_relative_to(root) else str(source)
            )
            alone = tuple(str(source) if word == str(file) else word for word in arguments)
            compilations.append(
                Compilation(
                    relative, directory, alone, directory / output, target, parts != [file]
                )
            )
    return compilations


def _parts(file: Path) -> list[Path]:
    """The sources that `file` joins, or `file` itself."""
    if not _JOINED.search(str(file)):
        return [file]
    return [Path(part) for part in _PART.findall(file.read_text())]
