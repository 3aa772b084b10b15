"""Worker processes that run cases beside each other: pipelined, watched, restarted.

A worker that dies or hangs is a failure of the case that it was at (kind `crash` or `hang`); what else it
held goes to another. So every case that goes in comes out once, unless its caller stops asking.
"""

from __future__ import annotations

import collections
import selectors
import time
from collections.abc import Generator, Iterable, Iterator

from tools.sim import case as cases
from tools.sim.case import Case, Outcome
from tools.sim.refusal import one_line
from tools.sim.worker import AHEAD_MOST, Pending, Worker, parsed

WATCH_SECONDS = 0.1

Answer = tuple[int, Case, Outcome]
Answers = Generator[Answer | None, None, None]


class Pool:
    """At most `jobs` workers of a program; none is started before it is needed."""

    def __init__(self, program: str, jobs: int, case_seconds: float) -> None:
        self.program = program
        self.jobs = jobs
        self._case_seconds = case_seconds
        self._selector = selectors.DefaultSelector()
        self._workers: list[Worker] = []
        self._watched = time.monotonic()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all workers."""
        for worker in self._workers:
            worker.begin_to_end()
        for worker in list(self._workers):
            self._end(worker)
        self._selector.close()

    def run(
        self, wanted: Iterable[Case | None], ahead: int = AHEAD_MOST, fresh: bool = False
    ) -> Answers:
        """Runs cases; yields (index in `wanted`, case, outcome) as they come, and None at least ten times a
        second. `wanted` is asked only when a worker can take one; a None from it means "not yet". A worker
        holds `ahead` cases at most. `fresh`: each case in a process of its own. Closing the iterator abandons
        what is under way."""
        work = _Work(iter(wanted), 1 if fresh else ahead)
        try:
            while True:
                self._fill(work)
                if work.exhausted and not work.again and not self._holds(work):
                    return
                for key, events in self._selector.select(WATCH_SECONDS):
                    for answer in self._serve(key.data, key.fileobj, events, work):
                        yield answer
                        if fresh:
                            self._end(key.data)
                yield from self._watch(work)
                yield None
        finally:
            for worker in [worker for worker in self._workers if not worker.is_nearly_free()]:
                self._end(worker)

    def _holds(self, work: _Work) -> bool:
        return any(pending.work is work for worker in self._workers for pending in worker.pending)

    def _fill(self, work: _Work) -> None:
        """Gives out cases, one each in turn, so that the last ones are spread evenly."""
        given = True
        while given:
            given = False
            for index in range(self.jobs):
                worker = self._workers[index] if index < len(self._workers) else None
                if worker is not None and worker.room(work.ahead) <= 0:
                    continue
                pending = work.take()
                if pending is None:
                    return
                self._send(worker or self._start(), pending)
                given = True

    def _start(self) -> Worker:
        worker = Worker(self.program)
        self._workers.append(worker)
        self._selector.register(worker.output, selectors.EVENT_READ, worker)
        self._selector.register(worker.errors, selectors.EVENT_READ, worker)
        return worker

    def _end(self, worker: Worker) -> None:
        if worker not in self._workers:
            return
        self._workers.remove(worker)
        for stream in (worker.input, worker.output, worker.errors):
            if not stream.closed and stream in self._selector.get_map():
                self._selector.unregister(stream)
        worker.close()

    def _send(self, worker: Worker, pending: Pending) -> None:
        if not worker.send(pending) and worker.input not in self._selector.get_map():
            self._selector.register(worker.input, selectors.EVENT_WRITE, worker)

    def _serve(self, worker: Worker, stream: object, events: int, work: _Work) -> list[Answer]:
        """What one event brings."""
        if worker not in self._workers:
            return []
        if events & selectors.EVENT_WRITE:
            if worker.write():
                self._selector.unregister(worker.input)
            return []
        if stream is worker.errors:
            if not worker.listen():
                self._selector.unregister(worker.errors)
            return []
        lines, ended = worker.read()
        answers: list[Answer] = []
        for line in lines:
            outcome = self._outcome(worker, line)
            if outcome is None:
                wrong = f"answered what is no outcome: {one_line(line.decode(errors='replace'), 80)}"
                return [*answers, *self._lost(worker, work, "crash", wrong)]
            pending = worker.answered()
            if pending.work is work:
                answers.append((pending.id, pending.case, outcome))
        if ended:
            answers += self._lost(worker, work, "crash", f"the simulator {worker.ending()}")
        return answers

    def _outcome(self, worker: Worker, line: bytes) -> Outcome | None:
        """The outcome that a line says of the case that the worker is at; None if it is none."""
        outcome = parsed(line)
        if not worker.pending or not isinstance(outcome, dict) or outcome.get("id") != worker.pending[0].id:
            return None
        if "error" in outcome:
            return {"outcome": cases.REFUSED, "error": one_line(str(outcome["error"]))}
        if cases.malformed(outcome):
            return None
        del outcome["id"]
        return outcome

    def _lost(self, worker: Worker, work: _Work, kind: str, text: str) -> list[Answer]:
        """Ends a worker that failed. The case it was at failed by that; the others are run again. What was
        abandoned is nobody's loss."""
        said = worker.said.decode(errors="replace")
        pending = list(worker.pending)
        self._end(worker)
        work.again.extendleft(one for one in reversed(pending[1:]) if one.work is work)
        lost = [one for one in pending[:1] if one.work is work]
        return [(one.id, one.case, cases.failure(kind, text, said)) for one in lost]

    def _watch(self, work: _Work) -> Iterator[Answer]:
        now = time.monotonic()
        if now - self._watched < WATCH_SECONDS:
            return
        self._watched = now
        for worker in list(self._workers):
            why = worker.hang(self._case_seconds)
            if why:
                yield from self._lost(worker, work, "hang", f"the simulator {why}")


class _Work:
    """Where cases come from: those that a lost worker held, then the source."""

    def __init__(self, source: Iterator[Case | None], ahead: int) -> None:
        self._source = source
        self.ahead = ahead
        self.again: collections.deque[Pending] = collections.deque()
        self.exhausted = False
        self._count = 0

    def take(self) -> Pending | None:
        """The next case, None if there is none now."""
        if self.again:
            return self.again.popleft()
        if self.exhausted:
            return None
        try:
            case = next(self._source)
        except StopIteration:
            self.exhausted = True
            return None
        if case is None:
            return None
        self._count += 1
        return Pending(self._count - 1, case, self)
