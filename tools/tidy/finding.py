"""What a rule reports: a place, what is wrong there, and what to do instead."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """One thing to mend. `line` 0 speaks of the file as a whole."""

    path: str
    line: int
    wrong: str
    instead: str
    rule: str = ""

    def text(self) -> str:
        return f"{self.path}:{self.line}: [{self.rule}] {self.wrong}; {self.instead}"

    def record(self) -> dict:
        return asdict(self)
