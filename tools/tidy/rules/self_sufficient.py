"""Each header compiles alone, so that the order of includes never matters.

The headers of core/ and of the contract are compiled against the exemplar machine, which is
declarations only; any other header as the first source that includes it is compiled. A machine's
half of the contract (machine/NAME.hpp) is entered through hal/NAME.hpp, as everybody does.

A header that a source includes before anything else has been compiled alone by the build already,
unless joined sources or precompiled headers come before that source. So has what such a header
itself includes first, and so on; the same goes for a header that is compiled here."""

from __future__ import annotations

import re
import subprocess

from tools.tidy.cache import digest
from tools.tidy.commands_database import Compilation
from tools.tidy.finding import Finding
from tools.tidy.tree import Tree, in_parallel, version_of

name = "self_sufficient"
explain = "every header compiles alone"

PRESET = "release"
MACHINE_NEUTRAL = ("core/", "hal/include/", "hal/exemplar/")
EXEMPLAR = "hal/exemplar/include"
_ERROR = re.compile(r"^([^:\n]+):(\d+):\d+: (?:fatal )?error: (.*)$", re.MULTILINE)
_FIRST_INCLUDE = re.compile(
    r'\A(?:\s|//[^\n]*\n|/\*.*?\*/|#pragma once\b)*#include [<"]([^">]+)[">]', re.DOTALL
)
_MACHINE = re.compile(r"/hal/(?:hosted|x86_64)/include$")


def _spelling(tree: Tree, header: str) -> str:
    """What a source writes to include `header`."""
    _, machine, half = header.partition("/include/machine/")
    if machine and f"hal/include/hal/{half}" in tree.file_set:
        return f"hal/{half}"
    return header.removeprefix("hal/include/")


def _exemplar_flags(tree: Tree, one: Compilation) -> list[str]:
    """The flags of a kernel source with the exemplar in the place of its machine."""
    flags = [f"-I{tree.root}/{EXEMPLAR}" if _MACHINE.search(flag) else flag for flag in one.flags()]
    return [flag for flag in flags if not flag.startswith("-fsanitize")]


def _user(tree: Tree, header: str, compilations: list[Compilation]) -> Compilation | None:
    """The compilation whose flags a header is checked with."""
    if header.startswith(MACHINE_NEUTRAL):
        candidates = [one for one in compilations if one.is_kernel and one.target.endswith("_host")]
        return candidates[0] if candidates else None
    for one in compilations:
        if header in tree.include_graph.closure(one.source):
            return one
    if any(name.startswith("hal/include/") for name in tree.include_graph.closure(header)):
        compilations = [one for one in compilations if one.is_kernel]  # the others know no machine
    folder = header.rpartition("/")[0]
    neighbour = _compiled_in(folder, compilations)
    if neighbour is None and _is_included(tree, header):
        # By sources of another preset, or where a package is missing: the flags of a folder above are nearest.
        above = folder.rpartition("/")[0]
        neighbour = _compiled_in(above, compilations) or next(iter(compilations), None)
    return neighbour


def _compiled_in(folder: str, compilations: list[Compilation]) -> Compilation | None:
    return next((one for one in compilations if one.source.startswith(f"{folder}/")), None)


def _is_included(tree: Tree, header: str) -> bool:
    sources = tree.select(suffixes=(".cpp", ".c"))
    return any(header in tree.include_graph.closure(source) for source in sources)


def _compile(tree: Tree, header: str, compilation: Compilation, version: str) -> list:
    """[] if `header` compiles alone, else [line, message] of the first error."""
    flags = compilation.flags()
    if header.startswith(MACHINE_NEUTRAL):
        flags = _exemplar_flags(tree, compilation)
    for folder in tree.ladder["chosen"]["folders"]:
        if header.startswith(folder):
            flags.insert(0, f"-I{tree.root}/{folder}")
    cache = tree.cache(name)
    key = digest(version, "\0".join(flags), header, tree.closure_text(header))
    answer = cache.get(key)
    if answer is None:
        source = f'#include "{_spelling(tree, header)}"\n'
        done = subprocess.run(
            [compilation.arguments[0], *flags, f"-I{tree.root}", *"-fsyntax-only -x c++ -".split()],
            cwd=compilation.directory,
            input=source,
            capture_output=True,
            text=True,
            check=False,
        )
        answer = [] if done.returncode == 0 else _first_error(tree, header, done.stderr)
        cache.put(key, answer)
    return answer


def _first_error(tree: Tree, header: str, output: str) -> list:
    for path, line, message in _ERROR.findall(output):
        place = path.removeprefix(f"{tree.root}/")
        return [int(line), message if place == header else f"{message} ({place}:{line})"]
    return [0, (output.strip().splitlines() or ["the compiler failed"])[-1]]


def _first_includes(tree: Tree, path: str) -> set[str]:
    """The headers that come first in a file, in what it includes first, and so on."""
    found: set[str] = set()
    while first := _FIRST_INCLUDE.match(tree.text(path)):
        names = {first.group(1), f"hal/include/{first.group(1)}"} & tree.file_set - found
        if len(names) != 1:
            break
        found |= names
        path = names.pop()
    return found


def _shown_by_the_build(tree: Tree, compilations: list[Compilation]) -> set[str]:
    """The headers that come first in what is compiled."""
    sources = {one.source for one in compilations if one.is_first} & tree.file_set
    return set().union(*(_first_includes(tree, source) for source in sources))


def check(tree: Tree) -> list[Finding]:
    compilations = tree.build(PRESET)
    shown = _shown_by_the_build(tree, compilations)
    headers = [name for name in tree.select(suffixes=(".hpp",)) if name not in shown]
    users = {header: _user(tree, header, compilations) for header in headers}
    versions = {
        program: version_of(program)
        for program in {one.arguments[0] for one in users.values() if one is not None}
    }
    found = [
        Finding(header, 0, "nothing includes it", "use it, or remove it")
        for header, user in users.items()
        if user is None
    ]
    left = {header: user for header, user in users.items() if user is not None}
    while left:
        first = {header: _first_includes(tree, header) for header in left}
        behind = set().union(*first.values())
        chosen = [header for header in left if header not in behind] or list(left)
        answers = in_parallel(
            lambda header: _compile(
                tree, header, left[header], versions[left[header].arguments[0]]
            ),
            chosen,
        )
        for header, answer in zip(chosen, answers):
            left.pop(header)
            if answer:
                wrong = f"does not compile alone: {answer[1]}"
                found.append(Finding(header, answer[0], wrong, "include what it uses"))
            else:
                for one in first[header]:
                    left.pop(one, None)
    return found
