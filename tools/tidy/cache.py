"""Answers of slow programs, kept in build/tidy/ under the hash of everything they depend on.

A cache file that cannot be read is an empty cache: it is written anew. It keeps the answers that
were used last, up to a bound, and is written now and then, so that an interrupted run is not
lost."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from threading import Lock

CAPACITY = 8000
SAVE_INTERVAL_S = 15


def digest(*parts: str | bytes) -> str:
    """One hash over `parts`, each framed by its length."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


class Cache:
    """A JSON object on disk: key to answer. Safe to use from several threads."""

    def __init__(self, path: Path):
        self._path = path
        self._lock = Lock()
        self._dirty = False
        self._saved = time.monotonic()
        try:
            self._answers: dict = json.loads(path.read_text())
        except (OSError, ValueError):
            self._answers = {}

    def get(self, key: str):
        """The answer under `key`, or None."""
        with self._lock:
            answer = self._answers.pop(key, None)
            if answer is not None:
                self._answers[key] = answer
            return answer

    def put(self, key: str, answer) -> None:
        assert answer is not None
        with self._lock:
            self._answers[key] = answer
            self._dirty = True
            if time.monotonic() - self._saved > SAVE_INTERVAL_S:
                self._write()

    def save(self) -> None:
        """Writes the cache if an answer was added; atomic towards readers."""
        with self._lock:
            if self._dirty:
                self._write()

    def _write(self) -> None:
        kept = dict(list(self._answers.items())[-CAPACITY:])
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(f".{os.getpid()}.new")
        fresh.write_text(json.dumps(kept))
        fresh.replace(self._path)
        self._dirty = False
        self._saved = time.monotonic()
