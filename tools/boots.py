#!/usr/bin/env python3
"""Boots a machine many times in a row and proves each time that all of its processors run.

    tools/boots.py BUILD [--machine host|metal|all] [--cpus N] [--count N]

Each boot is a process of its own: a machine with N processors (metal: q35, a thread of the emulator for each)
that sends a call there and back between each two of them (`ipi-bench`) and then shows them (`cpus`). The status
must be 0, each pair must have answered, each processor must run and have served calls, and the last line must
count all of them.

The first boot that fails ends the campaign. Nothing is tried again; what that boot was and everything that it
said are in BUILD/boots/, and the line on stderr names the file.

Status: 0 all boots were right; 1 one was not; 64 usage; 69 a machine's program is not built.
"""

import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import time

MACHINES = {"host": "apps/host/twofold-host", "metal": "apps/launch/twofold-boot"}
CPUS_MAX = 64
COUNT_MAX = 1_000_000
ROUNDS = 3
TIMEOUT_S = 90
COMMAND = f"ipi-bench {ROUNDS}; cpus"

PAIR = re.compile(r"^ *(\d+) +(\d+) +(\d+) +\d+ +\d+ +\d+ *$", re.MULTILINE)
PROCESSOR = re.compile(r"^ *(\d+) +\d+  \w+ +\d+  (\w.*?) +\d+ +(\d+)  [\d.]+ *$", re.MULTILINE)
SUMMARY = re.compile(r"^(\d+) of (\d+) processors? run;", re.MULTILINE)


class Parser(argparse.ArgumentParser):
    """Refuses in one line, with the status of wrong use."""

    def error(self, message: str):
        print(f"twofold: boots: {message}", file=sys.stderr)
        sys.exit(64)


def whole(most: int):
    """Takes a whole number from 1 to `most`."""

    def take(text: str) -> int:
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 to {most}")
        return int(text)

    return take


def words(program: pathlib.Path, machine: str, cpus: int) -> list[str]:
    """The command line of one boot."""
    kind = ["--machine", "q35"] if machine == "metal" else []
    return [str(program), *kind, "--cpus", str(cpus), "--timeout", str(TIMEOUT_S), "--command", COMMAND]


def objection(status: int, out: str, cpus: int) -> str:
    """What is wrong with a boot, empty if nothing is."""
    if status != 0:
        return f"status {status}"
    pairs = [(int(a), int(b)) for a, b, rounds in PAIR.findall(out) if int(rounds) == ROUNDS]
    everybody = range(cpus)
    if pairs != [(a, b) for a in everybody for b in everybody]:
        return f"{len(pairs)} pairs of processors answered, not {cpus * cpus}"
    shown = [(int(number), state, int(served)) for number, state, served in PROCESSOR.findall(out)]
    numbers = [number for number, _, _ in shown]
    if numbers != list(everybody):
        return f"processors {numbers} are shown, not 0 to {cpus - 1}"
    for number, state, served in shown:
        if state != "runs":
            return f"processor {number} is shown as '{state}'"
        if served < ROUNDS * cpus:
            return f"processor {number} served {served} calls"
    if SUMMARY.findall(out) != [(str(cpus), str(cpus))]:
        return f"the last line does not say that {cpus} of {cpus} run"
    return ""


def boot(command: list[str], cpus: int) -> tuple[str, str]:
    """Boots once. What is wrong with it, empty if nothing is, and everything that it said."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=2 * TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"") + (error.stderr or b"")
        return "the program did not end", said.decode(errors="replace")
    return objection(done.returncode, done.stdout, cpus), done.stdout + done.stderr


def campaign(build: pathlib.Path, machine: str, cpus: int, count: int) -> bool:
    """Boots one machine `count` times, prints its row, and tells whether all boots were right."""
    command = words(build / MACHINES[machine], machine, cpus)
    times = []
    for number in range(1, count + 1):
        began = time.perf_counter()
        wrong, said = boot(command, cpus)
        times.append(time.perf_counter() - began)
        if wrong:
            log = build / "boots" / f"{machine}-{number}.log"
            log.parent.mkdir(exist_ok=True)
            log.write_text(f"{command}\nboot {number} of {count}: {wrong}\n\n{said}")
            print(f"twofold: boots: {machine}, boot {number} of {count}: {wrong}; see {log}", file=sys.stderr)
            break
    failed = 1 if wrong else 0
    figures = (min(times), statistics.median(times), max(times))
    print(
        f"{machine:<8} {cpus:>4} {len(times):>8} {failed:>7}" + "".join(f"{value:>9.2f}" for value in figures),
        flush=True,
    )
    return not wrong


def main() -> int:
    """Reads the command line; returns the exit status."""
    parser = Parser(
        prog="twofold boots",
        description="boot many times in a row; each boot must bring up all processors",
        epilog="The first boot that fails ends it; its output is kept in build/release/boots.",
    )
    parser.add_argument("build", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--machine", choices=[*MACHINES, "all"], default="all", help="default: all")
    parser.add_argument(
        "--cpus", type=whole(CPUS_MAX), default=8, metavar="N", help="processors (default: 8)"
    )
    parser.add_argument(
        "--count", type=whole(COUNT_MAX), default=200, metavar="N", help="boots of each machine (default: 200)"
    )
    options = parser.parse_args()
    machines = list(MACHINES) if options.machine == "all" else [options.machine]
    for machine in machines:
        if not (options.build / MACHINES[machine]).is_file():
            print(f"twofold: boots: {MACHINES[machine]} is not built", file=sys.stderr)
            return 69
    print(f"{'machine':<8} {'cpus':>4} {'boots':>8} {'failed':>7}{'min s':>9}{'median s':>9}{'max s':>9}")
    outcomes = [campaign(options.build, machine, options.cpus, options.count) for machine in machines]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
