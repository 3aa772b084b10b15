"""How each source is compiled: build/<preset>/compile_commands.json, as CMake writes it."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

_TARGET = re.compile(r"CMakeFiles/([^/]+)\.dir/")


@dataclass(frozen=True)
class Compilation:
    """One source compiled once, for one target."""

    source: str  # relative to the repository root; absolute if it lies outside
    directory: Path
    arguments: tuple[str, ...]
    object: Path
    target: str

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
        source = directory / entry["file"]
        relative = (
            source.relative_to(root).as_posix() if source.is_relative_to(root) else str(source)
        )
        arguments = tuple(entry.get("arguments") or shlex.split(entry["command"]))
        if "output" in entry:
            output = entry["output"]
        else:
            output = arguments[arguments.index("-o") + 1]
        match = _TARGET.search(output)
        target = match.group(1) if match else ""
        compilations.append(Compilation(relative, directory, arguments, directory / output, target))
    return compilations
