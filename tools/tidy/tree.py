"""The repository as the rules see it: its files, their text, the builds, what changed, and caches.

Everything is read at most once a run. Rules never write, except under `fix`.
"""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Callable, Iterable, TypeVar

from tools.tidy import commands_database, lexer
from tools.tidy.cache import Cache
from tools.tidy.includes import IncludeGraph

CONFIGURATION = Path(__file__).resolve().parent
SOURCES = (".cpp", ".hpp")
INCLUDING = (*SOURCES, ".c", ".h", ".S")
JOBS = 2

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class NeedsBuild(Exception):
    """A rule needs a build that is not there. The text says which, and how to make it."""


class Tree:
    """A working tree under `root`. `configuration` holds the TOML files and the ratchet."""

    def __init__(
        self,
        root: Path,
        configuration: Path = CONFIGURATION,
        everything: bool = False,
        since: str | None = None,
    ):
        self.root = root.resolve()
        self.configuration = configuration
        self.everything = everything
        self.since = since
        self._texts: dict[str, str] = {}
        self._codes: dict[str, str] = {}
        self._caches: dict[str, Cache] = {}
        self._builds: dict[str, list[commands_database.Compilation]] = {}

    # Files and text

    @cached_property
    def files(self) -> list[str]:
        """Every file that belongs to the repository, tracked or new, by path from the root."""
        if (self.root / ".git").exists():
            names = self.git("ls-files", "-co", "--exclude-standard", "-z").split("\0")
        else:
            names = [
                (Path(folder) / name).relative_to(self.root).as_posix()
                for folder, _, inside in os.walk(self.root)
                for name in inside
            ]
            names = [name for name in names if not name.startswith("build/")]
        return sorted(name for name in set(names) if name and (self.root / name).is_file())

    @cached_property
    def file_set(self) -> frozenset[str]:
        return frozenset(self.files)

    def select(self, folders: Iterable[str] = ("",), suffixes: Iterable[str] = ()) -> list[str]:
        """The files that lie under one of `folders` and end in one of `suffixes`."""
        starts, ends = tuple(folders), tuple(suffixes) or ("",)
        return [name for name in self.files if name.startswith(starts) and name.endswith(ends)]

    def sources(self, *folders: str) -> list[str]:
        """The C++ files under `folders`, all of them without an argument."""
        return self.select(folders or ("",), SOURCES)

    def text(self, path: str) -> str:
        """The text of a file; bytes that are not UTF-8 are replaced."""
        if path not in self._texts:
            self._texts[path] = (self.root / path).read_text(errors="replace")
        return self._texts[path]

    def code(self, path: str) -> str:
        """The text of a C++ file with comments and the contents of literals blanked."""
        if path not in self._codes:
            self._codes[path] = lexer.code_only(self.text(path))
        return self._codes[path]

    def write(self, path: str, text: str) -> None:
        """Replaces a file; for `fix` only."""
        (self.root / path).write_text(text)
        self._texts.pop(path, None)
        self._codes.pop(path, None)

    @cached_property
    def include_graph(self) -> IncludeGraph:
        including = self.select(suffixes=INCLUDING)
        return IncludeGraph(self.file_set, including, self.text, self.ladder)

    # Configuration

    def settings(self, name: str) -> dict:
        return tomllib.loads((self.configuration / name).read_text())

    @cached_property
    def ladder(self) -> dict:
        return self.settings("ladder.toml")

    @cached_property
    def ratchet(self) -> dict:
        path = self.configuration / "ratchet.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def lower_ratchet(self, rule: str, entries: dict) -> None:
        """Replaces what the ratchet holds for `rule`; the caller only ever lowers it."""
        self.ratchet[rule] = entries
        text = json.dumps(self.ratchet, indent=2, sort_keys=True) + "\n"
        (self.configuration / "ratchet.json").write_text(text)

    # What changed

    def git(self, *arguments: str) -> str:
        """The output of a git command, empty if it fails."""
        done = subprocess.run(
            ["git", "-C", str(self.root), *arguments], capture_output=True, text=True, check=False
        )
        return done.stdout if done.returncode == 0 else ""

    @cached_property
    def base_commit(self) -> str:
        """What changes are counted from: `since`, where the branch left main, or the last
        commit."""
        if self.since:
            return self.since
        head = self.git("rev-parse", "HEAD").strip()
        for name in ("origin/main", "main"):
            base = self.git("merge-base", "HEAD", name).strip()
            if base and base != head:
                return base
        return self.git("rev-parse", "-q", "--verify", "HEAD~1").strip()

    @cached_property
    def changed(self) -> frozenset[str]:
        """The files that differ from the base commit; all files under --all or without git."""
        if self.everything or not self.base_commit:
            return self.file_set
        names = self.git("diff", "--name-only", "-z", self.base_commit).split("\0")
        names += self.git("ls-files", "-o", "--exclude-standard", "-z").split("\0")
        return frozenset(names) & self.file_set

    # Builds

    def build(self, preset: str) -> list[commands_database.Compilation]:
        """How the sources are compiled under `preset`. Raises NeedsBuild if not configured."""
        if preset not in self._builds:
            try:
                self._builds[preset] = commands_database.load(
                    self.root, self.root / "build" / preset
                )
            except (OSError, ValueError) as error:
                raise NeedsBuild(
                    f"build/{preset} is not configured; run: cmake --preset {preset}"
                ) from error
        return self._builds[preset]

    def built(
        self, preset: str, wanted: Callable[[commands_database.Compilation], bool]
    ) -> list[commands_database.Compilation]:
        """The wanted compilations; their objects are up to date, as Ninja knows it.
        Raises NeedsBuild otherwise, or if there is none at all."""
        chosen = [one for one in self.build(preset) if wanted(one)]
        how = f"run: cmake --build --preset {preset}"
        if not chosen:
            raise NeedsBuild(f"build/{preset} has no object that this rule is about; {how}")
        folder = self.root / "build" / preset
        objects = [one.object.relative_to(folder).as_posix() for one in chosen]
        command = ["ninja", "-C", str(folder), "-n", *objects]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or "no work to do" not in done.stdout:
            raise NeedsBuild(f"build/{preset} is out of date; {how}")
        return chosen

    # Programs

    def cache(self, name: str) -> Cache:
        if name not in self._caches:
            self._caches[name] = Cache(self.root / "build" / "tidy" / f"{name}.json")
        return self._caches[name]

    def save_caches(self) -> None:
        for cache in self._caches.values():
            cache.save()

    def closure_text(self, path: str) -> str:
        """The text of a file and of all project files that it includes, for hashing."""
        parts = sorted(self.include_graph.closure(path) | {path})
        return "\0".join(f"{part}\0{self.text(part)}" for part in parts)


def in_parallel(work: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
    """Applies `work` to each item, a few at a time, in order."""
    with ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(work, items))


def version_of(program: str) -> str:
    """What `program --version` prints. Raises NeedsBuild if it is not installed."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NeedsBuild(f"{program} does not run; install it: ./twofold setup") from error
    return done.stdout
