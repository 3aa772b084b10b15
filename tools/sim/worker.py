"""One simulator process that serves cases: lines of JSON in, lines of JSON out, in the same order.

Nothing here waits: the pool (pool.py) watches the three streams and calls when there is something to do.
The process dies with this one, however this one ends. Signals by which a person or a batch system ends
everything at once are for this one alone: in the worker they would look like a crash.
"""

from __future__ import annotations

import collections
import ctypes
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from tools.sim.case import Case
from tools.sim.refusal import Unavailable

READ_BYTES = 1 << 16
SAID_BYTES = 16_384
PR_SET_PDEATHSIG = 1
AHEAD_SECONDS = 0.05
AHEAD_MOST = 64
END_SECONDS = 2
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

_libc = ctypes.CDLL(None, use_errno=True)
_this_process = os.getpid()


def _die_with_parent() -> None:
    """In the new process, before the program starts."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != _this_process:
        os._exit(1)


@dataclass(frozen=True)
class Pending:
    """A case that was sent and is not answered; `work` is what it is part of."""

    id: int
    case: Case
    work: object


class Worker:
    """A running simulator. `pending` are its cases in order: the first is the one that it is at."""

    def __init__(self, program: str) -> None:
        try:
            self.process = subprocess.Popen(
                [program, "--serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                preexec_fn=_die_with_parent,
            )
        except OSError as error:
            raise Unavailable(f"the simulator {program} does not run: {error.strerror}") from error
        assert self.process.stdin and self.process.stdout and self.process.stderr
        self.input, self.output, self.errors = self.process.stdin, self.process.stdout, self.process.stderr
        for stream in (self.input, self.output, self.errors):
            os.set_blocking(stream.fileno(), False)
        self.pending: collections.deque[Pending] = collections.deque()
        self.said = b""
        self._unsent = b""
        self._unread = b""
        self._case_seconds = AHEAD_SECONDS
        self._begin()

    def room(self, most: int) -> int:
        """How many more cases it should hold, so that it has some for a while and not many."""
        wanted = round(AHEAD_SECONDS / max(self._case_seconds, 1e-6))
        return min(most, max(2, min(wanted, AHEAD_MOST))) - len(self.pending)

    def send(self, pending: Pending) -> bool:
        """Queues a case; whether all is written already. If not, write() when the pipe has room."""
        if not self.pending:
            self._begin()
        self.pending.append(pending)
        message = {"id": pending.id} | pending.case.json()
        self._unsent += json.dumps(message, separators=(",", ":")).encode() + b"\n"
        return self.write()

    def is_nearly_free(self) -> bool:
        """Whether it will have answered all sooner than another worker would have started."""
        return not self.pending or (len(self.pending) == 1 and self._case_seconds <= AHEAD_SECONDS)

    def write(self) -> bool:
        """Writes what the pipe takes; whether that was all."""
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(self.input.fileno(), self._unsent) :]
        except BlockingIOError:
            return False
        except BrokenPipeError:
            self._unsent = b""  # it died; the end of its output says so
        return True

    def read(self) -> tuple[list[bytes], bool]:
        """The lines that it has answered since, and whether its output has ended."""
        try:
            data = os.read(self.output.fileno(), READ_BYTES)
        except BlockingIOError:
            return [], False
        *lines, self._unread = (self._unread + data).split(b"\n")
        return lines, not data

    def listen(self) -> bool:
        """Keeps the end of what it says on stderr; whether there may be more."""
        try:
            data = os.read(self.errors.fileno(), READ_BYTES)
        except BlockingIOError:
            return True
        self.said = (self.said + data)[-SAID_BYTES:]
        return bool(data)

    def answered(self) -> Pending:
        """Takes the case off that was answered."""
        now = time.monotonic()
        self._case_seconds += ((now - self._since) - self._case_seconds) / 8
        self.said = b""
        self._begin()
        return self.pending.popleft()

    def _begin(self) -> None:
        self._since = time.monotonic()
        self._processor_since: float | None = None
        self._asleep_since: float | None = None

    def hang(self, limit_s: float) -> str:
        """Why the case it is at hangs, or nothing: it has computed for `limit_s`, or has been asleep for as long
        whenever it was looked at. A host so busy that the worker does not get to run is no reason."""
        if not self.pending:
            return ""
        used, asleep = self._processor()
        now = time.monotonic()
        if self._processor_since is None:
            self._processor_since = used
        if not asleep:
            self._asleep_since = None
        elif self._asleep_since is None:
            self._asleep_since = now
        if used - self._processor_since >= limit_s:
            return f"computed for {limit_s:g} s without an answer"
        if self._asleep_since is not None and now - self._asleep_since >= limit_s:
            return f"slept for {limit_s:g} s without an answer"
        return ""

    def _processor(self) -> tuple[float, bool]:
        """The processor time that it has used, and whether it sleeps or is stopped. (proc(5))"""
        try:
            with open(f"/proc/{self.process.pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            return 0.0, False
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS, fields[0] in (b"S", b"T")

    def ending(self) -> str:
        """How it ended, in words. Waits for that; its output has ended."""
        try:
            status = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return "closed its output and did not end"
        while self.errors.fileno() >= 0 and self._more_said():
            pass
        if status < 0:
            return f"was killed by {signal.Signals(-status).name}"
        return f"ended with status {status} before it answered"

    def _more_said(self) -> bool:
        before = len(self.said)
        return self.listen() and len(self.said) not in (before, SAID_BYTES)

    def begin_to_end(self) -> None:
        """Lets it end: kindly if it has nothing to do."""
        if self.pending:
            self.process.kill()
        self.input.close()

    def close(self) -> None:
        """Waits until it has ended."""
        self.begin_to_end()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()
        self.errors.close()


def parsed(line: bytes) -> Any:
    """The JSON in a line, None if there is none."""
    try:
        return json.loads(line)
    except ValueError:
        return None
