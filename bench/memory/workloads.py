#!/usr/bin/env python3
"""Runs the synthetic workloads on the heap and on its peers, each in a fresh process, in turns.

    bench/memory/workloads.py BUILD [--benchmark_out=FILE] [--benchmark_repetitions=N]

Takes Google Benchmark's options (the others are accepted and mean nothing here) and writes its JSON. Each workload
has two rows: `kernel`, the heap as the kernel ships it, and `library`, the malloc library by LD_PRELOAD, where it is
built. real_time is what bench/memory/workloads.cpp prints, whatever its unit.
"""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

WORKLOADS = ("churn", "lifo", "bulk", "remote", "shift")
LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")
PEERS = {
    "glibc": None,
    "jemalloc": LIBRARIES / "libjemalloc.so.2",
    "mimalloc": LIBRARIES / "libmimalloc.so.2.0",
    "tcmalloc": LIBRARIES / "libtcmalloc_minimal.so.4",
}
TIMEOUT_S = 300


def measure(program: pathlib.Path, workload: str, preload: pathlib.Path | None) -> float:
    """The figure of one run."""
    environment = dict(os.environ)
    environment.pop("LD_PRELOAD", None)
    if preload is not None:
        environment["LD_PRELOAD"] = str(preload)
    command = [str(program), workload]
    if workload != "remote":  # the only one with two threads
        command = ["taskset", "-c", str(max(os.sched_getaffinity(0))), *command]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    return float(done.stdout)


def main() -> int:
    options, _ = harness.parser("memory/workloads").parse_known_args()
    programs = options.build / "bench"
    malloc, kernel = programs / "memory-workloads-malloc", programs / "memory-workloads-kernel"
    library = options.build / "apps" / "malloc" / "libtwofold-malloc.so"
    peers = {who: path for who, path in PEERS.items() if path is None or path.exists()}
    rows = {"kernel": (kernel, None)} | ({"library": (malloc, library)} if library.exists() else {})
    entries = []
    try:
        for workload in WORKLOADS:
            for repeat in range(options.benchmark_repetitions):
                figures = {f"{workload}_{row}/ours": measure(*run[:1], workload, run[1]) for row, run in rows.items()}
                for who, path in peers.items():
                    figure = measure(malloc, workload, path)
                    figures |= {f"{workload}_{row}/{who}": figure for row in rows}
                for name, figure in figures.items():
                    entries.append(harness.entry(name, repeat, figure))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"memory/workloads: {error}", file=sys.stderr)
        return 1
    harness.write(entries, options.benchmark_out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
