"""Makes a failing case small: fewer faults, operations, machines, processors and threads, as long as it fails the same.

Delta debugging in the manner of ddmin (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing
input", 2002): ever smaller parts are left out, until no single one can be. What is tried is decided by the
case and the outcomes alone and of several candidates that fail the first is taken, so the result does not
depend on the number of workers. It ends at a bound on runs, and for a person's sake at one on time.

A failure that needs a lucky interleaving may lose it whenever an operation goes. If many operations are left,
they are left out under other schedules and costs, too, and then other seeds are tried with a few operations.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tools.sim import case as cases
from tools.sim import ranges, tally
from tools.sim.campaign import Stop
from tools.sim.case import Case, Outcome
from tools.sim.fault_rules import Rule
from tools.sim.pool import Answers, Pool

ROUNDS_MOST = 4
# A case of at most so many operations is small; a larger one is looked for under other seeds, too.
OPERATIONS_SMALL = 12
# How many operations such a case has, and how many seeds are tried.
FEWER_OPERATIONS = ((2, 100), (4, 200), (8, 400), (12, 800))
OTHER_SCHEDULES = ("random", "pct:2", "pct:3", "pct:5")
# An occurrence of a fault that no case comes to.
NEVER = 4_000_000_000
# How many occurrences of a fault are tried alone.
MOMENTS_MOST = 500

Item = TypeVar("Item")
Atom = tuple[Rule, int]  # a rule, and one occurrence of its fault


class Spent(Exception):
    """A bound is reached."""


@dataclass(frozen=True)
class Bounds:
    """How much may be spent on one case."""

    runs: int
    seconds: float


@dataclass
class Shrunk:
    """The smallest case that was found, and what it came to. `whole`: no bound ended it. `repeats`: the case
    that it began with failed again; if not, nothing was shrunk."""

    case: Case
    outcome: Outcome
    runs: int
    whole: bool
    repeats: bool
    seconds: float

    def json(self) -> dict[str, Any]:
        """Without the time it took."""
        return {
            "signature": cases.signature(self.outcome),
            "case": self.case.json(),
            "operations": len(self.case.kept()),
            "outcome": self.outcome,
            "runs": self.runs,
            "whole": self.whole,
            "repeats": self.repeats,
        }

    @staticmethod
    def from_json(one: dict[str, Any]) -> Shrunk:
        case = Case.from_json(one["case"])
        return Shrunk(case, one["outcome"], one["runs"], one["whole"], one["repeats"], 0.0)


class Shrinker:
    """Shrinks one case; it stands at `case`, which fails with `signature`, and `outcome`. `on_run` is called
    for each run. `costs` are the simulator's tables, for other interleavings."""

    def __init__(
        self, pool: Pool, case: Case, outcome: Outcome, bounds: Bounds, stop: Stop, costs: Sequence[str] = ()
    ) -> None:
        self._pool = pool
        self._bounds = bounds
        self._stop = stop
        self._costs = costs
        self._end = time.monotonic() + bounds.seconds
        self._first = case
        self._outcomes: dict[Case, Outcome] = {}
        self._counted: set[Case] = set()
        self.on_run: Callable[[], object] = lambda: None
        self.signature = cases.signature(outcome)
        self.case = case
        self.outcome = outcome
        self.runs = 0

    def shrink(self) -> Shrunk:
        """Shrinks as far as it goes."""
        began = time.monotonic()
        whole, repeats = True, False
        try:
            repeats = self._try([self.case]) is not None
            if repeats:
                self._to_the_end()
                self._smaller_by_other_schedules()
                self._smaller_by_another_seed()
        except Spent:
            whole = False
        seconds = time.monotonic() - began
        return Shrunk(self.case, self.outcome, self.runs, whole, repeats, seconds)

    def _to_the_end(self) -> None:
        """Until a round brings nothing more, nor one fault does what several did."""
        self._try([dataclasses.replace(self.case, faults=(), swarm=False)])
        self._rounds()
        if self._one_fault_alone():
            self._rounds()

    def _rounds(self) -> None:
        for _ in range(ROUNDS_MOST):
            before = self.case
            self._fewer_faults()
            self._fewer_operations()
            self._fewer_processors()
            if self.case == before:
                return

    def _one_fault_alone(self) -> bool:
        """Whether one of several faults is enough at another time than it fired: each fault changes what comes
        after it, so the others may be there only to lead to the right moment. All moments are tried."""
        if sum(len(rule.at) for rule in self.case.faults) <= 1 or not all(rule.at for rule in self.case.faults):
            return False
        kinds = {dataclasses.replace(rule, at=()): rule.name for rule in self.case.faults}
        asked = self._asked(self.case, set(kinds.values()))
        for rule, name in kinds.items():
            moments = range(1, min(asked[name], MOMENTS_MOST) + 1)
            alone = [self._with_rules((dataclasses.replace(rule, at=(one,)),)) for one in moments]
            if self._try(alone) is not None:
                return True
        return False

    def _fewer_operations(self) -> None:
        begun = _begun(self.case, self.outcome)
        if 0 < len(begun) < len(self.case.kept()):
            self._try_at_any_time([self._with_operations(begun)])
        self._minimise(self.case.kept(), 1, lambda kept: [self._with_operations(kept)])

    def _with_operations(self, kept: tuple[int, ...]) -> Case:
        return dataclasses.replace(self.case, keep=kept)

    def _fewer_faults(self) -> None:
        """Makes rules exact, as a whole or one by one, and drops what need not fire."""
        if not self.case.faults and not self.case.swarm:
            return
        exact = _exact(self.case, cases.fired(self.outcome))
        if self._try([self._with_faults(exact)]) is None:
            self._minimise(self.case.faults, 0, lambda rules: [self._with_rules(rules)])
            for rule in self.case.faults:
                atoms = [atom for atom in exact if atom[0].name == rule.name]
                others = tuple(one for one in self.case.faults if one != rule)
                self._try([self._with_rules((*others, *_rules(atoms)))])
        atoms = [(rule, one) for rule in self.case.faults for one in rule.at]
        random = tuple(rule for rule in self.case.faults if not rule.at)
        self._minimise(atoms, 0, lambda some: [self._with_rules((*random, *_rules(some)))])

    def _with_rules(self, rules: tuple[Rule, ...]) -> Case:
        return dataclasses.replace(self.case, faults=rules)

    def _with_faults(self, atoms: Sequence[Atom]) -> Case:
        return dataclasses.replace(self.case, faults=_rules(atoms), swarm=False)

    def _fewer_processors(self) -> None:
        named = 1 + max((int(dict(rule.values).get("cpu", 0)) for rule in self.case.faults), default=0)
        of_links = (self.case.machines or 1) > 1  # then rules name machines
        least = {"threads": 1, "machines": named if of_links else 1, "cpus": 1 if of_links else named}
        for name, first in least.items():
            counts = range(first, getattr(self.case, name) or 1)
            self._try_at_any_time([dataclasses.replace(self.case, **{name: count}) for count in counts])

    def _smaller_by_other_schedules(self) -> None:
        """Leaves out operations with each way in which the case can be interleaved."""
        if len(self.case.kept()) <= OPERATIONS_SMALL or (self.case.machines or 1) > 1:
            return  # several machines have one schedule
        now = (self.case.schedule, self.case.costs)
        all_ways = [(schedule, costs) for costs in (now[1], *self._costs) for schedule in (now[0], *OTHER_SCHEDULES)]
        ways = list(dict.fromkeys(all_ways))

        def build(kept: tuple[int, ...]) -> list[Case]:
            case = self._with_operations(kept)
            return [dataclasses.replace(case, schedule=schedule, costs=costs) for schedule, costs in ways]

        self._minimise(self.case.kept(), 1, build)
        self._rounds()

    def _smaller_by_another_seed(self) -> None:
        if len(self.case.kept()) <= OPERATIONS_SMALL or self._first.keep is not None:
            return
        for count, seeds in FEWER_OPERATIONS:
            few = dataclasses.replace(self._first, operations=count)
            last = min(self._first.seed + seeds, ranges.SEED_LAST)
            if self._try([few.with_seed(seed) for seed in range(self._first.seed, last + 1)]) is not None:
                self._to_the_end()
                return

    def _try(self, candidates: Sequence[Case]) -> int | None:
        """Goes to the first candidate that fails the same way; its index, None if none does. A candidate counts
        as a run the first time that its outcome decides something, whoever ran it before."""
        unknown = [one for one in dict.fromkeys(candidates) if one not in self._outcomes]
        running = self._pool.run(unknown, ahead=1)
        try:
            for index, candidate in enumerate(candidates):
                if self._fails(candidate, running):
                    self.case, self.outcome = candidate, self._outcomes[candidate]
                    return index
        finally:
            running.close()
        return None

    def _try_at_any_time(self, candidates: Sequence[Case]) -> int | None:
        """The same, and if none fails, once more with faults moved: what a candidate does not do is not asked about
        faults, so the occurrence that matters has a lower number. By how much, runs without faults tell."""
        hit = self._try(candidates)
        names = {rule.name for rule in self.case.faults}
        if hit is not None or not names or not all(rule.at for rule in self.case.faults):
            return hit
        now = self._asked(self.case, names)
        moved: list[tuple[int, Case]] = []
        for index, candidate in enumerate(candidates):
            if candidate.faults != self.case.faults:
                continue
            then = self._asked(candidate, names)
            rules = [_earlier(rule, now[rule.name] - then[rule.name]) for rule in candidate.faults]
            if all(rules) and tuple(rules) != candidate.faults:
                moved.append((index, dataclasses.replace(candidate, faults=tuple(filter(None, rules)))))
        hit = self._try([candidate for _, candidate in moved])
        return None if hit is None else moved[hit][0]

    def _asked(self, case: Case, names: set[str]) -> dict[str, int]:
        """How often a case asks for each fault when none fires."""
        quiet = dataclasses.replace(case, faults=tuple(Rule(name, at=(NEVER,)) for name in sorted(names)))
        running = self._pool.run([] if quiet in self._outcomes else [quiet], ahead=1)
        try:
            self._fails(quiet, running)
        finally:
            running.close()
        asked = self._outcomes[quiet].get("faults", {})
        return {name: asked.get(name, {}).get("asked", 0) for name in names}

    def _fails(self, candidate: Case, running: Answers) -> bool:
        if candidate not in self._counted:
            if self.runs >= self._bounds.runs:
                raise Spent
            self.runs += 1
            self._counted.add(candidate)
            self.on_run()
        while candidate not in self._outcomes:
            if self._stop.asked or time.monotonic() >= self._end:
                raise Spent
            answer = next(running)
            if answer is not None:
                self._outcomes[answer[1]] = tally.without_host_time(answer[2])
        outcome = self._outcomes[candidate]
        return cases.failed(outcome) and cases.signature(outcome) == self.signature

    def _minimise(
        self, items: Sequence[Item], least: int, build: Callable[[tuple[Item, ...]], Sequence[Case]]
    ) -> None:
        """Leaves out of `items` what can be; at least `least` stay. build(items) are the cases with these alone,
        the first of which is to be preferred. At the end no single item can be left out."""
        kept = tuple(items)
        size, begin = len(kept), 0
        while size >= 1:
            starts = list(range(0, len(kept), size))
            starts = [one for one in starts if one >= begin] + [one for one in starts if one < begin]
            parts = [(start, kept[:start] + kept[start + size :]) for start in starts]
            parts = [part for part in parts if len(part[1]) >= least]
            ways = zip(*(build(part) for _, part in parts))
            hit = self._try_at_any_time([case for way in ways for case in way])
            if hit is None:
                size, begin = size // 2, 0
            else:
                begin, kept = parts[hit % len(parts)]
                size = min(size, len(kept))


