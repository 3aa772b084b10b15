#!/usr/bin/env python3
"""Measures switches and threads inside of a kernel: the hosted machine in time, metal in counted instructions.

    bench/sched/kernel.py BUILD [--benchmark_out=FILE] [--benchmark_repetitions=N]

Takes Google Benchmark's options (the others are accepted and mean nothing here) and writes its JSON.

Switches: both kernels run the command switch-bench; with counted instructions the metal machine's clock counts them.
The peer on metal are two threads of a Linux guest that yield to each other (bench/linux_guest.py).

Threads: the image `bench` (commands/) on the hosted machine, in turns with threads of the host that do the same
(peers.cpp, tbb_peer.cpp, perf bench). What is about one processor is pinned to one, on both sides.
"""

import functools
import json
import os
import pathlib
import re
import shutil
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import harness  # noqa: E402
import linux_guest  # noqa: E402

HAND_OVERS = {
    "word there and back": "word_round_trip",
    "unpark there and back": "unpark_round_trip",
    "two yields": "yield_pair",
    "two hand-overs": "mutex_hand_over",
    "free mutex": "mutex_free",
    "spawn and join": "spawn_join",
    "wake to run": "wake_to_run",
}
PEER_OF = {
    "word_round_trip": "futex",
    "yield_pair": "sched_yield",
    "mutex_hand_over": "pthread_pi",
    "mutex_free": "pthread",
    "spawn_join": "pthread",
}
STORM_MESSAGES = 10 * 20 * 20 * 100  # groups, senders, receivers, from each to each
STORM_PEERS = {"sockets": [], "pipes": ["-p"], "pipes_of_threads": ["-p", "-t"]}
FIBONACCI = 26
SHARE_MS = 1000
ROWS = {"switch": "", "and control words": "_control", "and all registers": "_registers"}


def switches(program: pathlib.Path, rounds: int, *options: str) -> dict[str, float]:
    """Nanoseconds of the kernel's clock for each kind of switch."""
    found = harness.rows(program, *options, "--command", f"switch-bench {rounds}")
    seen = {row["operation"]: float(row["mean ps"]) / 1000 for row in found}
    return {suffix: seen[name] for name, suffix in ROWS.items()}


def hosted(build: pathlib.Path) -> dict[str, float]:
    seen = switches(build / "apps/host/twofold-host", 1_000_000)
    return {f"switch_hosted{suffix}/ours": figure for suffix, figure in seen.items()}


def metal(build: pathlib.Path) -> dict[str, float]:
    seen = switches(build / "apps/launch/twofold-boot", 10_000, "--machine", "microvm", "--icount")
    counted = {f"switch_metal{suffix}/ours": figure for suffix, figure in seen.items()}
    return counted | {"switch_metal_alone/ours": seen[""]}


def linux() -> dict[str, float]:
    """Instructions of a switch between two threads of a Linux guest."""
    kernel, initramfs = linux_guest.prepare(ROOT / "build" / "bench" / "linux", linux_guest.YIELD_INIT_SOURCE)
    said = harness.output(linux_guest.command(kernel, initramfs, harness.QEMU_MICROVM))
    found = re.search(r"shortest switch (\d+)", said)
    if found is None:
        raise harness.Failed(f"the Linux guest said nothing of its switches: {said[-200:]}")
    return {"switch_metal/linux": float(found.group(1))}


def on_one(command: list[Any]) -> list[Any]:
    """The command on one processor of the host, always the same one."""
    return ["taskset", "-c", str(max(os.sched_getaffinity(0))), *command]


def thread_rows(build: pathlib.Path, command: str) -> list[dict[str, Any]]:
    """The rows of a command on one processor, which is one of the host's."""
    return harness.rows(build / "bench/twofold-bench-host", "--command", command, before=tuple(on_one([])))


def hand_overs(build: pathlib.Path) -> dict[str, float]:
    found = thread_rows(build, "hand-over-bench 50000")
    seen = {HAND_OVERS[row["operation"]]: float(row["mean ps"]) / 1000 for row in found}
    peers = json.loads(harness.output(on_one([build / "bench/sched-peers", "hand-overs", 20000])))
    ours = {f"{name}/ours": figure for name, figure in seen.items()}
    return ours | {f"{name}/{PEER_OF[name]}": figure for name, figure in peers.items()}


def storm(build: pathlib.Path) -> dict[str, float]:
    """Nanoseconds a message."""
    seen = {"storm/ours": float(thread_rows(build, "storm-bench 100")[0]["mean ps"]) / 1000}
    for peer, options in STORM_PEERS.items():
        command = ["perf", "bench", "-f", "simple", "sched", "messaging", "-g", "10", "-l", "100", *options]
        said = harness.output(on_one(command))
        seen[f"storm/{peer}"] = float(said.split()[-1]) * 1e9 / STORM_MESSAGES
    return seen


def joins(build: pathlib.Path, processors: int) -> dict[str, float]:
    """Nanoseconds a task."""
    command = [build / "bench/twofold-bench-host", "--cpus", processors]
    pin = on_one([]) if processors == 1 else []
    options = [str(word) for word in command[1:]] + ["--command", f"join-bench {FIBONACCI}"]
    ours = harness.rows(command[0], *options, before=tuple(pin))[0]
    seen = {f"fork_join_{processors}/ours": float(ours["mean ps"]) / 1000}
    peer = build / "bench/sched-tbb-peer"
    if peer.is_file():
        theirs = json.loads(harness.output([*pin, peer, processors, FIBONACCI]))
        seen[f"fork_join_{processors}/tbb"] = float(theirs["join"]) / 1000
    return seen


def shares(build: pathlib.Path) -> dict[str, float]:
    """The greatest error of a share, in millionths: of requests as they are, and of short ones."""
    found = thread_rows(build, f"share-bench {SHARE_MS}")
    theirs = json.loads(harness.output(on_one([build / "bench/sched-peers", "shares", SHARE_MS])))["share_error"]
    seen: dict[str, float] = {}
    for name, request in {"share_error": max, "share_error_short": min}.items():
        chosen = request(int(row["request us"]) for row in found)
        errors = [float(row["error ppm"]) for row in found if int(row["request us"]) == chosen]
        seen |= {f"{name}/ours": max(errors), f"{name}/linux": float(theirs)}
    return seen


def without_peers(build: pathlib.Path) -> None:
    """Says which peers are not there."""
    if shutil.which("perf") is None:
        STORM_PEERS.clear()
        print("sched/kernel: without the peer perf bench, which is not installed", file=sys.stderr)
    if not (build / "bench/sched-tbb-peer").is_file():
        print("sched/kernel: without the peer oneTBB, which is not installed", file=sys.stderr)


def main() -> int:
    options, _ = harness.parser("sched/kernel").parse_known_args()
    build = options.build.resolve()
    taken = harness.Measurements("sched/kernel")
    taken.take(lambda: metal(build), 0)  # counted: every repeat would say the same
    taken.take(linux, 0)
    without_peers(build)
    repeated = [hosted, hand_overs, storm, shares, *(functools.partial(joins, processors=count) for count in (1, 2))]
    for repeat in range(options.benchmark_repetitions):
        for measure in repeated:
            taken.take(functools.partial(measure, build), repeat)
    harness.write(taken.entries, options.benchmark_out)
    return 1 if taken.failed else 0


if __name__ == "__main__":
    sys.exit(main())
