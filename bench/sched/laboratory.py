#!/usr/bin/env python3
"""Measures in virtual time how much of the processors' time is left for work, and how exact shares are.

    bench/sched/laboratory.py BUILD [--benchmark_out=FILE] [--benchmark_repetitions=N]

Takes Google Benchmark's options (the others are accepted and mean nothing here) and writes its JSON. The laboratory
measures what a switch costs the dispatcher on this host, and charges that for each. Useful work: four threads a
processor compute without end, in slices of 10 us. Shares: four threads of different nice values for 5 s on one
processor, in requests of 100 us; the peer are threads of Linux with these nice values on one processor for a second.
"""

import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import harness  # noqa: E402

SLICE_US = 10
THREADS_EACH = 4
PROCESSORS = (1, 2, 4, 8)
SHARE_SLICE_US = 100
SHARE_S = 5
NICE = (0, 2, 4, 6)
LINUX_MS = 1000


def run(
    program: pathlib.Path, folder: pathlib.Path, workload: dict[str, Any], policy: str, seconds: float
) -> dict[str, Any]:
    """What the laboratory reports of a workload."""
    path = folder / "workload.json"
    path.write_text(json.dumps(workload))
    options = ["--workload", str(path), "--policy", policy, "--seconds", str(seconds), "--switch-cost", "measured"]
    report: dict[str, Any] = json.loads(harness.output([str(program), *options, "--json"]))
    return report


def useful_work(program: pathlib.Path, folder: pathlib.Path, processors: int) -> float:
    """Per cent of the processors' time."""
    hogs = {"instance": THREADS_EACH * processors, "loop": -1, "slice": SLICE_US, "run": 1_000_000}
    report = run(program, folder, {"machine": {"cpus": processors}, "tasks": {"hog": hogs}}, "rr", 0.5)
    cpus = report["runs"][0]["cpus"]
    worked = sum(cpu["busy_ns"] - cpu["overhead_ns"] for cpu in cpus)
    if sum(cpu["switches"] for cpu in cpus) < processors * report["duration_ns"] / (SLICE_US * 1100):
        raise harness.Failed("slices were longer than asked for")
    return 100 * worked / (processors * report["duration_ns"])


def share_error(program: pathlib.Path, folder: pathlib.Path) -> float:
    """The greatest error of a share, in millionths."""
    hogs = {f"hog{nice}": {"priority": nice, "loop": -1, "slice": SHARE_SLICE_US, "run": 10_000_000} for nice in NICE}
    report = run(program, folder, {"machine": {"cpus": 1}, "tasks": hogs}, "eevdf", SHARE_S)
    threads = report["runs"][0]["threads"]
    ran = sum(thread["ran_ns"] for thread in threads)
    ideal = sum(thread["ideal_ns"] for thread in threads)
    shares = ((thread["ran_ns"] / ran, thread["ideal_ns"] / ideal) for thread in threads)
    return max(abs(share - fair) / fair for share, fair in shares) * 1e6


def linux_share_error(build: pathlib.Path) -> float:
    """The same of threads of the host."""
    pinned = ["taskset", "-c", str(max(os.sched_getaffinity(0)))]
    said = json.loads(harness.output([*pinned, build / "bench/sched-peers", "shares", LINUX_MS]))
    return float(said["share_error"])


def main() -> int:
    options, _ = harness.parser("sched/laboratory").parse_known_args()
    build = options.build.resolve()
    program = build / "apps/sched/twofold-sched"
    entries: list[harness.Entry] = []
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        measures = {
            f"useful_work_{count}/ours": functools.partial(useful_work, program, folder, count) for count in PROCESSORS
        }
        measures |= {
            "share_error_virtual/ours": functools.partial(share_error, program, folder),
            "share_error_virtual/linux": functools.partial(linux_share_error, build),
        }
        for repeat in range(options.benchmark_repetitions):
            for row, measure in measures.items():
                try:
                    entries.append(harness.entry(row, repeat, measure()))
                except (harness.Failed, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
                    print(f"sched/laboratory: {error}", file=sys.stderr)
                    failed = True
    harness.write(entries, options.benchmark_out)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
