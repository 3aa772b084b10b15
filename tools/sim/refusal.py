"""How the front of the simulator says no: one line for a person, and the status it ends with."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# Statuses of `./twofold sim`.
PASSED = 0
FAILED = 1
USAGE = 64  # as of all commands
UNAVAILABLE = 69
INTERRUPTED = 130


class Refused(Exception):
    """What was asked for cannot be done (bad input, contradiction); the text is one line."""

    status = USAGE


class Unavailable(Refused):
    """The simulator's program is not there or does not speak its protocol."""

    status = UNAVAILABLE


def nearest(given: str, known: Iterable[str]) -> str:
    """"; did you mean 'KNOWN'?" for the nearest of `known`, or nothing when none is near."""
    found = difflib.get_close_matches(given, list(known), n=1, cutoff=0.7)
    return f"; did you mean '{found[0]}'?" if found else ""


def one_line(text: str, columns: int = 200) -> str:
    """`text` as one line, cut where it is too long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= columns else flat[: columns - 3] + "..."
