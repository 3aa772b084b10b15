#!/usr/bin/env python3
"""Runs the bench programs and shows each figure beside its peers and its goal.

    tools/bench.py BUILD [ROOM] [--json] [--full] [--against FILE]

A bench program measures one room: BUILD/bench/bench_ROOM (Google Benchmark) or bench/ROOM.py, which takes the
same --benchmark_ options and writes the same JSON. Further programs of a room lie in bench/ROOM/ and are called
ROOM/PART; they run with their room, or by themselves. Benchmarks are called SUBJECT/ours and SUBJECT/PEER; what a
subject's figure is, and its goal, is said in bench/ROOM.json:

    {"SUBJECT": {"unit": "ns", "better": "lower", "goal": 1.5, "note": "docs/page.md", "field": "cpu_time"}}

`ratio` says how many times better than the best peer we are: above 1 we win, whichever way is better; it is the
median over repeats that ran interleaved, and `range` its least and greatest. `goal` is the least ratio for
a subject with peers, the limit of our figure for one without. `field` is the member of Google Benchmark's
entries that is taken (real_time unless said). Its own JSON stays in build/bench/ROOM.json, for compare.py.

Status: 0; 1 if a bench program failed; 64 usage; 65 a file that does not hold what it must.
Times never gate: a missed goal is shown and does not change the status.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
REPEATS_QUICK = 3
REPEATS_FULL = 9
SECONDS_QUICK = "0.05"
SECONDS_FULL = "0.5"
TIMEOUT_S = 1800

Figures = dict[str, dict[str, list[float]]]  # subject -> who -> one figure a repeat


class Broken(Exception):
    """A file does not hold what it must (status 65), or a program failed (1); the text is for a person."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def programs(build: pathlib.Path) -> dict[str, list[str]]:
    """The bench program of each room."""
    folder = ROOT / "bench"
    scripts = [path for path in folder.glob("**/*.py") if path.with_suffix(".json").is_file()]
    found = {
        str(path.relative_to(folder).with_suffix("")): [sys.executable, str(path), str(build)]
        for path in scripts
    }
    for path in (build / "bench").glob("bench_*"):
        if path.is_file() and not path.suffix:
            found[path.name.removeprefix("bench_")] = [str(path)]
    return dict(sorted(found.items()))


def pinned(command: list[str]) -> list[str]:
    """A program that measures itself stays on one processor; one that starts others does not."""
    last = max(os.sched_getaffinity(0))
    return command if command[0] == sys.executable else ["taskset", "-c", str(last), *command]


