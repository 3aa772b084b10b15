#!/usr/bin/env python3
"""Measures how much of the processors' time is left for work when slices are as short as they may be, in virtual time.

    bench/sched/laboratory.py BUILD [--benchmark_out=FILE] [--benchmark_repetitions=N]

Takes Google Benchmark's options (the others are accepted and mean nothing here) and writes its JSON. The laboratory
measures what a switch costs the dispatcher on this host, and charges that for each: four threads a processor compute
without end, in slices of 10 us.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import harness  # noqa: E402

SLICE_US = 10
THREADS_EACH = 4
PROCESSORS = (1, 2, 4, 8)
POLICY = "rr"


def useful_work(program: pathlib.Path, folder: pathlib.Path, processors: int) -> float:
    """Per cent of the processors' time."""
    workload = folder / "hogs.json"
    hogs = {"instance": THREADS_EACH * processors, "loop": -1, "slice": SLICE_US, "run": 1_000_000}
    workload.write_text(json.dumps({"machine": {"cpus": processors}, "tasks": {"hog": hogs}}))
    said = harness.output([str(program), "--workload", str(workload), "--policy", POLICY, "--seconds", "0.5",
                           "--switch-cost", "measured", "--json"])
    report = json.loads(said)
    run = report["runs"][0]
    worked = sum(cpu["busy_ns"] - cpu["overhead_ns"] for cpu in run["cpus"])
    if sum(cpu["switches"] for cpu in run["cpus"]) < processors * report["duration_ns"] / (SLICE_US * 1100):
        raise harness.Failed("slices were longer than asked for")
    return 100 * worked / (processors * report["duration_ns"])


def main() -> int:
    options, _ = harness.parser("sched/laboratory").parse_known_args()
    program = options.build.resolve() / "apps/sched/twofold-sched"
    entries: list[harness.Entry] = []
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(options.benchmark_repetitions):
            for processors in PROCESSORS:
                try:
                    found = useful_work(program, pathlib.Path(folder), processors)
                except (harness.Failed, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
                    print(f"sched/laboratory: {error}", file=sys.stderr)
                    failed = True
                    continue
                entries.append(harness.entry(f"useful_work_{processors}/ours", repeat, found))
    harness.write(entries, options.benchmark_out)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
