#!/usr/bin/env python3
"""Measures switches between stacks inside of a kernel: the hosted machine in time, metal in counted instructions.

    bench/sched/kernel.py BUILD [--benchmark_out=FILE] [--benchmark_repetitions=N]

Takes Google Benchmark's options (the others are accepted and mean nothing here) and writes its JSON. Both kernels run
the command switch-bench; with counted instructions the metal machine's clock counts them. The peer on metal are two
threads of a Linux guest that yield to each other (bench/linux_guest.py).
"""

import pathlib
import re
import subprocess
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import harness  # noqa: E402
import linux_guest  # noqa: E402

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


def main() -> int:
    options, _ = harness.parser("sched/kernel").parse_known_args()
    build = options.build.resolve()
    entries: list[harness.Entry] = []
    failed = False

    def take(measure: Any, repeat: int) -> None:
        nonlocal failed
        try:
            found = measure()
        except linux_guest.Unavailable as error:
            print(f"sched/kernel: without the peer Linux: {error}", file=sys.stderr)
            return
        except (harness.Failed, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            print(f"sched/kernel: {error}", file=sys.stderr)
            failed = True
            return
        entries.extend(harness.entry(name, repeat, figure) for name, figure in found.items())

    take(lambda: metal(build), 0)  # counted: every repeat would say the same
    take(linux, 0)
    for repeat in range(options.benchmark_repetitions):
        take(lambda: hosted(build), repeat)
    harness.write(entries, options.benchmark_out)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
