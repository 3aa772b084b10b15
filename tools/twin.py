#!/usr/bin/env python3
"""Runs every scenario on every machine and compares what each recorded.

    tools/twin.py BUILD [SCENARIO...] [--json]
    tools/twin.py BUILD --mutate

A scenario is kernel code, compiled once for each machine, that prints nothing and records named
values on the result channel. Its digest is the SHA-256 over each value in order: the name and the
bytes, each behind its length (8 bytes, little-endian).

With --mutate, BUILD is the preset `debug`: each operation that `twofold-host --list-mutants`
names (a line each: its room, its name, and what notices it) is flipped in turn on the hosted
machine, and the scenario of its room must notice. Those that take a workload of the simulator are
left to it (./twofold sim bugs).

Status: 0 all equal (or all noticed); 1 a difference; 64 usage; 69 a machine did not run.
"""

import argparse
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

VALUES_LEAST = 32
TIMEOUT_S = 60
DIGITS_SHOWN = 16
# Each machine has one NVMe disk, of zeros when it begins.
DISK = "size=16M,kind=nvme"
# The machines and their programs in a build, in the order of the table's columns.
MACHINES = {
    "host": "apps/host/twofold-host",
    "sim": "apps/host/twofold-sim",
    "metal": "apps/launch/twofold-boot",
}

Value = tuple[str, bytes]
Values = dict[str, list[Value]]  # scenario -> its values in order


class NotRun(Exception):
    """A machine did not run its scenarios to the end; the text is for a person."""


class Unknown(Exception):
    """A scenario that no machine has was asked for."""


def records(lines: list[str]) -> Values:
    """The values that one run recorded."""
    found: Values = {}
    for line in lines:
        record = json.loads(line)
        if record.get("type") == "value":
            value = (record["name"], bytes.fromhex(record["bytes"]))
            found.setdefault(record["scenario"], []).append(value)
    return found


