"""The one command that reproduces a case, and the proof that it does."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from tools.sim import case as cases
from tools.sim.campaign import Stop
from tools.sim.case import Case, Outcome
from tools.sim.pool import Pool

ENTRY = "./twofold"


def command(case: Case, simulator: str = "") -> str:
    """The command, all defaults spelt out; `simulator` if it is not the one that ./twofold builds."""
    words = [ENTRY, "sim", *case.options()]
    if simulator:
        words += ["--simulator", simulator]
    return shlex.join(words)


@dataclass(frozen=True)
class Reproduced:
    """How many of `runs` runs, each in a process of its own, came to the same failure and the same hash."""

    same: int
    runs: int

    def json(self) -> dict[str, Any]:
        return {"same": self.same, "runs": self.runs}


def reproduce(pool: Pool, case: Case, outcome: Outcome, runs: int, stop: Stop) -> Reproduced:
    """Runs a case that came to `outcome` again and again; fewer times if a person asks for the end."""
    same = done = 0
    answers = pool.run([case] * runs, fresh=True)
    try:
        for answer in answers:
            if answer is not None:
                done += 1
                same += _equal(answer[2], outcome)
            if stop.asked:
                break
    finally:
        answers.close()
    return Reproduced(same, done)


def _equal(one: Outcome, other: Outcome) -> bool:
    if not cases.failed(one) or one.get("hash") != other.get("hash"):
        return False
    return cases.signature(one) == cases.signature(other)
