#!/usr/bin/env python3
"""Measures the simulator: how fast virtual time passes, and how soon a person is at the event that matters.

    bench/sim.py BUILD [--benchmark_out=FILE] [--benchmark_repetitions=N]

Takes Google Benchmark's options (the others are accepted and mean nothing here) and writes its JSON. The simulator
uses one thread, so times are those of its processor (user and system), which others on the host change little.

Events are what the hash of a run takes in: turns, interrupts, moments of devices, faults, operations.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import harness  # noqa: E402

SEED = 7
BUSY = ("threads", "interrupts", "waits", "locks")  # workloads whose processors all work
BUSY_OPERATIONS = "4096"
NODES = ["--nodes", "4", "--seed", str(SEED)]
BEATS = 20_000  # of a millisecond
DISK = ["--disk", "2M"]
DISK_FAULTS = ["nvme.reordered:probability=0.05", "nvme.late:probability=0.01:amount=100000"]
HOUR = ["ticks", "--cpus", "1", "--threads", "1", "--operations", "3600", "--seed", str(SEED)]
JUMPS = 6
COPY_EVERY = 500_000  # events, as the simulator does unless told otherwise
CASES = 400


def timed(command: list[Any], given: str | None = None) -> tuple[float, str]:
    """Seconds of a processor that a program took, and what it printed."""
    with tempfile.TemporaryFile("w+") as input_file, tempfile.TemporaryFile("w+") as said:
        input_file.write(given or "")
        input_file.seek(0)
        words = [str(word) for word in command]
        running = subprocess.Popen(words, stdin=input_file, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    if running.returncode != 0:
        raise harness.Failed(f"{' '.join(words)}: {text.strip()[-300:]}")
    return usage.ru_utime + usage.ru_stime, text


def outcome(simulator: pathlib.Path, workload: str, *options: Any) -> dict[str, Any]:
    """What one case came to."""
    words = [simulator, "run", workload, "--seed", SEED, "--json", *options]
    return json.loads(timed(words)[1].strip().splitlines()[-1])


def events(simulator: pathlib.Path) -> dict[str, float]:
    """Millions of events a second, of four processors, without the start of the program and of the kernel."""
    found = {}
    for workload in BUSY:
        options = ["--cpus", "4", "--threads", "8", "--operations"]
        short, long = (outcome(simulator, workload, *options, count) for count in ("8", BUSY_OPERATIONS))
        took_s = (long["host_ns"] - short["host_ns"]) / 1e9
        found[f"events_{workload}/ours"] = (long["events"] - short["events"]) / took_s / 1e6
    return found


def trace_event(simulator: pathlib.Path) -> dict[str, float]:
    """Nanoseconds by which a trace makes an event longer."""
    options = ["--cpus", "4", "--threads", "8", "--operations", BUSY_OPERATIONS]
    with tempfile.NamedTemporaryFile() as file:
        without, traced = [], []
        for _ in range(8):
            without.append(outcome(simulator, "interrupts", *options))
            traced.append(outcome(simulator, "interrupts", *options, "--trace", file.name))
    least = [min(one["host_ns"] for one in several) for several in (without, traced)]
    return {"trace_event/ours": max(0.0, (least[1] - least[0]) / without[0]["events"])}


def worlds(world: pathlib.Path) -> dict[str, float]:
    """How many times faster than real time four kernels are with a tick of 1 kHz."""

    def ratio(*words: str) -> float:
        took_s, said = timed([world, *NODES, *words])
        found = re.search(r"([\d.]+) s of virtual time", said)
        if found is None:
            raise harness.Failed(f"the world said no time: {said[-200:]}")
        return float(found.group(1)) / took_s

    faults = [word for rule in DISK_FAULTS for word in ("--fault", rule)]
    return {
        "world_ticks/ours": ratio("--command", f"beat {BEATS} 1000"),
        # Whoever polls a disk takes turns that have nothing to do with the write.
        "world_disks/ours": ratio(
            *DISK, *faults, "--command", f"nvme mode 0 interrupt; beat {BEATS // 4} 1000 block"
        ),
    }


def cases(simulator: pathlib.Path) -> dict[str, float]:
    """Cases a second of a server, without its start."""
    found = {}
    for workload in ("frames", "heap"):
        lines = [json.dumps({"id": i, "workload": workload, "seed": i}) + "\n" for i in range(CASES + 1)]
        start_s, _ = timed([simulator, "--serve"], lines[0])
        all_s, _ = timed([simulator, "--serve"], "".join(lines))
        found[f"cases_{workload}/ours"] = CASES / (all_s - start_s)
    return found


def hour(simulator: pathlib.Path) -> dict[str, float]:
    """An hour of virtual time, recorded, and the longest way to one of its events."""
    with tempfile.TemporaryDirectory() as folder:
        recording = pathlib.Path(folder) / "hour"
        record_s, said = timed([simulator, "run", *HOUR, "--record", recording, "--json"])
        last = json.loads(said.strip().splitlines()[-1])["events"]
        chance = random.Random(SEED)
        # The furthest from a copy is what lies just before the next one.
        before_copy = last // COPY_EVERY * COPY_EVERY - 1
        chosen = [last - 1, before_copy, *(chance.randrange(1, last) for _ in range(JUMPS))]
        longest = max(
            timed([simulator, "run", "--replay", recording, "--until-event", event])[0] for event in chosen
        )
        return {
            "hour_record/ours": record_s,
            "hour_bytes/ours": recording.stat().st_size / (1 << 20),
            "hour_events/ours": last / 1e6,
            "hour_jump/ours": longest,
        }


def main() -> int:
    options, _ = harness.parser("sim").parse_known_args()
    build = options.build.resolve()
    simulator, world = build / "sim/twofold-simulator", build / "sim/world/twofold-world"
    repeated = [
        lambda: events(simulator),
        lambda: trace_event(simulator),
        lambda: worlds(world),
        lambda: cases(simulator),
    ]
    once = [lambda: hour(simulator)]  # long, and little of it is chance
    entries: list[harness.Entry] = []
    failed = False

    def take(measure: Any, repeat: int) -> None:
        nonlocal failed
        try:
            found = measure()
        except (harness.Failed, OSError, ValueError, KeyError) as error:
            print(f"sim: {error}", file=sys.stderr)
            failed = True
            return
        entries.extend(harness.entry(name, repeat, figure) for name, figure in found.items())

    for measure in once:
        take(measure, 0)
    for repeat in range(options.benchmark_repetitions):
        for measure in repeated:
            take(measure, repeat)
    harness.write(entries, options.benchmark_out)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