def _begun(case: Case, outcome: Outcome) -> tuple[int, ...]:
    """The operations that were over, and of each thread the one that it was at."""
    done = outcome.get("operations")
    over = set(ranges.operations(",".join(map(str, done)), "operations")) if isinstance(done, list) and done else set()
    at: dict[int, int] = {}
    for one in case.kept():
        if one not in over:
            at.setdefault(one % case.performers(), one)
    return tuple(one for one in case.kept() if one in over or at.get(one % case.performers()) == one)


def _exact(case: Case, fired: dict[str, tuple[int, ...]]) -> list[Atom]:
    """Each occurrence at which a fault fired, or was told to: what the rules came to in this run."""
    atoms = [(rule, one) for rule in case.faults for one in rule.at]
    told = {rule.name for rule in case.faults if rule.at}
    first = {rule.name: rule for rule in reversed(case.faults)}
    for name in sorted(set(fired) - told):
        rule = first.get(name, Rule(name)).exactly((1,))
        atoms += [(rule, one) for one in fired[name]]
    return atoms


def _earlier(rule: Rule, count: int) -> Rule | None:
    """The rule with its occurrences so much earlier; None if one would be before the first."""
    at = tuple(one - count for one in rule.at)
    return dataclasses.replace(rule, at=at) if min(at) >= 1 else None


def _rules(atoms: Sequence[Atom]) -> tuple[Rule, ...]:
    """The rules that are these occurrences."""
    at: dict[Rule, list[int]] = {}
    for rule, occurrence in atoms:
        at.setdefault(dataclasses.replace(rule, at=()), []).append(occurrence)
    return tuple(dataclasses.replace(rule, at=tuple(sorted(set(found)))) for rule, found in at.items())
