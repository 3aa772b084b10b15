"""Runs each seed twice where nothing but the host differs, and compares: `./twofold sim WORKLOAD --seeds A..B --twice`.

Two servers run the same cases. They lie in other address ranges, their programs and stacks at other addresses,
the memory that libraries allocate and free holds other bytes, and so does the simulated machines' memory at
power-on. What comes of a case must be the same in both, up to the hash of all that happened.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tools.sim.case import Case
from tools.sim.refusal import Unavailable

# What the other server has in place of zeros, and where.
OTHER_FILL = 0xA5
OTHER_WINDOW = 7
# Moves the stack by more than randomisation of addresses alone does on a host that has it switched off.
OTHER_PADDING = "x" * 12_345
# Compared of two outcomes.
SAME = ("outcome", "hash", "events", "virtual_ns", "operations", "failure", "error")
DIFFERENCES_SHOWN = 20


@dataclasses.dataclass
class Comparison:
    """What came of it."""

    compared: int = 0
    failed: int = 0  # the same failure in both is no difference
    differing: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def add(self, other: Comparison) -> None:
        self.compared += other.compared
        self.failed += other.failed
        self.differing += other.differing


def _servers(program: str) -> list[subprocess.Popen[str]]:
    plain = {name: value for name, value in os.environ.items() if name != "MALLOC_PERTURB_"}
    other = plain | {"MALLOC_PERTURB_": str(OTHER_FILL), "TWOFOLD_PADDING": OTHER_PADDING}
    here = [program, "--serve"]
    there = [*here, "--window", str(OTHER_WINDOW), "--fill", str(OTHER_FILL)]
    started = []
    for command, environment in ((here, plain), (there, other)):
        try:
            started.append(
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
                )
            )
        except OSError as error:
            raise Unavailable(f"the simulator {program} does not run: {error.strerror}") from error
    return started


def _feed(server: subprocess.Popen[str], cases: Iterable[str]) -> None:
    assert server.stdin is not None
    try:
        for line in cases:
            server.stdin.write(line)
        server.stdin.close()
    except BrokenPipeError:
        pass  # it has died, which its missing answers show


def _picked(line: str) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError:
        return {"error": f"the server answered no JSON: {line[:80]!r}"}
    return {name: answer.get(name) for name in SAME}


def _compare(program: str, template: Case, seeds: range, end: float | None) -> Comparison:
    """One pair of servers through some of the seeds, until the moment `end`."""
    found = Comparison()

    def lines() -> Iterable[str]:
        for seed in seeds:
            if end is not None and time.monotonic() >= end:
                return
            yield json.dumps({"id": seed, **dataclasses.replace(template, seed=seed).json()}) + "\n"

    servers = _servers(program)
    # A pipe holds few cases, so neither server is given many that the end cuts off.
    feeders = [threading.Thread(target=_feed, args=(server, lines()), daemon=True) for server in servers]
    for feeder in feeders:
        feeder.start()
    outputs = [server.stdout for server in servers if server.stdout is not None]
    for seed in seeds:
        one, other = (output.readline() for output in outputs)
        mute = [server for server, line in zip(servers, (one, other)) if not line]
        if mute and all(server.wait() == 0 for server in mute):
            break  # the end came before this seed was asked for
        first, second = _picked(one), _picked(other)
        found.compared += 1
        found.failed += first.get("outcome") == "failed"
        if first != second or first.get("hash") is None:
            found.differing.append({"seed": seed, "one": first, "other": second})
            if mute:
                break  # it has died
    for server in servers:
        assert server.stdin is not None and server.stdout is not None
        server.stdout.close()
        server.terminate()
        server.wait()
    for feeder in feeders:
        feeder.join()
    return found


def compare(program: str, template: Case, seeds: tuple[int, int], jobs: int, seconds: float | None) -> Comparison:
    """All seeds from the first to the last, with `jobs` pairs of servers, or as many as `seconds` suffice for."""
    end = None if seconds is None else time.monotonic() + seconds
    parts = [range(seeds[0] + part, seeds[1] + 1, jobs) for part in range(jobs)]
    found = Comparison()
    with ThreadPoolExecutor(jobs) as workers:
        for part in workers.map(lambda part: _compare(program, template, part, end), parts):
            found.add(part)
    return found


def report(workload: str, found: Comparison, wall_s: float) -> str:
    """For a person."""
    lines = [
        f"{workload}: {found.compared:,} seeds run twice in {wall_s:.1f} s, {len(found.differing)} differ, "
        f"{found.failed} fail alike"
    ]
    for difference in found.differing[:DIFFERENCES_SHOWN]:
        lines.append(f"  seed {difference['seed']}:")
        for name in SAME:
            one, other = difference["one"].get(name), difference["other"].get(name)
            if one != other or name == "hash":
                lines.append(f"    {name}: {one} and {other}")
    return "\n".join(lines)
