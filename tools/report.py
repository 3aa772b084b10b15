#!/usr/bin/env python3
"""Merges what a test run left behind into one report.

    tools/report.py FOLDER [--expect SUITE]... [--exceptions FILE]

FOLDER (build/test) holds stages.tsv (name, status, milliseconds, command; one stage a line) and
ctest-PRESET.xml, CTest's JUnit output for each preset. A CTest entry that ran a whole kernel's
tests may have left its result records as JSON lines in build/PRESET/results/NAME.jsonl, NAME being
the entry's name; then each kernel test counts by itself.

Writes FOLDER/report.xml (JUnit, one suite for each machine and build: `metal-release`), prints a
table and, last, the line `N passed, N failed`, with `, N skipped` behind it if there are any.

A machine must run a test, and a suite that --expect names must be there. A test that cannot run on
a machine carries a written reason; FILE (tests/exceptions.txt: a machine and a count a line) says
how many of these each machine may have, and the counts may only fall.

Status: 0 all is well; 1 something failed; 64 usage; 65 FOLDER does not hold what it must.
"""

import argparse
import collections
import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
FAILURES_SHOWN = 20
OUTPUT_LINES_SHOWN = 10
# What CTest says of a test that chose to be skipped; other tests that did not run are failures.
CHOSEN_SKIPS = ("SKIP_RETURN_CODE", "SKIP_REGULAR_EXPRESSION_MATCHED", "Disabled")
# Whose tests are no machine's.
NO_MACHINES = ("stage", "check", "other")


class Broken(Exception):
    """The folder, or the file of exceptions, is not what it must be; the text is for a person."""


@dataclass(frozen=True)
class Outcome:
    """One test as it went: state is passed, failed or skipped."""

    machine: str
    build: str
    name: str
    state: str
    seconds: float
    detail: str = ""
    again: str = ""

    def suite(self) -> str:
        """The name of the suite it belongs to."""
        return "-".join(part for part in (self.machine, self.build) if part)


class KernelTests:
    """The tests inside one kernel, from its result records."""

    def __init__(self, build: str, again: str) -> None:
        self.outcomes: list[Outcome] = []
        self.build = build
        self.again = again
        self.machine = "unknown"
        self.running = ""
        self.failures: dict[str, list[str]] = collections.defaultdict(list)

    def take(self, record: dict) -> None:
        """Takes in the next record."""
        kind = record.get("type")
        name = record.get("test", "")
        if kind == "hello":
            self.machine = record["machine"]
        elif kind == "test_begin":
            self.running = name
        elif kind == "test_failure":
            place = f"{record['file']}:{record['line']}"
            self.failures[name].append(f"{place}: {record['expectation']}; {record['detail']}")
        elif kind == "test_end":
            self.running = ""
            self.end(name, record["outcome"], record.get("reason", ""))

    def end(self, name: str, state: str, reason: str) -> None:
        """Notes how a test ended; one that is skipped must say why."""
        detail = "\n".join(self.failures[name]) or reason
        if state == "skipped" and not reason:
            state, detail = "failed", "skipped without a written reason"
        self.outcomes.append(
            Outcome(self.machine, self.build, name, state, 0.0, detail, self.again)
        )

    def finish(self) -> list[Outcome]:
        """All outcomes. A test that began and did not end failed."""
        if self.running:
            self.end(self.running, "failed", "the kernel ended while this test ran")
        return self.outcomes


def kernel_tests(records: pathlib.Path, build: str, again: str) -> list[Outcome]:
    """The outcomes in a file of records; lines that are no records are passed over."""
    tests = KernelTests(build, again)
    for line in records.read_text(errors="replace").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(record, dict):
            tests.take(record)
    return tests.finish()


def case_state(case: ElementTree.Element) -> tuple[str, str]:
    """State and detail of one of CTest's entries."""
    status = case.get("status", "")
    output = (case.findtext("system-out") or "").strip().splitlines()
    shown = "\n".join(output[-OUTPUT_LINES_SHOWN:])
    if status == "run":
        return "passed", ""
    skipped = case.find("skipped")
    reason = skipped.get("message", "") if skipped is not None else ""
    if status == "disabled" or reason.startswith(CHOSEN_SKIPS):
        return "skipped", shown or reason or "disabled"
    return "failed", "\n".join(part for part in (reason, shown) if part)


