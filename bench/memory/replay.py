#!/usr/bin/env python3
"""Replays the allocation traces of real programs on the malloc library and on its peers: time and peak memory.

    bench/memory/replay.py BUILD [--benchmark_out=FILE] [--benchmark_repetitions=N]

Takes Google Benchmark's options (the others are accepted and mean nothing here) and writes its JSON. Each trace
has two rows: `kernel`, the heap as the kernel ships it, and `library`, the malloc library. The replayer runs the
allocators in turns, every run in a fresh process; time is that of all requests with their blocks written and
verified (real_time and cpu_time, in ms), memory what is committed at most above an idle process (in KiB).
"""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TRACES = ("compiler", "interpreter", "database")
PEERS = ("glibc", "jemalloc", "mimalloc", "tcmalloc")
KERNEL = pathlib.Path("bench") / "libmemory-kernel-malloc.so"  # below the build folder
ROWS = ("kernel", "library")
REPLAYS_PER_REPEAT = 3  # one replay takes a twentieth of a second
TIMEOUT_S = 900
NS_PER_MS = 1e6



class Failed(Exception):
    """A measurement could not be made; the text is for a person."""


def replay(build: pathlib.Path, trace: str, allocators: list[str], repeats: int) -> dict[str, Any]:
    """The replayer's report on one trace."""
    file = ROOT / "bench" / "memory" / "traces" / f"{trace}.trace"
    command = [str(build / "apps" / "allocation" / "twofold-replay"), str(file), "--json", "--repeats", str(repeats)]
    done = subprocess.run(
        [*command, "--allocator", ",".join(allocators)], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        raise Failed(f"{trace}: {done.stderr.strip() or 'an allocator lost contents or refused a request'}")
    return json.loads(done.stdout)


def available(build: pathlib.Path) -> dict[str, str]:
    """The allocators that this host has; the others are named on stderr."""
    found = {}
    allocators = {"kernel": str((build / KERNEL).resolve()), "library": "twofold"} | {peer: peer for peer in PEERS}
    for who, name in allocators.items():
        try:
            replay(build, "database", [name], 1)
            found[who] = name
        except Failed as error:
            print(f"memory/replay: without {who}: {error}", file=sys.stderr)
    return found


def entries_of(trace: str, row: str, who: str, figures: dict[str, Any]) -> list[harness.Entry]:
    """Google Benchmark's entries: one a repeat, its time the least of a few replays, as a machine that is shared
    only ever adds to it."""
    entries: list[harness.Entry] = []
    times = list(zip(figures["wall_ns"], figures["cpu_ns"]))
    for index in range(0, len(times), REPLAYS_PER_REPEAT):
        group = times[index : index + REPLAYS_PER_REPEAT]
        name = f"{trace}_time_{row}/{who}"
        entry: harness.Entry = {"name": name, "run_name": name, "run_type": "iteration", "iterations": len(group)}
        entry |= {"repetition_index": index // REPLAYS_PER_REPEAT, "time_unit": "ms"}
        entry["real_time"] = min(wall for wall, _ in group) / NS_PER_MS
        entry["cpu_time"] = min(cpu for _, cpu in group) / NS_PER_MS
        entries.append(entry)
    for index, peak in enumerate(figures["committed_peak_bytes"]):
        name = f"{trace}_peak_{row}/{who}"
        entries.append(harness.entry(name, index, peak / 1024, "ms"))
    return entries


def main() -> int:
    options, _ = harness.parser("memory/replay").parse_known_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one thread replays
    entries: list[harness.Entry] = []
    try:
        allocators = available(options.build)
        for trace in TRACES:
            repeats = options.benchmark_repetitions * REPLAYS_PER_REPEAT
            report = replay(options.build, trace, list(allocators.values()), repeats)
            for who, figures in zip(allocators, report["allocators"]):
                for row in ROWS if who in PEERS else (who,):
                    entries += entries_of(trace, row, "ours" if who in ROWS else who, figures)
    except (Failed, subprocess.TimeoutExpired) as error:
        print(f"memory/replay: {error}", file=sys.stderr)
        return 1
    harness.write(entries, options.benchmark_out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