def start(program: pathlib.Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs a machine's program; it ends by itself when its time is over."""
    try:
        return subprocess.run(
            [str(program), *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=2 * TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotRun(f"{program.name} did not run: {error}") from error


def lines_of(program: pathlib.Path, *options: str) -> list[str]:
    """The lines that a program prints; it must succeed."""
    done = start(program, *options)
    if done.returncode != 0:
        asked = " ".join(options)
        raise NotRun(
            f"{program.name} {asked}: status {done.returncode}: {done.stderr.strip()}"
        )
    return done.stdout.splitlines()


def scenarios(program: pathlib.Path) -> list[str]:
    """The names of the scenarios that a machine's kernel carries."""
    limit = ("--timeout", str(TIMEOUT_S))
    printed = lines_of(program, *limit, "--command", "scenarios")
    return [line.strip() for line in printed if line.strip()]


def run(program: pathlib.Path, names: list[str], *options: str) -> tuple[Values, int]:
    """The values that the named scenarios record on one machine, and the run's status."""
    if not names:
        return {}, 0
    with tempfile.TemporaryDirectory(prefix="twofold-twin-") as folder:
        results = pathlib.Path(folder) / "results"
        command = "; ".join(f"scenario {name}" for name in names)
        disk = ("--disk", f"{pathlib.Path(folder) / 'disk'},{DISK}")
        where = (*disk, "--results", str(results), "--timeout", str(TIMEOUT_S))
        done = start(program, "--command", command, *where, *options)
        try:
            return records(results.read_text().splitlines()), done.returncode
        except (OSError, ValueError, KeyError) as error:
            said = done.stderr.strip()
            raise NotRun(f"{program.name} left no results: {error}; {said}") from error


def digest(values: list[Value]) -> str:
    """The SHA-256 of the values' canonical serialisation."""
    sha = hashlib.sha256()
    for name, data in values:
        for part in (name.encode(), data):
            sha.update(len(part).to_bytes(8, "little") + part)
    return sha.hexdigest()


def first_difference(one: list[Value], other: list[Value]) -> str:
    """The first record in which two machines differ, with both values."""
    for left, right in zip(one, other):
        if left != right:
            return f"{left[0]} = {left[1].hex()} against {right[0]} = {right[1].hex()}"
    longer = one if len(one) > len(other) else other
    extra = longer[min(len(one), len(other))][0]
    return f"{len(one)} values against {len(other)}, from {extra} on"


def objection(by_machine: dict[str, list[Value]]) -> str:
    """What is wrong with one scenario's values, empty if nothing is."""
    (first_machine, first), *others = by_machine.items()
    for machine, values in others:
        if values != first:
            return f"{first_machine}, {machine}: {first_difference(first, values)}"
    names = {name for name, _ in first}
    if len(names) < len(first):
        return "records two values of one name"
    if len(names) < VALUES_LEAST:
        return f"records {len(first)} values; at least {VALUES_LEAST} are asked for"
    return ""


def rows(runs: dict[str, Values]) -> list[dict[str, object]]:
    """One row a scenario: records, a digest for each machine, whether all agree, why not."""
    table: list[dict[str, object]] = []
    for name in sorted({name for values in runs.values() for name in values}):
        by_machine = {machine: values.get(name, []) for machine, values in runs.items()}
        why = objection(by_machine)
        row: dict[str, object] = {"scenario": name}
        row["records"] = max(len(values) for values in by_machine.values())
        for machine, values in by_machine.items():
            row[machine] = digest(values) if values else ""
        table.append(row | {"equal": not why, "why": why})
    return table


def print_table(machines: list[str], table: list[dict[str, object]]) -> None:
    """The rows for a person: short digests, and behind them what is wrong."""
    columns = "".join(f"{machine:<{DIGITS_SHOWN + 1}}" for machine in machines)
    print(f"{'scenario':<14} {'records':>7}  {columns}equal")
    for row in table:
        shown = [str(row[machine])[:DIGITS_SHOWN] or "-" for machine in machines]
        digests = "".join(f"{text:<{DIGITS_SHOWN + 1}}" for text in shown)
        answer = "yes" if row["equal"] else f"NO: {row['why']}"
        print(f"{row['scenario']:<14} {row['records']:>7}  {digests}{answer}")


def compare(build: pathlib.Path, wanted: list[str], as_json: bool) -> int:
    """Runs the scenarios on all machines; 1 if they differ anywhere."""
    programs = {machine: build / path for machine, path in MACHINES.items()}
    known = {machine: scenarios(program) for machine, program in programs.items()}
    missing = set(wanted) - set().union(*known.values())
    if missing:
        raise Unknown(f"unknown scenario {', '.join(sorted(missing))}")
    runs = {}
    for machine, program in programs.items():
        names = [name for name in known[machine] if not wanted or name in wanted]
        runs[machine], status = run(program, names)
        if status != 0:
            raise NotRun(f"the scenarios ended with status {status} on {machine}")
        for name in names:
            runs[machine].setdefault(name, [])
    table = rows(runs)
    if as_json:
        print(json.dumps(table, indent=2))
    else:
        print_table(list(programs), table)
    return 0 if table and all(row["equal"] for row in table) else 1


def mutants(program: pathlib.Path) -> list[tuple[str, str]]:
    """Room and name of each operation of `program` that a scenario notices when it is flipped."""
    found = []
    for line in lines_of(program, "--list-mutants"):
        words = line.split()
        if len(words) != 3 or words[2] not in ("scenario", "workload"):
            raise NotRun(f"{program.name} --list-mutants: not a room, a name and what notices: {line!r}")
        if words[2] == "scenario":
            found.append((words[0], words[1]))
    return found


def mutate(program: pathlib.Path) -> int:
    """Prints which flipped operation its room's scenario notices; 1 if one goes unnoticed."""
    plain, status = run(program, scenarios(program))
    if status != 0:
        raise NotRun(f"the scenarios ended with status {status} while nothing was flipped")
    flips = mutants(program)
    unnoticed = 0
    print(f"{'operation':<28} {'scenario':<14} noticed")
    for room, name in flips:
        if room not in plain:
            answer = "NO: its room has no scenario"
        else:
            flipped, status = run(program, [room], "--mutant", name)
            differs = digest(flipped.get(room, [])) != digest(plain[room])
            answer = "yes" if differs else f"yes, by status {status}" if status != 0 else "NO"
        unnoticed += answer.startswith("NO")
        print(f"{name:<28} {room:<14} {answer}")
    for room in sorted(set(plain) - {room for room, _ in flips}):
        unnoticed += 1
        print(f"{'none':<28} {room:<14} NO: no operation of its room can be flipped")
    return 1 if unnoticed or not plain else 0


def main() -> int:
    """Reads the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="twofold twin", description="compare the machines by their scenarios"
    )
    parser.add_argument("build", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="compare these alone")
    parser.add_argument(
        "--mutate", action="store_true", help="flip operations; every scenario must notice"
    )
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    try:
        options = parser.parse_args()
    except SystemExit as ended:
        return 64 if ended.code else 0
    try:
        if options.mutate:
            return mutate(options.build / MACHINES["host"])
        return compare(options.build, options.scenarios, options.json)
    except Unknown as error:
        print(f"twofold: twin: {error}", file=sys.stderr)
        return 64
    except NotRun as error:
        print(f"twofold: twin: {error}", file=sys.stderr)
        return 69


if __name__ == "__main__":
    sys.exit(main())
