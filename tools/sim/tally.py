"""What cases came to, added up: counts, faults and points, failures in groups.

A tally is a sum: the tallies of parts, absorbed in any order, are the tally of the whole. So a state file
(state.py) is a list of them, and shards merge. What differs from run to run is in `host_ns` alone.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import Any

from tools.sim import case as cases
from tools.sim.case import Case, Outcome
from tools.sim.ranges import Spans

SEEDS_LISTED = 100


@dataclass
class Group:
    """Failures of one signature. `case` is the one with the lowest seed, `outcome` what it came to;
    `seeds` are the lowest seeds."""

    signature: str
    count: int
    seeds: list[int]
    case: Case
    outcome: Outcome

    def absorb(self, other: Group) -> None:
        """Adds failures of the same signature."""
        self.count += other.count
        if other.case.seed < self.case.seed:
            self.case, self.outcome = other.case, other.outcome
        for seed in other.seeds:
            bisect.insort(self.seeds, seed)
        del self.seeds[SEEDS_LISTED:]

    def json(self) -> dict[str, Any]:
        return {
            "signature": self.signature,
            "id": cases.short_id(self.signature),
            "count": self.count,
            "seeds": self.seeds,
            "case": self.case.json(),
            "outcome": without_host_time(self.outcome),
        }

    @staticmethod
    def from_json(one: dict[str, Any]) -> Group:
        case = Case.from_json(one["case"])
        return Group(one["signature"], one["count"], list(one["seeds"]), case, one["outcome"])


@dataclass
class Tally:
    """The sum. `done` are the seeds that were run."""

    done: Spans = field(default_factory=Spans)
    cases: int = 0
    failed: int = 0
    events: int = 0
    virtual_ns: int = 0
    host_ns: int = 0
    faults: dict[str, dict[str, int]] = field(default_factory=dict)
    points: dict[str, dict[str, int]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)

    def add(self, case: Case, outcome: Outcome) -> bool:
        """Adds a case; whether it is the first failure of its signature."""
        self.done.add(case.seed, case.seed)
        self.cases += 1
        self.events += outcome.get("events", 0)
        self.virtual_ns += outcome.get("virtual_ns", 0)
        self.host_ns += outcome.get("host_ns", 0)
        for name, entry in outcome.get("faults", {}).items():
            fired = entry.get("fired", ())
            _count(self.faults, name, "asked", entry.get("asked", 0))
            _count(self.faults, name, "fired", len(fired) if isinstance(fired, list) else fired)
        for name, entry in outcome.get("points", {}).items():
            _count(self.points, name, "reached", entry.get("reached", 0))
            _count(self.points, name, "fired", entry.get("fired", 0))
        if not cases.failed(outcome):
            return False
        self.failed += 1
        return self._group(Group(cases.signature(outcome), 1, [case.seed], case, outcome))

    def _group(self, group: Group) -> bool:
        known = self.groups.get(group.signature)
        if known is None:
            self.groups[group.signature] = group
            return True
        known.absorb(group)
        return False

    def absorb(self, other: Tally) -> None:
        """Adds another tally, which shares no seed with this one."""
        for first, last in other.done:
            self.done.add(first, last)
        self.cases += other.cases
        self.failed += other.failed
        self.events += other.events
        self.virtual_ns += other.virtual_ns
        self.host_ns += other.host_ns
        for mine, theirs in ((self.faults, other.faults), (self.points, other.points)):
            for name, entry in theirs.items():
                for key, count in entry.items():
                    _count(mine, name, key, count)
        for group in other.groups.values():
            self._group(Group.from_json(group.json()))

    def sorted_groups(self) -> list[Group]:
        """The groups, by their lowest seed."""
        return sorted(self.groups.values(), key=lambda group: (group.case.seed, group.signature))

    def json(self) -> dict[str, Any]:
        return {
            "seeds": [list(span) for span in self.done],
            "cases": self.cases,
            "passed": self.cases - self.failed,
            "failed": self.failed,
            "events": self.events,
            "virtual_ns": self.virtual_ns,
            "host_ns": self.host_ns,
            "faults": dict(sorted(self.faults.items())),
            "points": dict(sorted(self.points.items())),
            "failures": [group.json() for group in self.sorted_groups()],
        }

    @staticmethod
    def from_json(one: dict[str, Any]) -> Tally:
        """The inverse of json(). Raises KeyError, TypeError, ValueError or Refused for anything else."""
        tally = Tally(Spans((first, last) for first, last in one["seeds"]))
        for key in ("cases", "failed", "events", "virtual_ns", "host_ns"):
            setattr(tally, key, int(one[key]))
        tally.faults = {name: dict(entry) for name, entry in one["faults"].items()}
        tally.points = {name: dict(entry) for name, entry in one["points"].items()}
        tally.groups = {group["signature"]: Group.from_json(group) for group in one["failures"]}
        return tally


def without_host_time(outcome: Outcome) -> Outcome:
    """The outcome without what another run of the same case measures differently."""
    return {key: value for key, value in outcome.items() if key != "host_ns"}


def _count(table: dict[str, dict[str, int]], name: str, key: str, count: int) -> None:
    entry = table.setdefault(name, {})
    entry[key] = entry.get(key, 0) + count
