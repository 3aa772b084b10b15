"""What a person sees on stderr while cases run: one line that is rewritten on a terminal, a few lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO

TERMINAL_SECONDS = 0.2
LOG_SECONDS = (10, 30, 60)


def duration(seconds: float) -> str:
    """A duration to be read: 0.8 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def counted(count: int, word: str) -> str:
    """`1 failure`, `2 failures`."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")


class Progress:
    """Says how far something is, no oftener than a person can read. `quiet` says nothing at all."""

    def __init__(self, stream: TextIO = sys.stderr, quiet: bool = False) -> None:
        self._stream = stream
        self._quiet = quiet
        self._terminal = stream.isatty()
        self._began = time.monotonic()
        self._shown = 0.0
        self._lines = 0
        self._open = False
        self.label = ""

    def due(self) -> bool:
        """Whether it is time for another line."""
        now = time.monotonic()
        if self._quiet:
            return False
        if self._terminal:
            return now - self._shown >= TERMINAL_SECONDS
        if self._lines < len(LOG_SECONDS):
            return now - self._began >= LOG_SECONDS[self._lines]
        return now - self._shown >= LOG_SECONDS[-1]

    def show(self, text: str) -> None:
        """Shows a state of things; call it when due()."""
        self._shown = time.monotonic()
        self._lines += 1
        line = f"{self.label}: {text}" if self.label else text
        if self._terminal:
            columns = os.get_terminal_size(self._stream.fileno()).columns or 80
            self._stream.write(f"\r\033[K{line[: columns - 1]}")
            self._open = True
        else:
            self._stream.write(f"twofold: sim: {line}\n")
        self._stream.flush()

    def say(self, text: str) -> None:
        """A line that stays."""
        if not self._quiet:
            self.clear()
            self._stream.write(f"twofold: sim: {text}\n")
            self._stream.flush()

    def clear(self) -> None:
        """Takes the line off the terminal."""
        if self._open:
            self._stream.write("\r\033[K")
            self._stream.flush()
            self._open = False
