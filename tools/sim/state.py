"""The state of a campaign as a file of JSON lines that only grows: it can be resumed, and merged with others.

The first line says what campaign it is. Each further line is complete by itself: a tally of seeds that were
run (`tally`), or a shrunk case (`shrunk`). A line that a crash tore off at the end is dropped; what it was
about is run again.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass, field
from typing import Any

from tools.sim.refusal import Refused
from tools.sim.tally import Tally

FORMAT = "twofold-sim-state"
VERSION = 1

Header = dict[str, Any]


@dataclass
class Content:
    """What a state file holds. `end` is the length of its whole lines; `wall_s` the time spent so far."""

    header: Header
    tally: Tally = field(default_factory=Tally)
    shrunk: dict[str, dict[str, Any]] = field(default_factory=dict)
    wall_s: float = 0.0
    end: int = 0


def header(
    build: str, case: dict[str, Any], seeds: tuple[int, int], shard: str, simulator: str = ""
) -> Header:
    """The first line: what must be equal for a state to be of the same campaign, and the path of a simulator
    that was given, which is for the commands in reports alone."""
    template = {key: value for key, value in case.items() if key != "seed"}
    return {
        "format": FORMAT,
        "version": VERSION,
        "build": build,
        "case": template,
        "seeds": list(seeds),
        "shard": shard,
        "simulator": simulator,
    }


def differences(theirs: Header, ours: Header, but: tuple[str, ...] = ()) -> list[str]:
    """In what two headers differ, in words."""
    flat = []
    for one in (theirs, ours):
        parts = {key: value for key, value in one.items() if key not in ("case", "simulator", *but)}
        flat.append(parts | one.get("case", {}))
    keys = list(dict.fromkeys([*flat[0], *flat[1]]))
    return [
        f"{key} {_shown(flat[0], key)} there, {_shown(flat[1], key)} here"
        for key in keys
        if flat[0].get(key) != flat[1].get(key)
    ]


def _shown(parts: dict[str, Any], key: str) -> str:
    value = parts.get(key)
    if value is None:
        return "none"
    if key == "seeds":
        return f"{value[0]}..{value[1]}"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def read(path: str) -> Content:
    """What a state file holds. Raises Refused, naming file and line, if it is none."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error
    whole = data[: data.rfind(b"\n") + 1]
    lines = whole.splitlines()
    try:
        first = json.loads(lines[0]) if lines else {}
        if first["format"] != FORMAT:
            raise ValueError("another format")
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"{path} is no state of a campaign") from error
    if first.get("version") != VERSION:
        raise Refused(f"{path} has version {first.get('version')} of the format; this program reads {VERSION}")
    content = Content(first, end=len(whole))
    for number, line in enumerate(lines[1:], 2):
        try:
            _take(content, json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, Refused) as error:
            raise Refused(f"{path}:{number}: not a record of a campaign") from error
    return content


def _take(content: Content, record: dict[str, Any]) -> None:
    if "tally" in record:
        part = Tally.from_json(record["tally"])
        if part.done.common(content.tally.done):
            raise ValueError("seeds that were run before")
        content.tally.absorb(part)
        content.wall_s += record["wall_s"]
    else:
        content.shrunk[record["shrunk"]["signature"]] = record["shrunk"]


class StateFile:
    """A state file that this process appends to; nobody else does meanwhile."""

    def __init__(self, path: str, wanted: Header) -> None:
        """Opens or creates it. Raises Refused if it is of another campaign, saying in what it differs, or in
        use."""
        self._path = path
        try:
            self._file = open(path, "ab", buffering=0)
        except OSError as error:
            raise Refused(f"--state {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.content = self._resume(path, wanted)
        except BlockingIOError as error:
            self._file.close()
            raise Refused(f"--state {path} is in use by another campaign") from error
        except Refused:
            self._file.close()
            raise

    def _resume(self, path: str, wanted: Header) -> Content:
        with open(path, "rb") as file:
            if b"\n" not in file.readline():  # new, or torn in its first line
                self._begin(path, wanted)
                return Content(wanted)
        content = read(path)
        different = differences(content.header, wanted)
        if different:
            raise Refused(f"--state {path} is of another campaign: {'; '.join(different)}")
        self._file.truncate(content.end)
        return content

    def _begin(self, path: str, wanted: Header) -> None:
        line = json.dumps(wanted).encode() + b"\n"
        with open(path, "rb") as file:
            if not line.startswith(file.read()):
                raise Refused(f"--state {path} is no state of a campaign")
        self._file.truncate(0)
        self._write(line)

    def add(self, tally: Tally, wall_s: float) -> None:
        """Appends seeds that were run."""
        self._append({"tally": tally.json(), "wall_s": round(wall_s, 3)})

    def add_shrunk(self, shrunk: dict[str, Any]) -> None:
        """Appends a shrunk case."""
        self._append({"shrunk": shrunk})

    def _append(self, record: dict[str, Any]) -> None:
        self._write(json.dumps(record, separators=(",", ":")).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        try:
            while line:
                line = line[os.write(self._file.fileno(), line) :]
        except OSError as error:
            raise Refused(f"--state {self._path}: {error.strerror}") from error

    def close(self) -> None:
        self._file.close()
