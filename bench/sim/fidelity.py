#!/usr/bin/env python3
"""Whether policies and allocators rank in virtual time as they do on the live machine: Spearman's rank correlation.

    bench/sim/fidelity.py BUILD [--edges BUILD] [--seconds S] [--rounds N] [--benchmark_out=FILE]
                          [--benchmark_repetitions=N]

Takes Google Benchmark's options (the others are accepted and mean nothing here) and writes its JSON.

Policies: each workload of the scheduling laboratory runs under each policy by threads of the kernel, simulated and
live (docs/laboratory.md). For each figure of a workload the policies have a rank in both. `engine_` are the same
figures with the laboratory's own engine in the place of the simulated kernel.

Allocators: a kernel runs all of them under each workload, simulated and live (bench/memory/commands). Here computation
has to take time: both kernels are of the build --edges, one of the preset `bugs`.

What is reported is the mean over the workloads of how the ranks go together: 1 the same order, 0 none. A live figure is
the median of so many runs as repetitions are asked for: the order of policies changes from run to run, since the first
finds the host's memory cold. Of allocators it is the least, as others on the host only ever add to it.
"""

from __future__ import annotations

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

WORKLOADS = ("interactive", "server", "messaging", "convoy")
POLICIES = ("fifo", "rr", "stride", "eevdf", "batch")
ALLOCATOR_OPTIONS = ("--cpus", "1", "--memory", "256M")
SIM_ROUNDS = 2  # the second is like all that follow
# Times of threads below are alike, and so are neighbours of which one is less than so many times the other: the live
# machine shares its host.
ALIKE_NS = 65_536
ALIKE_THREADS = 1.5
ALIKE_ALLOCATORS = 1.1
# Linux shares processors between sessions (sched(7), "The autogroup feature"): the live machine is one that goes before
# others, where that is allowed.
LIVE = ("setsid", "--wait", "sh", "-c", '{ echo -15 >/proc/self/autogroup; } 2>/dev/null; exec "$@"', "sh")
# Of the threads that the policy decides about: the member of the report, and its quantile.
FIGURES = {
    "wake_p50": ("wake_latency_ns", "p50"),
    "wake_p99": ("wake_latency_ns", "p99"),
    "response_p50": ("response_ns", "p50"),
    "response_p99": ("response_ns", "p99"),
}
Figures = dict[str, list[float]]  # by name: one value a policy, or an allocator


def ranks(times: list[float], factor: float, floor: float = 0) -> list[float]:
    """From 1 on; those that are alike share the mean of theirs. `floor`: what is below is alike."""
    order = sorted(range(len(times)), key=lambda index: times[index])
    found = [0.0] * len(times)
    begin = 0
    for end in range(1, len(order) + 1):
        if end < len(order):
            before, here = (max(times[order[at]], floor) for at in (end - 1, end))
            if here <= before * factor:
                continue
        for at in range(begin, end):
            found[order[at]] = (begin + 1 + end) / 2
        begin = end
    return found


def correlation(one: list[float], other: list[float], factor: float, floor: float = 0) -> float | None:
    """Spearman's; nothing where all are alike in one of them."""
    first, second = ranks(one, factor, floor), ranks(other, factor, floor)
    if len(set(first)) == 1 or len(set(second)) == 1:
        return None
    return statistics.correlation(first, second)


def policies(build: pathlib.Path, workload: str, seconds: str, machine: str, first: int = 0) -> Figures:
    """One run of all policies, beginning with that of the index `first`."""
    program = build / "apps/sched/twofold-sched"
    words = [program, "--workload", workload, "--cpus", "1", "--seconds", seconds, "--machine", machine]
    asked = ",".join(POLICIES[first:] + POLICIES[:first])
    before = LIVE if machine == "live" else ()
    said = json.loads(harness.output([*before, *words, "--compare", asked, "--json"]))
    by_policy = {run["policy"]: run["classes"][0] for run in said["runs"]}

    def figure(policy: str, member: str, quantile: str) -> float:
        found = by_policy[policy][member][quantile]
        return math.inf if found is None else float(found)  # no job came to its end

    return {name: [figure(policy, *which) for policy in POLICIES] for name, which in FIGURES.items()}


def live_policies(build: pathlib.Path, workload: str, seconds: str, repeats: int) -> Figures:
    runs = [policies(build, workload, seconds, "live", repeat % len(POLICIES)) for repeat in range(repeats)]
    return {name: [statistics.median(values) for values in zip(*(run[name] for run in runs))] for name in FIGURES}


def allocators(program: pathlib.Path, rounds: int, *options: str) -> Figures:
    """By workload: what each allocator took."""
    command = f"allocator-bench {rounds}"
    found: Figures = {}
    for row in harness.rows(program, *ALLOCATOR_OPTIONS, *options, "--command", command):
        found.setdefault(row["workload"], []).append(float(row["ns"]))
    return found


class Report:
    """What was found, and how it came about, on stderr."""

    def __init__(self) -> None:
        self.found: dict[str, list[float]] = {}

    def add(self, row: str, what: str, together: float | None) -> None:
        said = "all are alike" if together is None else f"{together:.2f}"
        print(f"sim/fidelity: {what} {row}: {said}", file=sys.stderr)
        if together is not None:
            self.found.setdefault(row, []).append(together)

    def means(self) -> dict[str, float]:
        return {f"{row}/ours": statistics.mean(values) for row, values in self.found.items()}


def measure(options: Any) -> dict[str, float]:
    report = Report()
    for workload in WORKLOADS:
        live = live_policies(options.build, workload, options.seconds, options.benchmark_repetitions)
        for prefix, machine in (("", "live-sim"), ("engine_", "process")):
            virtual = policies(options.build, workload, options.seconds, machine)
            for name in FIGURES:
                together = correlation(virtual[name], live[name], ALIKE_THREADS, ALIKE_NS)
                report.add(prefix + name, workload, together)
    virtual = allocators(options.edges / "bench/twofold-bench-sim", SIM_ROUNDS, "--quiet")
    for workload, live_times in allocators(options.edges / "bench/twofold-bench-host", options.rounds).items():
        report.add("allocators", workload, correlation(virtual[workload], live_times, ALIKE_ALLOCATORS))
    return report.means()


def main() -> int:
    parser = harness.parser("sim/fidelity")
    parser.add_argument("--edges", type=pathlib.Path, default=ROOT / "build" / "bugs")
    parser.add_argument("--seconds", default="1", help="of each policy")
    parser.add_argument("--rounds", type=int, default=60, help="of the allocators, live")
    options, _ = parser.parse_known_args()
    options.build, options.edges = options.build.resolve(), options.edges.resolve()
    try:
        found = measure(options)
    except (harness.Failed, OSError, ValueError, KeyError, IndexError, subprocess.SubprocessError) as error:
        print(f"sim/fidelity: {error}", file=sys.stderr)
        return 1
    harness.write([harness.entry(name, 0, figure) for name, figure in found.items()], options.benchmark_out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
