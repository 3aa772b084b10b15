#!/usr/bin/env python3
"""Counts what the metal kernel executes while it takes no interrupts, exactly.

    tools/interrupt_windows/measure.py BUILD [--image NAME] [--command TEXT] [--mark FUNCTION] [--json] [--limit N]

Boots an image on one processor with counted instructions under the emulator's plugin beside this file, runs the
commands, and shows the longest windows by the function and line where they begin and end. With --mark also how many
instructions lie between an interrupt gate and a function, and until its return. Status 1 if a window is longer than
--limit.
"""

import argparse
import bisect
import json
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from typing import Any

IMAGE_BASE = 0xFFFF_FFFF_8000_0000
GATE_BYTES = 16
# Where interrupt gates lead: a function, the vector of its first gate, and how many gates lie there.
GATES = [("metal_exception_entries", 0, 32), ("metal_interrupt_entries", 32, 224)]
# Tests that step through gates, with interrupts off for as long as that takes, and the gate that they use for it.
STEPPING_TESTS, STEPPING_GATE = "GateSteps", "metal_step_entry"
# Tests that do what a panic does, where interrupts never come back.
PANIC_TESTS = re.compile(r"\btwofold_test_\w*Panic")
OWN_GATES = ["metal_deadline_entry", "metal_console_entry", "metal_broadcast_entry", "metal_error_entry"]


class Failed(Exception):
    """The measurement could not be made; the text is for a person."""


class Symbols:
    """The functions of an image that is linked at 0."""

    def __init__(self, image: pathlib.Path) -> None:
        listed = subprocess.run(
            ["nm", "--demangle", "--defined-only", "--numeric-sort", image], capture_output=True, text=True, check=True
        )
        self.image = image
        self.places: list[int] = []
        self.names: list[str] = []
        for line in listed.stdout.splitlines():
            address, _, name = line.split(maxsplit=2)
            self.places.append(int(address, 16))
            self.names.append(name.replace("(anonymous namespace)::", ""))

    def address(self, function: str) -> int:
        """Where a function begins, named whole or without its arguments."""
        for place, name in zip(self.places, self.names):
            if name == function or name.split("(")[0] == function:
                return IMAGE_BASE + place
        raise Failed(f"{self.image} has no function '{function}'")

    def gate(self, address: int) -> str:
        """The vector of a gate, or the function that is its own."""
        for name, vector, count in GATES:
            number = (address - self.address(name)) // GATE_BYTES
            if 0 <= number < count:
                return f"vector {vector + number}"
        return self.describe(address)

    def describe(self, address: int) -> str:
        """The function that holds an address, without its arguments, and how far inside."""
        index = bisect.bisect_right(self.places, address - IMAGE_BASE) - 1
        if index < 0:
            return hex(address)
        return f"{self.names[index].split('(')[0]}+{address - IMAGE_BASE - self.places[index]:#x}"


def measure(
    build: pathlib.Path,
    image: str,
    command: str,
    marks: list[str],
    timeout_s: int = 300,
    beats: Iterable[str] = (),
    further: Iterable[str] = (),
    counts_time: bool = True,
) -> tuple[dict[str, Any], Symbols]:
    """What the plugin reports of one boot, and the symbols to read it by; `further` are arguments of the launcher.

    With `counts_time` the guest's time is a count of instructions, so that all that it does repeats; but while it
    sleeps for a device, time then runs ahead of that, tick after tick.
    """
    plugin = build / "tools" / "interrupt_windows" / "libinterrupt_windows.so"
    packed = build / "images" / f"twofold-{image}.elf"
    for needed in (plugin, packed):
        if not needed.exists():
            raise Failed(f"{needed} is not built")
    symbols = Symbols(packed.with_suffix(".debug.elf"))
    gates = [(symbols.address(name), count) for name, _, count in GATES]
    own_gates = [*OWN_GATES, STEPPING_GATE] if STEPPING_GATE in symbols.names else OWN_GATES
    gates += [(symbols.address(name), 1) for name in own_gates]
    with tempfile.TemporaryDirectory(prefix="twofold-windows-") as folder:
        report = pathlib.Path(folder) / "report"
        arguments = [f"out={report}"]
        arguments += [f"entries={first:#x}:{first + GATE_BYTES * count:#x}" for first, count in gates]
        arguments += [f"mark={symbols.address(mark):#x}" for mark in marks]
        arguments += [f"beat={symbols.address(beat):#x}" for beat in beats]
        clock = ["--icount"] if counts_time else []
        done = subprocess.run(
            [build / "apps/launch/twofold-boot", *clock, "--image", packed, "--command", command]
            + ["--timeout", str(timeout_s), "--append", f"image_base={IMAGE_BASE:#x}"]
            + ["--qemu-arg=-plugin", f"--qemu-arg={','.join([str(plugin), *arguments])}", *further],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not report.exists():
            raise Failed(f"'{command}' ended with status {done.returncode}: {(done.stdout + done.stderr)[-400:]}")
        measured = json.loads(report.read_text())
    measured["windows"] = [each for each in measured["windows"] if not may_last(symbols.describe(each["first"]))]
    return measured, symbols


def may_last(first: str) -> bool:
    """Whether interrupts are off from there on because that is what is tested."""
    return STEPPING_TESTS in first or PANIC_TESTS.search(first) is not None


def main() -> int:
    parser = argparse.ArgumentParser(prog="measure.py", description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--image", default="test")
    parser.add_argument("--command", default="test")
    parser.add_argument("--mark", action="append", default=[])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    try:
        report, symbols = measure(options.build.resolve(), options.image, options.command, options.mark)
    except (Failed, OSError, subprocess.CalledProcessError) as error:
        print(f"interrupt windows: {error}", file=sys.stderr)
        return 2
    for window in report["windows"]:
        window["first"] = symbols.describe(window["first"])
        window["last"] = symbols.describe(window["last"])
    for trip in report["trips"]:
        trip["gate"] = symbols.gate(trip["gate"])
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        for window in report["windows"]:
            print(f"{window['instructions']:>9} {window['times']:>9}  {window['first']}  to  {window['last']}")
        for trip in report["trips"]:
            marked = f", {trip['to_mark']} to the mark" if "to_mark" in trip else ""
            print(f"{trip['to_return']:>9} {trip['times']:>9}  {trip['gate']}, to its return{marked}")
    longest = max((window["instructions"] for window in report["windows"]), default=0)
    if not report["windows"]:
        print("interrupt windows: the kernel never let interrupts through", file=sys.stderr)
        return 2
    if options.limit is not None and longest > options.limit:
        print(f"interrupt windows: {longest} instructions, more than {options.limit}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