def ctest_outcomes(junit: pathlib.Path, build: str, results: pathlib.Path) -> list[Outcome]:
    """The tests of one build, kernel tests unfolded."""
    outcomes = []
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        name = case.get("name", "")
        state, detail = case_state(case)
        again = f"ctest --preset {build} -R '^{name}$'"
        records = results / f"{name}.jsonl"
        inner = kernel_tests(records, build, again) if records.is_file() else []
        outcomes += inner
        explained = any(one.state == "failed" for one in inner)
        if not inner or (state == "failed" and not explained):
            machine = name.split(".")[0] if "." in name else "other"
            seconds = float(case.get("time") or 0)
            outcomes.append(Outcome(machine, build, name, state, seconds, detail, again))
    return outcomes


def stage_outcomes(lines: list[str], counted: dict[str, bool]) -> list[Outcome]:
    """The stages that are tests by themselves. `counted` says of each build's CTest stage whether
    a failure of it is already counted; such a stage appears only where a failure would be lost
    otherwise."""
    outcomes = []
    for line in lines:
        name, status, milliseconds, command = line.split("\t")
        failed = status != "0"
        build = name.removeprefix("test ") if name.startswith("test ") else ""
        if build in counted and (counted[build] or not failed):
            continue
        state = "failed" if failed else "passed"
        seconds = int(milliseconds) / 1000
        outcomes.append(Outcome("stage", "", name, state, seconds, "", command))
    return outcomes


def read_outcomes(folder: pathlib.Path) -> list[Outcome]:
    """Everything that the folder tells."""
    outcomes: list[Outcome] = []
    counted: dict[str, bool] = {}
    try:
        for junit in sorted(folder.glob("ctest-*.xml")):
            build = junit.stem.removeprefix("ctest-")
            tests = ctest_outcomes(junit, build, folder.parent / build / "results")
            counted[build] = any(one.state == "failed" for one in tests)
            outcomes += tests
        return outcomes + stage_outcomes((folder / "stages.tsv").read_text().splitlines(), counted)
    except (OSError, ValueError, KeyError, ElementTree.ParseError) as error:
        raise Broken(f"{folder} does not hold a whole test run: {error}") from error


