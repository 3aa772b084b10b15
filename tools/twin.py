#!/usr/bin/env python3
"""Runs every scenario on every machine and compares what each recorded.

    tools/twin.py BUILD [SCENARIO...] [--json]
    tools/twin.py BUILD --mutate

A scenario is kernel code, compiled once for each machine, that prints nothing and records named values on the
result channel. Its digest is the SHA-256 over each value in order: the name and the bytes, each behind its length
(8 bytes, little-endian). With --mutate, BUILD is the preset `mutants`: each operation of core/base/mutant.hpp is
flipped in turn on the hosted machine, and the scenario of its room, the first word of its name, must notice.

Status: 0 all equal (or all noticed); 1 a difference; 64 usage; 69 a machine did not run.
"""

import argparse
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
VALUES_LEAST = 32
TIMEOUT_S = 120
MACHINES = {"host": "apps/host/twofold-host", "metal": "apps/launch/twofold-boot"}

Values = dict[str, list[tuple[str, bytes]]]  # scenario -> its values in order


class NotRun(Exception):
    """A machine did not run its scenarios to the end; the text is for a person."""


def records(lines: list[str]) -> Values:
    """The values that one run recorded."""
    found: Values = {}
    for line in lines:
        record = json.loads(line)
        if record.get("type") == "value":
            value = (record["name"], bytes.fromhex(record["bytes"]))
            found.setdefault(record["scenario"], []).append(value)
    return found


def start(program: pathlib.Path, command: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs one kernel command on a machine."""
    try:
        return subprocess.run(
            [str(program), "--command", command, *options],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotRun(f"{program.name} did not run: {error}") from error


def scenarios(program: pathlib.Path) -> list[str]:
    """The names of the scenarios that a machine's kernel carries."""
    done = start(program, "scenarios")
    if done.returncode != 0:
        raise NotRun(f"`scenarios` ended with status {done.returncode} on {program.name}: {done.stderr.strip()}")
    return done.stdout.split()


def run(program: pathlib.Path, names: list[str], *options: str) -> tuple[Values, int]:
    """The values that the named scenarios record on one machine, and the run's status."""
    if not names:
        return {}, 0
    with tempfile.TemporaryDirectory(prefix="twofold-twin-") as folder:
        results = pathlib.Path(folder) / "results"
        command = "; ".join(f"scenario {name}" for name in names)
        done = start(program, command, "--results", str(results), *options)
        try:
            return records(results.read_text().splitlines()), done.returncode
        except (OSError, ValueError, KeyError) as error:
            raise NotRun(f"{program.name} left no results: {error}; {done.stderr.strip()}") from error


def digest(values: list[tuple[str, bytes]]) -> str:
    sha = hashlib.sha256()
    for name, data in values:
        for part in (name.encode(), data):
            sha.update(len(part).to_bytes(8, "little") + part)
    return sha.hexdigest()


def first_difference(one: list[tuple[str, bytes]], other: list[tuple[str, bytes]]) -> str:
    for left, right in zip(one, other):
        if left != right:
            return f"{left[0]} = {left[1].hex()} against {right[0]} = {right[1].hex()}"
    return f"{len(one)} values against {len(other)}"


def rows(runs: dict[str, Values]) -> list[dict[str, object]]:
    """One row a scenario: records, a digest for each machine, whether all agree, and why not."""
    table = []
    names = sorted({name for values in runs.values() for name in values})
    for name in names:
        by_machine = {machine: values.get(name, []) for machine, values in runs.items()}
        digests = {machine: digest(values) if values else "" for machine, values in by_machine.items()}
        first, *others = by_machine.values()
        why = next((first_difference(first, other) for other in others if other != first), "")
        if not why and len(first) < VALUES_LEAST:
            why = f"records {len(first)} values; at least {VALUES_LEAST} are asked for"
        if not why and len({value for value, _ in first}) < len(first):
            why = "records two values of one name"
        table.append({"scenario": name, "records": len(first), **digests, "equal": not why, "why": why})
    return table


def mutants() -> list[str]:
    text = (ROOT / "core/base/mutant.hpp").read_text()
    body = re.search(r"enum class Mutant[^{]*\{(.*?)\};", text, re.DOTALL)
    return [name for name in re.findall(r"^\s*(\w+),", body[1] if body else "", re.MULTILINE) if name != "none"]


def room_of(mutant: str, scenarios: Values) -> str:
    """The scenario whose name begins the mutant's name; the longest, so that memory_map precedes memory."""
    fitting = [name for name in scenarios if mutant.startswith(name.replace(".", "_").replace("-", "_") + "_")]
    return max(fitting, key=len, default="")


def mutate(program: pathlib.Path) -> int:
    """Prints which flipped operation its scenario notices; 1 if one goes unnoticed."""
    names = scenarios(program)
    plain, _ = run(program, names)
    unnoticed = 0
    print(f"{'operation':<28} {'scenario':<12} noticed")
    covered = set()
    for mutant in mutants():
        scenario = room_of(mutant, plain)
        flipped, status = run(program, [scenario] if scenario else [], "--mutant", mutant)
        noticed = bool(scenario) and (flipped.get(scenario) != plain[scenario] or status != 0)
        covered.add(scenario)
        unnoticed += not noticed
        print(f"{mutant:<28} {scenario or 'none':<12} {'yes' if noticed else 'NO'}")
    for scenario in sorted(set(plain) - covered):
        unnoticed += 1
        print(f"{'none':<28} {scenario:<12} NO: no operation of its room can be flipped")
    return 1 if unnoticed or not plain else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="twofold twin", description="compare the machines by their scenarios")
    parser.add_argument("build", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="compare these alone")
    parser.add_argument("--mutate", action="store_true", help="flip operations; every scenario must notice")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    try:
        options = parser.parse_args()
    except SystemExit as ended:
        return 64 if ended.code else 0
    try:
        if options.mutate:
            return mutate(options.build / MACHINES["host"])
        programs = {machine: options.build / path for machine, path in MACHINES.items()}
        known = {machine: scenarios(program) for machine, program in programs.items()}
        missing = set(options.scenarios) - set().union(*known.values())
        if missing:
            print(f"twofold: twin: unknown scenario {', '.join(sorted(missing))}", file=sys.stderr)
            return 64
        runs = {}
        for machine, program in programs.items():
            names = [name for name in known[machine] if not options.scenarios or name in options.scenarios]
            runs[machine], status = run(program, names)
            if status != 0:
                raise NotRun(f"the scenarios ended with status {status} on {machine}")
    except NotRun as error:
        print(f"twofold: twin: {error}", file=sys.stderr)
        return 69
    table = rows(runs)
    if options.json:
        print(json.dumps(table, indent=2))
    else:
        print(f"{'scenario':<14} {'records':>7}  {'host':<16} {'metal':<16} equal")
        for row in table:
            host, metal = str(row["host"])[:16] or "-", str(row["metal"])[:16] or "-"
            equal = "yes" if row["equal"] else f"NO: {row['why']}"
            print(f"{row['scenario']:<14} {row['records']:>7}  {host:<16} {metal:<16} {equal}")
    return 0 if table and all(row["equal"] for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
