#!/usr/bin/env python3
"""Measures starting: power-on to the first line and to a prompt that can be used, instructions, image size,
process start, rebuild.

    bench/boot.py BUILD [--benchmark_out=FILE] [--benchmark_repetitions=N]

Takes Google Benchmark's options (the others are accepted and mean nothing here) and writes its JSON. The peer of
power-on is Linux (linux_guest.py) in the same emulator, run in turns with ours. Times are wall clock, from the
start of the process to the line that is waited for; instructions are exact (the emulator counts them).

A prompt is that of the image `full` on a terminal (person.py): `prompt_MACHINE` until it is there, `usable_MACHINE`
until the first line has been answered, which a person types at that moment, and `usable_cpu_MACHINE` of processors
until then.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable

import harness
import linux_guest
import person

ROOT = pathlib.Path(__file__).resolve().parent.parent
GUEST_TIMEOUT_S = 60
QEMU_MICROVM = ["qemu-system-x86_64", "-M", "microvm", "-accel", "tcg", "-cpu", "max"]
PROBE_SOURCE = "core/base/format.cpp"
PROBE_TEST = "format_oracle"


class Failed(Exception):
    """A measurement could not be made; the text is for a person."""


def until_line(command: list[str], expected: bytes) -> float:
    """Milliseconds from starting `command` until it prints a line that contains `expected`."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    guard = threading.Timer(GUEST_TIMEOUT_S, process.kill)
    guard.start()
    try:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            if expected in line:
                return (time.perf_counter() - began) * 1000
        reason = process.stderr.read().decode(errors="replace").strip()
        raise Failed(f"{command[0]} ended without the line {expected!r}: {reason[-200:]}")
    finally:
        guard.cancel()
        process.kill()
        process.communicate()


def duration(command: list[str]) -> float:
    """Milliseconds that `command` takes."""
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {(done.stdout + done.stderr).strip()[-300:]}")
    return (time.perf_counter() - began) * 1000


def instructions_to_ready(boot: pathlib.Path) -> float:
    """Guest instructions from power-on until the kernel is ready, under the emulator's instruction count."""
    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder) / "results"
        duration(
            [str(boot), "--machine", "microvm", "--icount", "--command", "version", "--results", str(results)]
        )
        for line in results.read_text().splitlines():
            record = json.loads(line)
            if record.get("type") == "command":
                return float(record["cycles_after"])
    raise Failed("the kernel reported no command record")


def touch_then_test(build: pathlib.Path) -> float:
    """Milliseconds from a change to one file of core/base to its unit tests having run."""
    os.utime(ROOT / PROBE_SOURCE)
    return duration(["cmake", "--build", str(build), "--target", f"test_{PROBE_TEST}"]) + duration(
        [str(build / "tests" / "core" / "base" / f"test_{PROBE_TEST}")]
    )


def rebuild_unchanged(build: pathlib.Path) -> float:
    """Milliseconds that a build takes when nothing changed."""
    duration(["cmake", "--build", str(build)])
    return duration(["cmake", "--build", str(build)])


def fresh_test() -> float | None:
    """Milliseconds that the last `./twofold test` from a fresh clone took, if there was one."""
    try:
        return float((ROOT / "build" / "bench" / "fresh_test_ms").read_text())
    except (OSError, ValueError):
        return None


def prompts(build: pathlib.Path) -> dict[str, Callable[[], dict[str, float]]]:
    """How soon each machine can be used; the figures of one start."""
    boot = str(build / "apps" / "launch" / "twofold-boot")
    machines = {
        "hosted": [str(build / "apps" / "host" / "twofold-host")],
        "microvm": [boot, "--machine", "microvm", "--accel", "tcg"],
        "q35": [boot, "--accel", "tcg"],
        "uefi": [boot, "--accel", "tcg", "--iso", "--uefi"],
    }

    def measure(machine: str) -> dict[str, float]:
        found = person.usable(machines[machine], GUEST_TIMEOUT_S)
        return {f"{what}_{machine}/ours": figure for what, figure in found.items()}

    return {machine: lambda machine=machine: measure(machine) for machine in machines}


def subjects(build: pathlib.Path) -> dict[str, Callable[[], float | dict[str, float]]]:
    """Every measurement of this program: the figure of the name, or several with names of their own."""
    host = build / "apps" / "host" / "twofold-host"
    boot = build / "apps" / "launch" / "twofold-boot"
    power_on = [str(boot), "--machine", "microvm", "--command", "version"]
    found: dict[str, Callable[[], float | dict[str, float]]] = {
        "power_on_to_version/ours": lambda: until_line(power_on, b"wofold"),
        "instructions_to_version/ours": lambda: instructions_to_ready(boot),
        "hosted_start_to_command/ours": lambda: until_line([str(host), "--command", "version"], b"wofold"),
        "one_file_to_tests/ours": lambda: touch_then_test(build),
        "noop_rebuild/ours": lambda: rebuild_unchanged(build),
    }
    if (fresh := fresh_test()) is not None:
        found["fresh_test_run/ours"] = lambda: fresh
    else:
        print("boot: without fresh_test_run: './twofold test' has not run in a fresh clone here", file=sys.stderr)
    try:
        kernel, initramfs = linux_guest.prepare(ROOT / "build" / "bench" / "linux")
        linux = linux_guest.command(kernel, initramfs, QEMU_MICROVM)
        found["power_on_to_version/linux"] = lambda: until_line(linux, linux_guest.FIRST_LINE)
    except linux_guest.Unavailable as error:
        print(f"boot: without the peer Linux: {error}", file=sys.stderr)
    for profile in ("base", "full"):
        image = build / "images" / f"twofold-{profile}.elf"
        found[f"image_bytes_{profile}/ours"] = lambda image=image: float(image.stat().st_size)
    return found | prompts(build)


def main() -> int:
    options, _ = harness.parser("boot").parse_known_args()
    measured = subjects(options.build.resolve())
    entries: list[harness.Entry] = []
    failed = False
    duration(["cmake", "--build", str(options.build)])
    for repeat in range(options.benchmark_repetitions):
        for name, measure in measured.items():
            try:
                measured_now = measure()
            except (Failed, person.Unusable, OSError, ValueError, KeyError) as error:
                print(f"boot: {name}: {error}", file=sys.stderr)
                failed = True
                continue
            figures = measured_now if isinstance(measured_now, dict) else {name: measured_now}
            entries += [harness.entry(one, repeat, figure, "ms") for one, figure in figures.items()]
    harness.write(entries, options.benchmark_out)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
