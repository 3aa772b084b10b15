#!/usr/bin/env python3
"""Fits what operations take in virtual time to what the live machine takes.

    bench/sim/calibrate.py BUILD [--rounds N] [--repeats N] [--json]

Both kernels of the image `bench` run the same commands on one processor: allocators under six workloads, and threads
that wake, yield and hand mutexes over. How often each does an operation is counted in virtual time: a run in which the
operation costs a nanosecond more is longer by so many nanoseconds. Of the live machine the least of the repeats is
taken, as others on the host only ever add to it. The costs sought are those with the least sum of squares of the
logarithm of virtual by live time, one a workload. What is printed are these costs, and by what factor virtual time is
off, before and after, for hal/hosted/sim/costs.cpp. BUILD is one of the preset `bugs`, where computation takes time.
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import harness  # noqa: E402

PARTS = 256  # of a nanosecond
MACHINE = ("--cpus", "1", "--memory", "256M")
SIM_ROUNDS = 2  # of allocators; the second is like all that follow
# What is left out: here the kernel commits and decommits memory, which the machine maps by system calls of the host.
LEFT_OUT = ("spawn and join", "pages heap")
# What takes part, and between which nanoseconds it is sought: what is measured one by one in bare loops
# (docs/simulation.md) bounds what the sums tell apart badly.
SOUGHT = {
    "load": (0.4, 1.5),
    "store": (0.4, 1.5),
    "update": (6.5, 12),
    "flag": (0.4, 1.5),
    "clock": (16, 30),
    "edge": (0.1, 3),
    "copy": (1, 20),
    "copied-bytes": (0.1, 1),
}
Times = dict[str, float]  # ns, by what was done


def times(program: pathlib.Path, rounds: int, hand_overs: int, *options: str) -> Times:
    """What each row of both commands took."""
    found = {}
    for row in harness.rows(program, *options, *MACHINE, "--command", f"allocator-bench {rounds}"):
        found[f"{row['workload']} {row['allocator']}"] = row["ns"] / row["pairs"]
    for row in harness.rows(program, *options, *MACHINE, "--command", f"hand-over-bench {hand_overs}"):
        found[row["operation"]] = row["mean ps"] / 1000
    return {name: ns for name, ns in found.items() if name not in LEFT_OUT}


class Model:
    """Virtual time as a sum over operations of how many there are by what each takes."""

    def __init__(self, simulator: pathlib.Path, hand_overs: int) -> None:
        def run(*options: str) -> Times:
            return times(simulator, SIM_ROUNDS, hand_overs, "--quiet", *options)

        self.now = run()
        plain = run(*self.options(dict.fromkeys(SOUGHT, 1.0)))
        self.counts: dict[str, Times] = {}
        for operation in SOUGHT:
            dearer = run(*self.options(dict.fromkeys(SOUGHT, 1.0) | {operation: 2.0}))
            self.counts[operation] = {name: max(0.0, dearer[name] - plain[name]) for name in plain}
        self.rest = {
            name: max(0.0, plain[name] - sum(self.counts[each][name] for each in SOUGHT)) for name in plain
        }

    @staticmethod
    def options(costs: Times) -> list[str]:
        return [word for name, ns in costs.items() for word in ("--cost", f"{name}={max(1, round(ns * PARTS))}")]

    def predicted(self, costs: Times) -> Times:
        return {
            name: rest + sum(self.counts[each][name] * costs[each] for each in SOUGHT)
            for name, rest in self.rest.items()
        }


def off_by(virtual: Times, live: Times) -> float:
    """The factor by which they differ: geometric, of the mean square."""
    squares = [math.log(virtual[name] / live[name]) ** 2 for name in live]
    return math.exp(math.sqrt(statistics.mean(squares)))


def fit(model: Model, live: Times) -> Times:
    """Goes to and fro over the costs, each to its best with the others as they are, by ever smaller steps."""
    costs = {name: math.sqrt(low * high) for name, (low, high) in SOUGHT.items()}
    best = off_by(model.predicted(costs), live)
    factor = 2.0
    while factor > 1.005:
        moved = False
        for name, (low, high) in SOUGHT.items():
            for step in (factor, 1 / factor):
                tried = costs | {name: min(high, max(low, costs[name] * step))}
                figure = off_by(model.predicted(tried), live)
                if figure < best - 1e-9:
                    costs, best, moved = tried, figure, True
        factor = factor if moved else math.sqrt(factor)
    return {name: round(ns * PARTS) / PARTS for name, ns in costs.items()}


def report(model: Model, live: Times, costs: Times) -> dict[str, Any]:
    after = model.predicted(costs)
    rows = [
        {"name": name, "live_ns": live[name], "before_ns": model.now[name], "after_ns": after[name]} for name in live
    ]
    off = {"before": off_by(model.now, live), "after": off_by(after, live)}
    return {"costs_ns": costs, "off_by": off, "rows": rows}


def table(found: dict[str, Any]) -> str:
    lines = [f"{'':24}{'live ns':>12}{'before':>12}{'after':>12}"]
    for row in found["rows"]:
        figures = "".join(f"{row[key]:12.1f}" for key in ("live_ns", "before_ns", "after_ns"))
        lines.append(f"{row['name']:24}{figures}")
    lines.append(f"off by a factor of {found['off_by']['before']:.2f}, after the fit {found['off_by']['after']:.2f}")
    lines += [f"{name:16}{ns:8.3f} ns" for name, ns in found["costs_ns"].items()]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/sim/calibrate.py", description=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=30, help="of the allocators in one live run")
    parser.add_argument("--hand-overs", type=int, default=2000, help="of threads in each run")
    parser.add_argument("--repeats", type=int, default=5, help="live runs")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = options.build.resolve() / "bench"
    try:
        model = Model(folder / "twofold-bench-sim", options.hand_overs)
        runs = [
            times(folder / "twofold-bench-host", options.rounds, options.hand_overs) for _ in range(options.repeats)
        ]
        live = {name: min(run[name] for run in runs) for name in runs[0]}
        found = report(model, live, fit(model, live))
    except (harness.Failed, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        print(f"sim/calibrate: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2) if options.json else table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
