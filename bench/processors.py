#!/usr/bin/env python3
"""Measures interrupts and time: the hosted machine beside signals, the metal one in counted instructions.

    bench/processors.py BUILD [--benchmark_out=FILE] [--benchmark_repetitions=N]

Takes Google Benchmark's options (the others are accepted and mean nothing here) and writes its JSON. Times are what
the kernel's commands irq-bench and jitter print; the peer of a hosted interrupt is a signal (processors/peers.cpp),
measured in turns with it. Instructions are counted by the emulator's plugin (tools/interrupt_windows), exactly; the
peer of an interrupt there and back is the shortest tick of a Linux guest (linux_guest.py).
"""

import json
import pathlib
import re
import sys

import harness
import linux_guest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tools.interrupt_windows import measure as windows  # noqa: E402

HANDLER = "twofold::boot::Raised::take"


def hosted(build: pathlib.Path) -> dict[str, float]:
    """Nanoseconds of the hosted machine, and how much a safe point costs in a loop."""
    seen = {
        row["operation"]: row
        for row in harness.rows(build / "apps/host/twofold-host", "--cpus", "2", "--command", "irq-bench 20000")
    }

    def mean(name: str) -> float:
        return float(seen[name]["mean ps"]) / 1000

    return {
        "raise_to_handler/ours": mean("raise to handler"),
        "raise_to_handler_p50/ours": float(seen["raise to handler"]["p50 ns"]),
        "raise_on_other/ours": float(seen["raise on one that computes"]["p50 ns"]),
        "disable_and_restore/ours": mean("disable and restore"),
        "safe_point/ours": max(0.0, 100 * (mean("compute and poll") / mean("compute") - 1)),
    }


def signals(build: pathlib.Path) -> dict[str, float]:
    """Nanoseconds of the host's signals."""
    seen = json.loads(harness.output([build / "bench" / "processors-peers", "20000"]))
    return {
        "raise_to_handler/signal": seen["signal_to_self"],
        "raise_on_other/signal": seen["signal_to_other"],
    }


def lateness(name: str, program: pathlib.Path) -> dict[str, float]:
    """How late deadlines are on one processor, in nanoseconds."""
    seen = harness.rows(program, "--command", "jitter 1000")[0]
    return {
        f"lateness_{name}_median/ours": float(seen["p50 ns"]),
        f"lateness_{name}_p99.9/ours": float(seen["p99.9 ns"]),
    }


def counted(build: pathlib.Path) -> dict[str, float]:
    """Instructions of the metal machine."""
    report, _ = windows.measure(build, "full", "irq-bench 100", [HANDLER])
    trips = [trip for trip in report["trips"] if trip.get("marks", 0) >= 100]
    if not trips:
        raise harness.Failed("no interrupt of irq-bench was seen")
    return {
        "interrupt_entry/ours": float(min(trip["to_mark"] for trip in trips)),
        "interrupt_trip/ours": float(min(trip["to_return"] for trip in trips)),
    }


def longest_window(build: pathlib.Path) -> dict[str, float]:
    """The longest stretch without interrupts while the kernel's tests run."""
    report, _ = windows.measure(build, "test", "test", [])
    return {"interrupts_off_longest/ours": float(max(window["instructions"] for window in report["windows"]))}


def linux_tick() -> dict[str, float]:
    """Instructions of the shortest tick of a Linux guest."""
    folder = ROOT / "build" / "bench" / "linux"
    kernel, initramfs = linux_guest.prepare(folder, linux_guest.TICK_INIT_SOURCE)
    said = harness.output(linux_guest.command(kernel, initramfs, harness.QEMU_MICROVM))
    found = re.search(r"shortest tick (\d+)", said)
    if found is None:
        raise harness.Failed(f"the Linux guest said nothing of its ticks: {said[-200:]}")
    return {"interrupt_trip/linux": float(found.group(1))}


def main() -> int:
    options, _ = harness.parser("processors").parse_known_args()
    build = options.build.resolve()
    repeated = [
        lambda: hosted(build),
        lambda: signals(build),
        lambda: lateness("host", build / "apps/host/twofold-host"),
        lambda: lateness("metal", build / "apps/launch/twofold-boot"),
    ]
    once = [lambda: counted(build), lambda: longest_window(build), linux_tick]
    taken = harness.Measurements("processors")
    for measure in once:  # counted: every repeat would say the same
        taken.take(measure, 0)
    for repeat in range(options.benchmark_repetitions):
        for measure in repeated:
            taken.take(measure, repeat)
    harness.write(taken.entries, options.benchmark_out)
    return 1 if taken.failed else 0


if __name__ == "__main__":
    sys.exit(main())
