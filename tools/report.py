#!/usr/bin/env python3
"""Merges what a test run left behind into one report.

    tools/report.py FOLDER

FOLDER (build/test) holds stages.tsv (name, status, milliseconds, command; one stage a line) and
ctest-PRESET.xml, CTest's JUnit output for each preset. A CTest entry that ran a whole kernel's tests may have
left its result records as JSON lines in build/PRESET/results/NAME.jsonl, NAME being the entry's name; then
each kernel test counts by itself. Writes FOLDER/report.xml (JUnit, one suite for each machine and build),
prints a table and, last, the line `N passed, N failed`. Status 1 if anything failed, 65 if the folder does
not hold what it must.
"""

import collections
import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

FAILURES_SHOWN = 20


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


def kernel_tests(records: pathlib.Path, build: str, again: str) -> list[Outcome]:
    """The tests inside one kernel, from its result records. A test that began and did not end failed."""
    machine = "unknown"
    running = ""
    failures: dict[str, list[str]] = collections.defaultdict(list)
    outcomes = []

    def end(name: str, state: str, detail: str) -> None:
        outcomes.append(Outcome(machine, build, name, state, 0.0, detail, again))

    for line in records.read_text(errors="replace").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        kind = record.get("type")
        name = record.get("test", "")
        if kind == "hello":
            machine = record["machine"]
        elif kind == "test_begin":
            running = name
        elif kind == "test_failure":
            failures[name].append(
                f"{record['file']}:{record['line']}: {record['expectation']}; {record['detail']}"
            )
        elif kind == "test_end":
            running = ""
            end(name, record["outcome"], "\n".join(failures[name]) or record.get("reason", ""))
    if running:
        end(running, "failed", "the kernel ended while this test ran")
    return outcomes


def ctest_outcomes(junit: pathlib.Path, build: str, results: pathlib.Path) -> list[Outcome]:
    """The tests of one build, kernel tests unfolded."""
    outcomes = []
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        name = case.get("name", "")
        state = {"run": "passed", "fail": "failed"}.get(case.get("status", ""), "skipped")
        again = f"ctest --preset {build} -R '^{name}$'"
        records = results / f"{name}.jsonl"
        inner = kernel_tests(records, build, again) if records.is_file() else []
        outcomes += inner
        explained = any(one.state == "failed" for one in inner)
        if not inner or (state == "failed" and not explained):
            output = case.findtext("system-out") or ""
            detail = "\n".join(output.strip().splitlines()[-10:]) if state == "failed" else ""
            machine = name.split(".")[0] if "." in name else "other"
            outcomes.append(Outcome(machine, build, name, state, float(case.get("time") or 0), detail, again))
    return outcomes


def stage_outcomes(lines: list[str], counted: dict[str, bool]) -> list[Outcome]:
    """The stages that are tests by themselves. `counted` says of each build's CTest stage whether a failure
    of it is already counted; such a stage appears only where a failure would be lost otherwise."""
    outcomes = []
    for line in lines:
        name, status, milliseconds, command = line.split("\t")
        failed = status != "0"
        build = name.removeprefix("test ") if name.startswith("test ") else ""
        if build in counted and (counted[build] or not failed):
            continue
        outcomes.append(
            Outcome("stage", "", name, "failed" if failed else "passed", int(milliseconds) / 1000, "", command)
        )
    return outcomes


def write_junit(path: pathlib.Path, groups: dict[tuple[str, str], list[Outcome]]) -> None:
    root = ElementTree.Element("testsuites")
    for (machine, build), outcomes in groups.items():
        count = collections.Counter(one.state for one in outcomes)
        suite = ElementTree.SubElement(
            root, "testsuite", name=f"{machine} {build}".strip(), tests=str(len(outcomes)),
            failures=str(count["failed"]), skipped=str(count["skipped"]),
        )  # fmt: skip
        for one in outcomes:
            case = ElementTree.SubElement(
                suite, "testcase", name=one.name, classname=machine, time=f"{one.seconds:.3f}"
            )
            if one.state == "failed":
                ElementTree.SubElement(case, "failure", message=one.again).text = printable(one.detail)
            elif one.state == "skipped":
                ElementTree.SubElement(case, "skipped", message=printable(one.detail))
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def printable(text: str) -> str:
    """What XML can carry."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: tools/report.py FOLDER", file=sys.stderr)
        return 64
    folder = pathlib.Path(arguments[0])
    builds = folder.parent
    outcomes: list[Outcome] = []
    counted: dict[str, bool] = {}
    try:
        for junit in sorted(folder.glob("ctest-*.xml")):
            build = junit.stem.removeprefix("ctest-")
            tests = ctest_outcomes(junit, build, builds / build / "results")
            counted[build] = any(one.state == "failed" for one in tests)
            outcomes += tests
        outcomes += stage_outcomes((folder / "stages.tsv").read_text().splitlines(), counted)
    except (OSError, ValueError, KeyError, ElementTree.ParseError) as error:
        print(f"report: {folder} does not hold a whole test run: {error}", file=sys.stderr)
        return 65

    groups: dict[tuple[str, str], list[Outcome]] = collections.defaultdict(list)
    for one in outcomes:
        groups[one.machine, one.build].append(one)
    write_junit(folder / "report.xml", groups)

    failed = [one for one in outcomes if one.state == "failed"]
    for one in failed[:FAILURES_SHOWN]:
        print(f"\nFAILED {one.machine} {one.build} {one.name}")
        for line in one.detail.splitlines():
            print(f"    {line}")
        print(f"    again: {one.again}")
    if len(failed) > FAILURES_SHOWN:
        print(f"\n... and {len(failed) - FAILURES_SHOWN} more, in {folder / 'report.xml'}")

    print(f"\n{'machine':<12} {'build':<10} {'passed':>7} {'failed':>7} {'skipped':>8}")
    for (machine, build), members in sorted(groups.items()):
        count = collections.Counter(one.state for one in members)
        print(f"{machine:<12} {build:<10} {count['passed']:>7} {count['failed']:>7} {count['skipped']:>8}")
    passed = sum(one.state == "passed" for one in outcomes)
    print(f"\n{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
