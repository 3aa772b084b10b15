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
# A header that CMake has compiled beforehand (target_precompile_headers), and what brings it in.
_PRECOMPILED = re.compile(r"/cmake_pch\.hxx(?:\.pch)?$")
_BRINGS_IN = ("-Xclang", "-include", "-include-pch")
_TARGET = re.compile(r"CMakeFiles/([^/]+)\.dir/")


@dataclass(frozen=True)
class Compilation:
    """One source compiled once, for one target."""

    source: str  # relative to the repository root; absolute if it lies outside
    directory: Path
    arguments: tuple[str, ...]  # without precompiled headers
    object: Path  # of several sources together where they are joined
    target: str
    is_first: bool = True  # neither joined sources nor precompiled headers come before it

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
        written = tuple(entry.get("arguments") or shlex.split(entry["command"]))
        arguments = _without_precompiled(written)
        if "output" in entry:
            output = entry["output"]
        else:
            output = arguments[arguments.index("-o") + 1]
        match = _TARGET.search(output)
        target = match.group(1) if match else ""
        parts = _parts(file)
        for place, source in enumerate(parts):
            relative = (
                source.relative_to(root).as_posix() if source.is_relative_to(root) else str(source)
            )
            alone = tuple(str(source) if word == str(file) else word for word in arguments)
            is_first = place == 0 and arguments == written
            compilations.append(
                Compilation(relative, directory, alone, directory / output, target, is_first)
            )
    return compilations


def _without_precompiled(arguments: tuple[str, ...]) -> tuple[str, ...]:
    kept: list[str] = []
    for word in arguments:
        if not _PRECOMPILED.search(word):
            kept.append(word)
            continue
        while kept[-1] in _BRINGS_IN:
            kept.pop()
    return tuple(kept)


def _parts(file: Path) -> list[Path]:
    """The sources that `file` joins, or `file` itself."""
    if not _JOINED.search(str(file)):
        return [file]
    return [Path(part) for part in _PART.findall(file.read_text())]
