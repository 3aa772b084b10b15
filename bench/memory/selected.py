#!/usr/bin/env python3
"""Runs small workloads on an allocator of one's own beside the kernel's heap and the baselines.

    bench/memory/selected.py BUILD [--guide] [--benchmark_out=FILE] [--benchmark_repetitions=N]

`ours` is the allocator that the build selected (-DTWOFOLD_HEAP=FILE, docs/guides/write-an-allocator.md); without
one, the kernel's heap; with --guide, the guide's. The workloads are those of bench/memory/workloads.cpp, with few
enough blocks that an allocator may search through them all. Who runs out of memory has no figure, and is named.
Takes Google Benchmark's options and writes its JSON.
"""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

WORKLOADS = ("churn", "lifo", "bulk", "shift")
OUT_OF_MEMORY = 3
TIMEOUT_S = 120


def measure(build: pathlib.Path, who: str, workload: str) -> float | None:
    """The figure of one run; None where memory ran out."""
    program = build / "bench" / f"memory-workloads-{who}"
    command = ["taskset", "-c", str(max(os.sched_getaffinity(0))), str(program), workload, "small"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode == OUT_OF_MEMORY:
        return None
    done.check_returncode()
    return float(done.stdout)


def main() -> int:
    parser = harness.parser("memory/selected")
    parser.add_argument("--guide", action="store_true")
    options, _ = parser.parse_known_args()
    entries = []
    try:
        chosen = (options.build / "bench" / "selected-allocator").read_text()
        selected = ["selected"] if chosen or options.guide else []
        ours, *peers = [*selected, "kernel", "bump", "list"]
        if chosen:
            print(f"memory/selected: ours is the allocator of {chosen}", file=sys.stderr)
        for workload in WORKLOADS:
            for repeat in range(options.benchmark_repetitions):
                for who in (ours, *peers):
                    figure = measure(options.build, who, workload)
                    if figure is None:
                        if repeat == 0:
                            print(f"memory/selected: {who} runs out of memory in {workload}", file=sys.stderr)
                        continue
                    name = f"small_{workload}/{'ours' if who == ours else who}"
                    entries.append(harness.entry(name, repeat, figure))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"memory/selected: {error}", file=sys.stderr)
        return 1
    harness.write(entries, options.benchmark_out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
