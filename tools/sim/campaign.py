"""The search: one workload under many seeds, spread over workers, until all are run or a limit is reached.

Answers come in any order and are taken in the order of the seeds. So what a campaign finds depends on its
seeds alone, not on the number of workers or their speed; with `stop_after` it is exactly the seeds up to
the last failure that it asked for. A campaign that runs out of time keeps what was answered.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType

from tools.sim.case import REFUSED, Case, Outcome
from tools.sim.pool import Pool
from tools.sim.progress import Progress, counted, duration
from tools.sim.refusal import Refused
from tools.sim.state import StateFile
from tools.sim.tally import Tally

# How many cases may be answered while one before them is not.
WINDOW = 20_000
KEEP_SECONDS = 1.0
TIMELINE_MOST = 200


class Stop:
    """Whether a person asked for the end. As a context it takes SIGINT and SIGTERM; a second one ends at once."""

    def __init__(self) -> None:
        self.asked = False
        self._former: dict[int, object] = {}

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt(number)
        self.asked = True

    def __enter__(self) -> Stop:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._former[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Limits:
    """When a campaign ends before its seeds do. The time does not end it before `cases_least`."""

    seconds: float | None = None
    stop_after: int | None = None
    cases_least: int = 0


@dataclass
class Timeline:
    """How many cases were done and had failed after how many seconds; thinned out as it grows."""

    points: list[tuple[float, int, int]] = field(default_factory=list)
    _interval: float = 0.05

    def note(self, seconds: float, cases: int, failed: int, is_last: bool = False) -> None:
        """Notes a state of things, if the one before is old enough or this is the last."""
        if self.points and seconds - self.points[-1][0] < self._interval and not is_last:
            return
        self.points.append((round(seconds, 3), cases, failed))
        if len(self.points) > TIMELINE_MOST:
            self.points = self.points[::2]
            self._interval *= 2


class Campaign:
    """A search under way. `tally` and `timeline` are what came of it; `wall_s` is the time it took, with
    that of earlier runs that it resumes."""

    def __init__(
        self,
        pool: Pool,
        template: Case,
        seeds: tuple[int, int],
        limits: Limits,
        progress: Progress,
        stop: Stop,
        state: StateFile | None = None,
    ) -> None:
        self._pool = pool
        self._template = template
        self._limits = limits
        self._progress = progress
        self._stop = stop
        self._state = state
        self.tally = state.content.tally if state else Tally()
        self._earlier_s = state.content.wall_s if state else 0.0
        self._earlier_cases = self.tally.cases
        self._spans = self.tally.done.missing(*seeds)
        self._total = seeds[1] - seeds[0] + 1
        self._unkept = Tally()
        self._issued = 0
        self._taken = 0
        self._began = self._kept = time.monotonic()
        self.timeline = Timeline()

    @property
    def wall_s(self) -> float:
        return self._earlier_s + time.monotonic() - self._began

    def run(self) -> str:
        """Runs until the end; says why it came: `finished`, `time`, `stop-after` or `interrupted`."""
        waiting: dict[int, tuple[Case, Outcome]] = {}
        self._began = self._kept = time.monotonic()
        ended = self._why_to_end()
        answers = self._pool.run(self._cases())
        try:
            while not ended:
                answer = next(answers, StopIteration)
                if answer is StopIteration:
                    ended = "finished"
                elif isinstance(answer, tuple):
                    waiting[answer[0]] = answer[1:]
                    self._take_in_order(waiting)
                self._keep(self._why_to_end() == "stop-after")
                self._tell()
                ended = self._why_to_end() or ended
        finally:
            answers.close()
            self._progress.clear()
            self._keep(True)
        if ended != "stop-after":
            for index in sorted(waiting):
                self._take(*waiting[index])
            self._keep(True)
        self.timeline.note(self.wall_s, self.tally.cases, self.tally.failed, is_last=True)
        return ended

    def _cases(self) -> Iterator[Case | None]:
        for first, last in self._spans:
            for seed in range(first, last + 1):
                while self._issued - self._taken >= WINDOW:
                    yield None
                self._issued += 1
                yield self._template.with_seed(seed)

    def _why_to_end(self) -> str:
        limits = self._limits
        if limits.stop_after is not None and self.tally.failed >= limits.stop_after:
            return "stop-after"
        if self._stop.asked:
            return "interrupted"
        is_late = limits.seconds is not None and time.monotonic() - self._began >= limits.seconds
        if is_late and self.tally.cases >= limits.cases_least:
            return "time"
        return ""

    def _take_in_order(self, waiting: dict[int, tuple[Case, Outcome]]) -> None:
        while self._taken in waiting and self._why_to_end() != "stop-after":
            self._take(*waiting.pop(self._taken))
            self._taken += 1

    def _take(self, case: Case, outcome: Outcome) -> None:
        if outcome["outcome"] == REFUSED:
            raise Refused(f"the simulator refuses the case: {outcome['error']}")
        is_new = self.tally.add(case, outcome)
        if self._state:
            self._unkept.add(case, outcome)
            self._keep(is_new)
        self.timeline.note(self.wall_s, self.tally.cases, self.tally.failed)

    def _keep(self, now: bool) -> None:
        """Writes to the state what is not there yet: at once if it is worth it, else about each second."""
        moment = time.monotonic()
        if self._state and self._unkept.cases and (now or moment - self._kept >= KEEP_SECONDS):
            self._state.add(self._unkept, moment - self._kept)
            self._unkept = Tally()
            self._kept = moment

    def _tell(self) -> None:
        if not self._progress.due():
            return
        spent = max(time.monotonic() - self._began, 1e-3)
        rate = (self.tally.cases - self._earlier_cases) / spent
        lefts = [] if rate <= 0 else [(self._total - self.tally.cases) / rate]
        if self._limits.seconds is not None:
            lefts.append(self._limits.seconds - spent)
        left = f", {duration(max(min(lefts), 0))} left" if lefts and min(lefts) < 1e7 else ""
        failures = counted(self.tally.failed, "failure")
        kinds = f" of {counted(len(self.tally.groups), 'kind')}" if self.tally.failed else ""
        known = f"{self.tally.cases:,}" + (f" of {self._total:,}" if self._total < 1e12 else "")
        self._progress.show(f"{known} cases, {rate:,.0f}/s{left}, {failures}{kinds}")
