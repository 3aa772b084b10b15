"""Seeded bugs: operations of the kernel that a case flips, and the campaigns that must find them.

bugs.toml assigns each to a workload. `./twofold sim bugs` searches for each, shrinks and reproduces what it
found, and says how many were found. Before that the same workloads run with nothing flipped and must pass, and
so must each case that was found: what fails with nothing flipped is a false alarm.
`./twofold sim canary` is one bug by itself: if it is not caught, the tests test nothing.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tools.sim import arguments, catalogue, findings, ranges
from tools.sim.arguments import Parser
from tools.sim.campaign import Campaign, Limits, Stop
from tools.sim.case import Case
from tools.sim.catalogue import Catalogue
from tools.sim.findings import Effort, Finding
from tools.sim.pool import Pool
from tools.sim.progress import Progress, counted, duration
from tools.sim.refusal import FAILED, INTERRUPTED, PASSED, Refused, nearest
from tools.sim.tally import Tally

TABLE = Path(__file__).resolve().parent / "bugs.toml"
FORMAT = "twofold-sim-bugs"
VERSION = 1
SECONDS = 600.0
FOUND_LEAST = 0.95
# The part of the time in which nothing is flipped.
CONTROL_PART = 0.1
CONTROL_CASES_LEAST = 20
# The part of the time in which all bugs are searched for once; the rest is for those that were not found.
FIRST_PASS_PART = 0.4
# The part of a bug's share that is left for shrinking and reproducing.
SHRINK_PART = 0.4
CANARY_SECONDS = 60.0
KEYS = ("workload", "options", "about")

Program = Callable[[argparse.Namespace], str]


@dataclass(frozen=True)
class Bug:
    """One line of the table. `number` is its place in it, from 1."""

    number: int
    name: str
    about: str
    case: Case


@dataclass(frozen=True)
class Table:
    """What bugs.toml says, checked against a simulator. `unassigned` can be flipped and is in no line."""

    bugs: tuple[Bug, ...]
    canary: Bug | None
    unassigned: tuple[str, ...]


def read_table(path: Path, known: Catalogue) -> Table:
    """Reads the table. Raises Refused, naming the line's bug, for what the simulator does not have."""
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refused(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    tables = content.get("bug", {})
    unknown = set(content) - {"bug", "canary"}
    if unknown or not isinstance(tables, dict):
        raise Refused(f"{path}: there are `canary` and tables [bug.NAME], not '{min(unknown, default='bug')}'")
    found = tuple(_bug(number, name, one, known, path) for number, (name, one) in enumerate(tables.items(), 1))
    canary = next((bug for bug in found if bug.name == content.get("canary")), None)
    if "canary" in content and canary is None:
        raise Refused(f"{path}: the canary '{content['canary']}' is no bug of the table")
    assigned = {bug.name for bug in found}
    return Table(found, canary, tuple(name for name in known.mutants if name not in assigned))


def _bug(number: int, name: str, one: Any, known: Catalogue, path: Path) -> Bug:
    where = f"{path}: bug {name}"
    if not isinstance(one, dict) or set(one) - set(KEYS) or not all(isinstance(value, str) for value in one.values()):
        raise Refused(f"{where}: there are {', '.join(KEYS)}, all of them text")
    if "workload" not in one or "about" not in one:
        raise Refused(f"{where}: workload and about are needed")
    try:
        words = [one["workload"], *shlex.split(one.get("options", "")), "--mutant", name]
        options = arguments.parser().parse_args(words)
        if options.seed is not None or options.seeds is not None:
            raise Refused("a bug is searched for under all seeds")
        return Bug(number, name, one["about"], arguments.case(options, known))
    except (Refused, ValueError) as error:
        raise Refused(f"{where}: {error}") from error


def chosen(table: Table, wanted: Sequence[str]) -> tuple[Bug, ...]:
    """The bugs of these names and numbers, all if there are none."""
    names = {bug.name: bug for bug in table.bugs}
    numbers = {str(bug.number): bug for bug in table.bugs}
    for one in wanted:
        if one not in names and one not in numbers:
            what = f"there are numbers 1 to {len(numbers)}" if one.isdecimal() else nearest(one, names).strip("; ")
            raise Refused(f"no bug '{one}'" + (f"; {what}" if what else ""))
    return tuple(dict.fromkeys(names.get(one) or numbers[one] for one in wanted)) if wanted else table.bugs


@dataclass(frozen=True)
class Hunt:
    """How the search for one bug went: after how many cases and seconds it ended, and with what. A finding is
    of the bug, a false alarm fails with nothing flipped. `next_seed` is the first that was not run."""

    bug: Bug
    cases: int = 0
    seconds: float = 0.0
    finding: Finding | None = None
    false_alarm: Finding | None = None
    next_seed: int = 1

    def is_over(self) -> bool:
        return self.finding is not None or self.false_alarm is not None

    def json(self, simulator: str) -> dict[str, Any]:
        finding = self.finding.json(simulator) if self.finding else None
        false_alarm = self.false_alarm.json(simulator) if self.false_alarm else None
        return {
            "number": self.bug.number,
            "mutant": self.bug.name,
            "about": self.bug.about,
            "case": {key: value for key, value in self.bug.case.json().items() if key != "seed"},
            "found": self.finding is not None,
            "cases": self.cases,
            "seconds": round(self.seconds, 3),
            "operations": len(self.finding.case().kept()) if self.finding else None,
            "finding": finding,
            "false_alarm": false_alarm,
        }


class Hunter:
    """Searches for bugs one after the other with one pool of workers."""

    def __init__(self, pool: Pool, stop: Stop, progress: Progress, effort: Effort) -> None:
        self._pool = pool
        self._stop = stop
        self._progress = progress
        self._effort = effort

    def search(self, case: Case, label: str, limits: Limits, first: int = 1) -> Campaign:
        """Runs a case under the seeds from `first` on until a limit."""
        self._progress.label = label
        search = Campaign(self._pool, case, (first, ranges.SEED_LAST), limits, self._progress, self._stop)
        search.run()
        return search

    def hunt(self, before: Hunt, seconds: float, label: str) -> Hunt:
        """Goes on with a search until it finds something or the time is over, then shrinks and reproduces it."""
        bug = before.bug
        search = self.search(bug.case, label, Limits(seconds * (1 - SHRINK_PART), 1), before.next_seed)
        left = max(seconds - search.wall_s, seconds * SHRINK_PART)
        cases, spent = before.cases + search.tally.cases, before.seconds + search.wall_s
        effort = replace(self._effort, bounds=replace(self._effort.bounds, seconds=left))
        found = findings.examine(self._pool, search.tally, effort, self._progress, self._stop)
        if not found:
            missing = search.tally.done.missing(before.next_seed, ranges.SEED_LAST)
            return Hunt(bug, cases, spent, next_seed=missing[0][0])
        false_alarm = self._unflipped(found[0].case())
        return Hunt(bug, cases, spent, None if false_alarm else found[0], false_alarm)

    def _unflipped(self, flipped: Case) -> Finding | None:
        """The failure of the same case with nothing flipped, if it fails then."""
        tally = Tally()
        for answer in self._pool.run([replace(flipped, mutant="")]):
            if answer is not None:
                tally.add(*answer[1:])
        return next((Finding(group) for group in tally.sorted_groups()), None)


@dataclass(frozen=True)
class Control:
    """How a workload went with nothing flipped."""

    case: Case
    cases: int
    findings: tuple[Finding, ...]

    def json(self, simulator: str) -> dict[str, Any]:
        return {
            "case": {key: value for key, value in self.case.json().items() if key != "seed"},
            "cases": self.cases,
            "false_alarms": [one.json(simulator) for one in self.findings],
        }


def run_controls(hunter: Hunter, bugs: Sequence[Bug], seconds: float, stop: Stop) -> list[Control]:
    """Each workload with each set of options that a bug has, with nothing flipped."""
    plain = list(dict.fromkeys(replace(bug.case, mutant="") for bug in bugs))
    done = []
    for number, case in enumerate(plain, 1):
        if stop.asked:
            break
        label = f"control {number} of {len(plain)}, {case.workload}"
        search = hunter.search(case, label, Limits(seconds / len(plain), 1, CONTROL_CASES_LEAST))
        done.append(Control(case, search.tally.cases, tuple(Finding(one) for one in search.tally.sorted_groups())))
    return done


def run_hunts(hunter: Hunter, bugs: Sequence[Bug], end: float, stop: Stop) -> list[Hunt]:
    """Searches for each bug for an equal share of the first pass, then again for those that were not found: most
    are found at once, so a few have much time. Ends at the moment `end`."""
    hunts = {bug.name: Hunt(bug) for bug in bugs}
    now = time.monotonic()
    for pass_end in (now + (end - now) * FIRST_PASS_PART, end):
        open_hunts = [hunt for hunt in hunts.values() if not hunt.is_over()]
        for index, hunt in enumerate(open_hunts):
            if stop.asked:
                break
            share = max(pass_end - time.monotonic(), 0.1) / (len(open_hunts) - index)
            label = f"bug {index + 1} of {len(open_hunts)}, {hunt.bug.name}"
            hunts[hunt.bug.name] = hunter.hunt(hunt, share, label)
    return list(hunts.values())


def _reproduced(finding: Finding | None) -> str:
    if finding is None or finding.reproduced is None:
        return "-"
    return f"{finding.reproduced.same} of {finding.reproduced.runs}"


def totals(hunts: Sequence[Hunt]) -> dict[str, Any]:
    """Sums: how many were found, the median size of a shrunk case, how many reproduce each time."""
    found = [hunt.finding for hunt in hunts if hunt.finding]
    sizes = [len(finding.case().kept()) for finding in found]
    always = sum(1 for one in found if one.reproduced and one.reproduced.same == one.reproduced.runs)
    return {
        "bugs": len(hunts),
        "found": len(found),
        "found_percent": round(100 * len(found) / len(hunts), 1) if hunts else 0.0,
        "operations_median": statistics.median(sizes) if sizes else None,
        "reproduced_always": always,
    }


def report(document: dict[str, Any]) -> str:
    """The table for a person."""
    titles = f"{'no':>3}  {'flipped':<32} {'workload':<14} {'cases':>8} {'seconds':>8} {'operations':>10}  reproduced"
    lines = [titles]
    for one in document["bugs"]:
        finding = one["finding"]
        again = finding["reproduction"] if finding else {}
        said = f"{again['same']} of {again['runs']}" if "runs" in again else "-"
        size = str(one["operations"]) if finding else "NOT FOUND"
        lines.append(
            f"{one['number']:>3}  {one['mutant']:<32} {one['case']['workload']:<14} {one['cases']:>8,} "
            f"{one['seconds']:>8.1f} {size:>10}  {said}"
        )
    alarms = [alarm for control in document["controls"] for alarm in control["false_alarms"]]
    alarms += [one["false_alarm"] for one in document["bugs"] if one["false_alarm"]]
    for alarm in alarms:
        lines += [f"FALSE ALARM {alarm['signature']}", f"    {alarm['reproduction']['command']}"]
    if document["unassigned"]:
        lines.append(f"in no workload: {' '.join(document['unassigned'])}")
    total = document["totals"]
    cases = sum(control["cases"] for control in document["controls"])
    lines.append(f"nothing flipped: {counted(cases, 'case')}, {counted(len(alarms), 'false alarm')}")
    median = total["operations_median"]
    size = f", {median:g} operations in the median" if median is not None else ""
    lines.append(f"found {total['found']} of {total['bugs']} ({total['found_percent']:g} %){size}, "
                 f"{total['reproduced_always']} reproduced each time")
    return "\n".join(lines)


def _parser(prog: str, description: str) -> Parser:
    made = Parser(prog=f"./twofold sim {prog}", description=description, allow_abbrev=False)
    made.add_argument("--time", metavar="TIME", help="for all together")
    made.add_argument("--table", metavar="FILE", type=Path, default=TABLE, help="another table than bugs.toml")
    made.add_argument("--repeats", metavar="N", help=f"how often to run a reproduction ({arguments.REPEATS})")
    made.add_argument("--shrink-runs", metavar="N", help=f"at most so many runs ({arguments.SHRINK_RUNS})")
    made.set_defaults(shrink_time=None)
    arguments.add_program(made)
    return made


def _hunter(options: argparse.Namespace, known: Catalogue, pool: Pool, stop: Stop) -> Hunter:
    effort = Effort(arguments.bounds(options), arguments.repeats(options), costs=known.costs)
    return Hunter(pool, stop, Progress(), effort)


def run(words: list[str], program_of: Program) -> int:
    """`./twofold sim bugs`."""
    parser = _parser("bugs", "Find every seeded bug; status 1 if fewer than 95 % are found or one is a false alarm.")
    parser.add_argument("names", nargs="*", metavar="NAME|NUMBER", help="these alone")
    parser.add_argument("--number", metavar="N", action="append", default=[], help="the same as N")
    parser.add_argument("--list", action="store_true", help="list them")
    parser.add_argument("--control-time", metavar="TIME", help="with nothing flipped (a tenth of the time)")
    parser.add_argument("--json", metavar="FILE", nargs="?", const=arguments.STANDARD_OUTPUT, help="write JSON")
    options = parser.parse_args(words)
    seconds = SECONDS if options.time is None else ranges.seconds(options.time, "--time")
    control = options.control_time
    control_seconds = seconds * CONTROL_PART if control is None else ranges.seconds(control, "--control-time")
    program = program_of(options)
    known = catalogue.describe(program)
    table = read_table(options.table, known)
    wanted = chosen(table, [*options.names, *options.number])
    if options.list:
        for bug in wanted:
            print(f"{bug.number:>3}  {bug.name:<32} {bug.case.workload:<14} {bug.about}")
        return PASSED
    if not wanted:
        raise Refused(f"{options.table} has no bugs")
    end = time.monotonic() + seconds
    with Stop() as stop, Pool(program, arguments.jobs(options), arguments.case_seconds(options)) as pool:
        hunter = _hunter(options, known, pool, stop)
        controls = run_controls(hunter, wanted, control_seconds, stop)
        hunts = run_hunts(hunter, wanted, end, stop)
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "build": known.build,
        "command": shlex.join(["./twofold", "sim", "bugs", *words]),
        "totals": totals(hunts),
        "bugs": [hunt.json(options.simulator or "") for hunt in hunts],
        "controls": [control.json(options.simulator or "") for control in controls],
        "unassigned": list(table.unassigned),
    }
    _write(options.json, document)
    if stop.asked and not all(hunt.is_over() for hunt in hunts):
        return INTERRUPTED
    alarms = any(control.findings for control in controls) or any(hunt.false_alarm for hunt in hunts)
    return FAILED if alarms or document["totals"]["found"] < FOUND_LEAST * len(wanted) else PASSED