def measure(room: str, command: list[str], full: bool, out: pathlib.Path) -> None:
    """Runs one program; its JSON goes to `out`, what it says beside to a log."""
    options = [
        f"--benchmark_out={out}",
        "--benchmark_out_format=json",
        f"--benchmark_repetitions={REPEATS_FULL if full else REPEATS_QUICK}",
        f"--benchmark_min_time={SECONDS_FULL if full else SECONDS_QUICK}",
        "--benchmark_enable_random_interleaving=true",
    ]
    out.unlink(missing_ok=True)
    log = out.with_suffix(".log")
    try:
        with log.open("w") as said:
            run = subprocess.run(
                pinned(command) + options, stdout=subprocess.DEVNULL, stderr=said, timeout=TIMEOUT_S, check=False
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Broken(1, f"the bench program of {room} did not end: {error}") from error
    if run.returncode != 0 or not out.is_file():
        reason = (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise Broken(1, f"the bench program of {room} failed with status {run.returncode}: {reason}")
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith(f"{room}: "):
            print(f"twofold: bench: {line}", file=sys.stderr)


def figures(path: pathlib.Path, subjects: dict[str, Any]) -> Figures:
    """The figures in Google Benchmark's JSON, by subject and by who."""
    found: Figures = collections.defaultdict(lambda: collections.defaultdict(list))
    try:
        entries = json.loads(path.read_text())["benchmarks"]
        for entry in entries:
            if entry.get("run_type") == "aggregate" or entry.get("error_occurred"):
                continue
            # A benchmark with a fixed count of iterations says so at the end of its name.
            name = entry.get("run_name", entry["name"])
            name = re.sub(r"(/iterations:\d+)?(/real_time|/manual_time)?(/threads:\d+)?$", "", name)
            subject, _, who = name.rpartition("/")
            field = subjects.get(subject, {}).get("field", "real_time")
            found[subject][who].append(float(entry[field]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Broken(65, f"{path} is no Google Benchmark JSON: {error!r}") from error
    return found


def row(room: str, subject: str, facts: dict[str, Any], figure: dict[str, list[float]]) -> dict[str, Any]:
    """One line of the report."""
    better = facts.get("better", "lower")
    ours = figure.get("ours", [])
    peers = {who: statistics.median(values) for who, values in figure.items() if who != "ours"}
    result: dict[str, Any] = {
        "name": f"{room}/{subject}",
        "unit": facts.get("unit", "ns"),
        "ours": statistics.median(ours) if ours else None,
        "peers": peers,
        "ratio": None,
        "goal": facts.get("goal"),
        "better": better,
        "met": None,
        "note": facts.get("note", ""),
    }
    if ours and peers:
        best = (min if better == "lower" else max)(peers, key=lambda who: peers[who])
        pairs = zip(ours, figure[best])
        ratios = [(peer / our if better == "lower" else our / peer) for our, peer in pairs if our and peer]
        if ratios:
            result["ratio"] = statistics.median(ratios)
            result["range"] = [min(ratios), max(ratios)]
    if result["goal"] is not None and result["ours"] is not None:
        if result["ratio"] is not None:
            result["met"] = result["ratio"] >= result["goal"]
        else:
            result["met"] = (
                result["ours"] <= result["goal"] if better == "lower" else result["ours"] >= result["goal"]
            )
    return result


def short(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, (int, float)):
        return f"{value:.4g}" if abs(value) < 10000 else f"{value:,.0f}"
    return str(value)


def table(rows: list[dict[str, Any]], earlier: dict[str, Any]) -> str:
    header = ["name", "unit", "ours", "peers", "ratio", "range", "goal", "met"]
    header += ["before", "change"] if earlier else []
    lines = [header]
    for one in rows:
        peers = ", ".join(f"{who} {short(value)}" for who, value in one["peers"].items()) or "-"
        spread = "..".join(short(end) for end in one["range"]) if "range" in one else "-"
        ours, ratio, goal, met = (short(one[key]) for key in ("ours", "ratio", "goal", "met"))
        line = [one["name"], one["unit"], ours, peers, ratio, spread, goal, met]
        if earlier:
            before = earlier.get(one["name"], {}).get("ours")
            change = f"{(one['ours'] / before - 1) * 100:+.1f} %" if before and one["ours"] else "-"
            line += [short(before), change]
        if one["met"] is False and one["note"]:
            line[-1] += f"  see {one['note']}"
        lines.append(line)
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def read_earlier(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return {one["name"]: one for one in json.loads(pathlib.Path(path).read_text())}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Broken(65, f"{path} is no result of ./twofold bench --json: {error!r}") from error


def main() -> int:
    parser = argparse.ArgumentParser(prog="twofold bench", description="measure, and compare with the peers")
    parser.add_argument("build", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("room", nargs="?")
    parser.add_argument("--json", action="store_true", help="print an array of results instead of the table")
    more = f"{REPEATS_FULL} long repeats instead of {REPEATS_QUICK} short"
    parser.add_argument("--full", action="store_true", help=more)
    parser.add_argument("--against", metavar="FILE", help="compare with an earlier --json result")
    try:
        options = parser.parse_args()
    except SystemExit as ended:
        return 64 if ended.code else 0
    known = programs(options.build)
    chosen = {
        room: command
        for room, command in known.items()
        if options.room is None or room == options.room or room.startswith(f"{options.room}/")
    }
    if not chosen:
        print(f"twofold: bench: nothing measures '{options.room}'; there are: {' '.join(known)}", file=sys.stderr)
        return 64
    try:
        earlier = read_earlier(options.against)
        folder = ROOT / "build" / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for room, command in chosen.items():
            facts_file = ROOT / "bench" / f"{room}.json"
            subjects = json.loads(facts_file.read_text()) if facts_file.is_file() else {}
            out = folder / f"{room}.json"
            out.parent.mkdir(parents=True, exist_ok=True)
            measure(room, command, options.full, out)
            rows += [row(room, name, subjects.get(name, {}), one) for name, one in figures(out, subjects).items()]
    except Broken as error:
        print(f"twofold: bench: {error}", file=sys.stderr)
        return error.status
    text = json.dumps(rows, indent=2)
    (folder / "results.json").write_text(text)
    print(text if options.json else table(rows, earlier))
    return 0


if __name__ == "__main__":
    sys.exit(main())
