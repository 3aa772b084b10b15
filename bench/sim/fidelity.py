#!/usr/bin/env python3
"""Whether policies rank in virtual time as they do on the live machine: Spearman's rank correlation.

    bench/sim/fidelity.py BUILD [--benchmark_out=FILE] [--benchmark_repetitions=N]

Takes Google Benchmark's options (the others are accepted and mean nothing here) and writes its JSON. Each workload of
the scheduling laboratory runs under each policy twice: in virtual time, where all machines but the live one make the
same schedule (docs/laboratory.md), and by threads of the live kernel. For each figure of a workload the policies have a
rank in both; what is reported is the mean over the workloads of how the ranks go together: 1 the same order, 0 none.
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
SECONDS = "1"
# Times below are alike, and so are those between the same powers of two: the live machine shares its host.
ALIKE_NS = 65_536
# Of the threads that the policy decides about: the member of the report, and its quantile.
FIGURES = {
    "wake_p50": ("wake_latency_ns", "p50"),
    "wake_p99": ("wake_latency_ns", "p99"),
    "response_p50": ("response_ns", "p50"),
    "response_p99": ("response_ns", "p99"),
}


def ranks(times: list[float]) -> list[float]:
    """From 1 on; those that are alike share the mean of theirs."""
    values = [int(math.log2(max(time, ALIKE_NS))) for time in times]
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) + 1) / 2 for value in values]


def correlation(one: list[float], other: list[float]) -> float | None:
    """Spearman's; nothing where all are alike in one of them."""
    first, second = ranks(one), ranks(other)
    if len(set(first)) == 1 or len(set(second)) == 1:
        return None
    return statistics.correlation(first, second)


def figures(build: pathlib.Path, workload: str, *options: str) -> dict[str, list[float]]:
    """By figure: one value a policy."""
    words = [build / "apps/sched/twofold-sched", "--workload", workload, "--cpus", "1", "--seconds", SECONDS]
    said = json.loads(harness.output([*words, "--compare", ",".join(POLICIES), "--json", *options]))
    by_policy = {run["policy"]: run["classes"][0] for run in said["runs"]}
    return {
        name: [float(by_policy[policy][member][quantile]) for policy in POLICIES]
        for name, (member, quantile) in FIGURES.items()
    }


def measure(build: pathlib.Path) -> dict[str, float]:
    found: dict[str, list[float]] = {name: [] for name in FIGURES}
    for workload in WORKLOADS:
        virtual, live = figures(build, workload), figures(build, workload, "--machine", "live")
        for name in FIGURES:
            together = correlation(virtual[name], live[name])
            if together is not None:
                found[name].append(together)
                print(f"sim/fidelity: {workload} {name}: {together:.2f}", file=sys.stderr)
    return {f"{name}/ours": statistics.mean(values) for name, values in found.items() if values}


def main() -> int:
    options, _ = harness.parser("sim/fidelity").parse_known_args()
    build = options.build.resolve()
    entries: list[harness.Entry] = []
    failed = False
    for repeat in range(options.benchmark_repetitions):
        try:
            found: dict[str, Any] = measure(build)
        except (harness.Failed, OSError, ValueError, KeyError, IndexError, subprocess.SubprocessError) as error:
            print(f"sim/fidelity: {error}", file=sys.stderr)
            failed = True
            continue
        entries += [harness.entry(name, repeat, figure) for name, figure in found.items()]
    harness.write(entries, options.benchmark_out)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