def _write(path: str | None, document: dict[str, Any]) -> None:
    if path == arguments.STANDARD_OUTPUT:
        print(json.dumps(document, indent=2))
        return
    print(report(document))
    if path is not None:
        try:
            Path(path).write_text(json.dumps(document, indent=2) + "\n")
        except OSError as error:
            raise Refused(f"--json {path}: {error.strerror}") from error


def run_canary(words: list[str], program_of: Program) -> int:
    """`./twofold sim canary`: status 1 unless the bug is caught."""
    options = _parser("canary", "Run one seeded bug, which must be caught.").parse_args(words)
    seconds = CANARY_SECONDS if options.time is None else ranges.seconds(options.time, "--time")
    program = program_of(options)
    known = catalogue.describe(program)
    table = read_table(options.table, known)
    if table.canary is None:
        raise Refused(f"{options.table} names no canary")
    with Stop() as stop, Pool(program, arguments.jobs(options), arguments.case_seconds(options)) as pool:
        hunt = _hunter(options, known, pool, stop).hunt(Hunt(table.canary), seconds, f"canary, {table.canary.name}")
    what = f"the canary {hunt.bug.name} ({hunt.bug.about})"
    after = f"{counted(hunt.cases, 'case')} and {duration(hunt.seconds)}"
    if hunt.finding is None:
        why = "; what failed fails with nothing flipped, too" if hunt.false_alarm else ""
        print(f"{what} was NOT caught in {after}{why}")
        return INTERRUPTED if stop.asked else FAILED
    print(f"{what} was caught after {after}, {_reproduced(hunt.finding)} reproduced: {hunt.finding.group.signature}")
    again = hunt.finding.reproduced
    return PASSED if again and again.same == again.runs else FAILED