def read_exceptions(path: pathlib.Path) -> dict[str, int]:
    """How many tests each machine may leave out. `#` begins a comment."""
    allowed: dict[str, int] = {}
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise Broken(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or not words[1].isdecimal() or words[0] in allowed:
            raise Broken(f"{path}:{number}: not a machine and a count: {line!r}")
        allowed[words[0]] = int(words[1])
    return allowed


def left_out(outcomes: list[Outcome]) -> dict[str, int]:
    """How many different tests each machine leaves out, in all of its builds and runs that have them."""
    skipped = {(one.machine, one.name) for one in outcomes if one.state == "skipped"}
    ran = {(one.machine, one.name) for one in outcomes if one.state != "skipped"}
    return dict(collections.Counter(machine for machine, _ in skipped - ran))


def check_exceptions(
    outcomes: list[Outcome], allowed: dict[str, int], path: pathlib.Path
) -> list[Outcome]:
    """A failure for each machine that leaves out more tests than it may."""
    failures = []
    for machine, count in left_out(outcomes).items():
        limit = allowed.get(machine, 0)
        if count > limit:
            detail = f"{count} tests are left out on {machine}, {path} allows {limit}; the count "
            detail += "may only fall: make the new ones run there"
            failures.append(Outcome("check", "", f"exceptions of {machine}", "failed", 0.0, detail))
    return failures


def advise_exceptions(
    outcomes: list[Outcome], allowed: dict[str, int], path: pathlib.Path
) -> list[str]:
    """How to lower the counts of machines that leave out fewer tests than they may."""
    found = left_out(outcomes)
    ran = {one.machine for one in outcomes}
    return [
        f"{machine} leaves out {found.get(machine, 0)} tests now: in {path}, lower "
        f"'{machine} {limit}' to '{machine} {found.get(machine, 0)}'"
        for machine, limit in allowed.items()
        if machine in ran and found.get(machine, 0) < limit
    ]


def check_suites(outcomes: list[Outcome], expected: list[str]) -> list[Outcome]:
    """A failure for each suite that is missing or in which no test ran."""
    ran: dict[str, int] = collections.defaultdict(int)
    for one in outcomes:
        if one.machine not in NO_MACHINES:
            ran[one.suite()] += one.state != "skipped"
    failures = []
    for suite in sorted(set(expected) | set(ran)):
        if suite not in ran:
            detail = f"the suite {suite} is missing: none of its tests was reported"
        elif ran[suite] == 0:
            detail = f"the suite {suite} ran no test"
        else:
            continue
        failures.append(Outcome("check", "", f"suite {suite}", "failed", 0.0, detail))
    return failures


def by_suite(outcomes: list[Outcome]) -> dict[str, list[Outcome]]:
    """The outcomes of each suite, by name."""
    groups: dict[str, list[Outcome]] = collections.defaultdict(list)
    for one in outcomes:
        groups[one.suite()].append(one)
    return dict(sorted(groups.items()))


def printable(text: str) -> str:
    """What XML can carry."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)


def write_junit(path: pathlib.Path, groups: dict[str, list[Outcome]]) -> None:
    """The report for other programs."""
    root = ElementTree.Element("testsuites")
    for name, outcomes in groups.items():
        count = collections.Counter(one.state for one in outcomes)
        suite = ElementTree.SubElement(root, "testsuite", name=name, tests=str(len(outcomes)))
        suite.set("failures", str(count["failed"]))
        suite.set("skipped", str(count["skipped"]))
        for one in outcomes:
            case = ElementTree.SubElement(suite, "testcase", name=one.name, classname=one.machine)
            case.set("time", f"{one.seconds:.3f}")
            if one.state == "failed":
                failure = ElementTree.SubElement(case, "failure", message=one.again)
                failure.text = printable(one.detail)
            elif one.state == "skipped":
                ElementTree.SubElement(case, "skipped", message=printable(one.detail))
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def print_failures(outcomes: list[Outcome], report: pathlib.Path) -> None:
    """What failed, with details and the command that shows it again."""
    failed = [one for one in outcomes if one.state == "failed"]
    for one in failed[:FAILURES_SHOWN]:
        print(f"\nFAILED {one.suite()} {one.name}")
        for line in one.detail.splitlines():
            print(f"    {printable(line)}")
        if one.again:
            print(f"    again: {one.again}")
    if len(failed) > FAILURES_SHOWN:
        print(f"\n... and {len(failed) - FAILURES_SHOWN} more, in {report}")


def print_table(groups: dict[str, list[Outcome]]) -> None:
    """Counts for each suite, and the line that sums them up."""
    total: collections.Counter[str] = collections.Counter()
    print(f"\n{'machine':<20} {'passed':>7} {'failed':>7} {'skipped':>8}")
    for suite, members in groups.items():
        count = collections.Counter(one.state for one in members)
        total += count
        print(f"{suite:<20} {count['passed']:>7} {count['failed']:>7} {count['skipped']:>8}")
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"\n{total['passed']} passed, {total['failed']} failed{skipped}")


def report(folder: pathlib.Path, expected: list[str], exceptions: pathlib.Path) -> int:
    """Writes and prints the report; 1 if anything failed."""
    outcomes = read_outcomes(folder)
    allowed = read_exceptions(exceptions)
    checks = check_suites(outcomes, expected) + check_exceptions(outcomes, allowed, exceptions)
    groups = by_suite(outcomes + checks)
    write_junit(folder / "report.xml", groups)
    print_failures(outcomes + checks, folder / "report.xml")
    # Only a whole run can tell that fewer tests are left out than before.
    for line in advise_exceptions(outcomes, allowed, exceptions) if expected else []:
        print(f"\n{line}")
    print_table(groups)
    return 1 if any(one.state == "failed" for one in outcomes + checks) else 0


def main() -> int:
    """Reads the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="report.py", description="merge a test run's results")
    parser.add_argument("folder", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--expect", action="append", default=[], metavar="SUITE")
    parser.add_argument(
        "--exceptions", type=pathlib.Path, default=ROOT / "tests/exceptions.txt", metavar="FILE"
    )
    try:
        options = parser.parse_args()
    except SystemExit as ended:
        return 64 if ended.code else 0
    try:
        return report(options.folder, options.expect, options.exceptions)
    except Broken as error:
        print(f"report: {error}", file=sys.stderr)
        return 65


if __name__ == "__main__":
    sys.exit(main())
