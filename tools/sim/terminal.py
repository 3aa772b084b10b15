"""What `./twofold sim` prints for a person: a campaign's end, and how one case went."""

from __future__ import annotations

from typing import Any

from tools.sim import case as cases
from tools.sim import ranges
from tools.sim.case import Outcome
from tools.sim.progress import counted, duration

REPORT_LINES = 12
NAMES_SHOWN = 12

_ENDED = {
    "finished": "",
    "time": ", then the time was over",
    "stop-after": ", then there were failures enough",
    "interrupted": ", then it was interrupted",
    "merged": "",
}


def virtual(nanoseconds: int) -> str:
    """Virtual time to be read."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:,.3f} {unit}"
    return f"{nanoseconds} ns"


def spans_text(pairs: list[list[int]], most: int = 8) -> str:
    """`1..5, 9..9` of pairs, cut if there are many."""
    shown = ", ".join(f"{first}..{last}" for first, last in pairs[:most])
    return shown + (f" and {len(pairs) - most} more" if len(pairs) > most else "")


def campaign(document: dict[str, Any]) -> str:
    """The report of a campaign's document (findings.py)."""
    totals, measured = document["totals"], document["measured"]
    lines: list[str] = []
    for failure in document["failures"]:
        lines += [*_failure(failure), ""]
    lines += _fired(document)
    said = f"{counted(totals['cases'], 'case')} in {duration(measured.get('wall_s', 0))}"
    if measured.get("cases_per_s"):
        said += f" ({measured['cases_per_s']:,.0f}/s)"
    said += _ENDED[document["ended"]]
    kinds = f" of {counted(len(document['failures']), 'kind')}" if totals["failed"] else ""
    lines.append(f"{document['case']['workload']}: {said}: {counted(totals['failed'], 'failure')}{kinds}")
    return "\n".join(lines)


def _failure(failure: dict[str, Any]) -> list[str]:
    shrunk, reproduction = failure["shrunk"], failure["reproduction"]
    case = (shrunk or failure)["case"]
    what = (shrunk or failure)["outcome"]["failure"]
    times = f"{counted(failure['count'], 'case')}, first with seed {failure['case']['seed']}"
    lines = [f"FAILED {what['kind']}: {what['text']}", f"    {times} (failure {failure['id']})"]
    report = str(what.get("report", "")).strip().splitlines()
    lines += [f"    | {line}" for line in report[:REPORT_LINES]]
    if len(report) > REPORT_LINES:
        lines.append(f"    | ... {len(report) - REPORT_LINES} more lines, in --json and --html")
    if shrunk and shrunk["repeats"]:
        size = [counted(shrunk["operations"], "operation"), f"{counted(len(case.get('faults', [])), 'fault rule')}"]
        size += [counted(case["machines"], "machine")] if "machines" in case else []
        size += [counted(case["cpus"], "processor"), counted(case["threads"], "thread")]
        other = f" (under seed {case['seed']})" if case["seed"] != failure["case"]["seed"] else ""
        end = "" if shrunk["whole"] else ", not to the end"
        lines.append(f"    shrunk to {', '.join(size)}{other} in {counted(shrunk['runs'], 'run')}{end}")
    elif shrunk:
        lines.append("    it did not fail again when it was run again: the run is not decided by its seed")
    lines.append("    reproduce:")
    lines.append(f"        {reproduction['command']}")
    if "runs" in reproduction:
        lines.append(f"    reproduced {reproduction['same']} of {reproduction['runs']}")
    return lines


def _fired(document: dict[str, Any]) -> list[str]:
    """Which faults and points fired, the most frequent ones."""
    lines = []
    for title, key, of in (("faults", "faults", "asked"), ("points", "points", "reached")):
        table = document[key]
        names = sorted((name for name in table if table[name].get("fired")), key=lambda n: -table[n]["fired"])
        if names:
            shown = [f"{name} {table[name]['fired']:,}/{table[name].get(of, 0):,}" for name in names[:NAMES_SHOWN]]
            more = f", {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
            lines.append(f"{title} that fired: {', '.join(shown)}{more}")
    return lines


def single(outcome: Outcome) -> str:
    """How one case went."""
    lines = []
    if cases.failed(outcome):
        what = outcome["failure"]
        lines.append(f"failed: {what['kind']}: {what['text']}")
        lines += [f"    | {line}" for line in str(what.get("report", "")).strip().splitlines()]
    else:
        lines.append("passed")
    if "hash" in outcome:
        lines.append(f"hash {outcome['hash']}, {outcome.get('events', 0):,} events, "
                     f"{virtual(outcome.get('virtual_ns', 0))} of virtual time")
    if outcome.get("operations"):
        performed = ranges.operations(",".join(map(str, outcome["operations"])), "operations")
        lines.append(f"operations performed: {ranges.text_of(performed)}")
    for name, occurrences in cases.fired(outcome).items():
        shown = ",".join(map(str, occurrences[:20])) + (",..." if len(occurrences) > 20 else "")
        lines.append(f"fault {name}: fired {len(occurrences):,} of {outcome['faults'][name].get('asked', 0):,}"
                     f" at {shown}")
    points = outcome.get("points", {})
    could_fail = [name for name in points if f"points.{name}" in outcome.get("faults", {})]
    for name in could_fail:
        entry = points[name]
        lines.append(f"point {name}: fired {entry.get('fired', 0):,} of {entry.get('reached', 0):,}")
    if len(points) > len(could_fail):
        lines.append(f"points that could not fail: {len(points) - len(could_fail)} were reached")
    return "\n".join(lines)
