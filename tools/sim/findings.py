"""What a campaign found, to the end: each kind of failure shrunk and reproduced, and the document of it all.

The document (`--json`) is described in docs/campaigns.md. Everything that another run of the same campaign
would measure differently stands in its `measured`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tools.sim import case as cases
from tools.sim import reproduction
from tools.sim.campaign import Stop
from tools.sim.case import Case
from tools.sim.pool import Pool
from tools.sim.progress import Progress
from tools.sim.ranges import Shard
from tools.sim.reproduction import Reproduced
from tools.sim.shrink import Bounds, Shrinker, Shrunk
from tools.sim.state import StateFile
from tools.sim.tally import Group, Tally

FORMAT = "twofold-sim-campaign"
VERSION = 1
GROUPS_SHRUNK = 20


@dataclass(frozen=True)
class Effort:
    """How much is done about each kind of failure. `repeats`: how often the reproduction is run; `costs`: the
    simulator's tables."""

    bounds: Bounds
    repeats: int
    shrinks: bool = True
    costs: tuple[str, ...] = ()


@dataclass
class Finding:
    """One kind of failure. `shrunk` is None if it was not shrunk: then its first case stands for it."""

    group: Group
    shrunk: Shrunk | None = None
    reproduced: Reproduced | None = None

    def case(self) -> Case:
        """The case to look at."""
        return self.shrunk.case if self.shrunk else self.group.case

    def outcome(self) -> cases.Outcome:
        """What that case came to."""
        return self.shrunk.outcome if self.shrunk else self.group.outcome

    def json(self, simulator: str) -> dict[str, Any]:
        again: dict[str, Any] = {"command": reproduction.command(self.case(), simulator)}
        if self.reproduced:
            again |= self.reproduced.json()
        shrunk = self.shrunk.json() if self.shrunk else None
        return self.group.json() | {"shrunk": shrunk, "reproduction": again}


def examine(
    pool: Pool,
    tally: Tally,
    effort: Effort,
    progress: Progress,
    stop: Stop,
    state: StateFile | None = None,
) -> list[Finding]:
    """Shrinks and reproduces the failures of a tally. What the state knows as shrunk is not shrunk again."""
    findings = [Finding(group) for group in tally.sorted_groups()]
    for number, finding in enumerate(findings[:GROUPS_SHRUNK], 1):
        if stop.asked:
            break
        progress.label = f"failure {number} of {len(findings)}"
        if state and effort.shrinks:
            recall(finding, [state.content.shrunk])
        known = finding.shrunk is not None and finding.reproduced is not None
        if finding.shrunk is None and effort.shrinks:
            finding.shrunk = _shrink(pool, finding.group, effort, progress, stop)
        if finding.reproduced is None and effort.repeats and not stop.asked:
            again = reproduction.reproduce(pool, finding.case(), finding.outcome(), effort.repeats, stop)
            finding.reproduced = again
        if state and not known and finding.shrunk and finding.shrunk.whole and not stop.asked:
            state.add_shrunk(_record(finding))
    progress.clear()
    return findings


def _shrink(pool: Pool, group: Group, effort: Effort, progress: Progress, stop: Stop) -> Shrunk:
    shrinker = Shrinker(pool, group.case, group.outcome, effort.bounds, stop, effort.costs)

    def tell() -> None:
        if progress.due():
            progress.show(f"shrinking, {len(shrinker.case.kept())} operations left, {shrinker.runs} runs")

    shrinker.on_run = tell
    return shrinker.shrink()


def _record(finding: Finding) -> dict[str, Any]:
    """What a state keeps of a shrunk case: from which case it came, and how it was reproduced."""
    assert finding.shrunk
    again = finding.reproduced.json() if finding.reproduced else None
    return finding.shrunk.json() | {"seed": finding.group.case.seed, "reproduction": again}


def recall(finding: Finding, states: list[dict[str, dict[str, Any]]]) -> None:
    """Completes a finding with what the first state knows that shrunk its very case."""
    for records in states:
        record = records.get(finding.group.signature)
        if record is not None and record["seed"] == finding.group.case.seed:
            finding.shrunk = Shrunk.from_json(record)
            if record["reproduction"]:
                finding.reproduced = Reproduced(record["reproduction"]["same"], record["reproduction"]["runs"])
            return


@dataclass(frozen=True)
class Asked:
    """What a campaign was asked to do. `template` has the seed 0."""

    build: str
    command: str
    template: Case
    seeds: tuple[int, int]
    shard: Shard = Shard()
    simulator: str = ""


def document(
    asked: Asked, tally: Tally, findings: list[Finding], ended: str, measured: dict[str, Any]
) -> dict[str, Any]:
    """The document of a campaign."""
    totals = tally.json()
    return {
        "format": FORMAT,
        "version": VERSION,
        "build": asked.build,
        "command": asked.command,
        "case": {key: value for key, value in asked.template.json().items() if key != "seed"},
        "seeds": {
            "asked": list(asked.seeds),
            "shard": [asked.shard.index, asked.shard.count],
            "done": totals["seeds"],
            "missing": asked.shard.missing(tally.done, *asked.seeds),
        },
        "ended": ended,
        "totals": {key: totals[key] for key in ("cases", "passed", "failed", "events", "virtual_ns")},
        "failures": [finding.json(asked.simulator) for finding in findings],
        "faults": totals["faults"],
        "points": totals["points"],
        "measured": {"host_ns": tally.host_ns} | measured,
    }
