#!/usr/bin/env python3
"""Campaigns of the simulator: `./twofold sim WORKLOAD --seeds A..B`, and what belongs to them.

The simulator itself is a program, `twofold-simulator`, which serves cases; its path is in the variable
TWOFOLD_SIMULATOR, or given by --simulator. docs/campaigns.md is for users.

Status: 0 no failure; 1 a failure; 2 usage; 69 no simulator; 130 interrupted without a failure.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tools.sim import arguments, bugs, case, catalogue, findings, merge, page, state, terminal, twice  # noqa: E402
from tools.sim.arguments import STANDARD_OUTPUT, Parser  # noqa: E402
from tools.sim.campaign import Campaign, Stop  # noqa: E402
from tools.sim.pool import Pool  # noqa: E402
from tools.sim.progress import Progress  # noqa: E402
from tools.sim.refusal import FAILED, INTERRUPTED, PASSED, Refused, Unavailable, nearest  # noqa: E402

VARIABLE = "TWOFOLD_SIMULATOR"
# What `twofold-simulator run` takes besides; other unknown options go to it, too, unless they look like a slip.
FOR_ONE_CASE = (
    "--record",
    "--copy-every",
    "--replay",
    "--until-event",
    "--debugger",
    "--trace",
    "--save-schedule",
    "--follow-schedule",
    "--output",
    "--gdb",
)
GDB = ("gdb", "-q", "-x", f"{ROOT}/tools/gdb/printers.py", "-x", f"{ROOT}/tools/gdb/simulated.py", "-ex", "run")


def simulator(options: argparse.Namespace) -> str:
    """The program to use."""
    program = options.simulator or os.environ.get(VARIABLE, "")
    if not program:
        raise Unavailable(f"no simulator: give --simulator PATH or set {VARIABLE}")
    return program


def hand_on(options: argparse.Namespace, words: list[str]) -> None:
    """Becomes `twofold-simulator run` with the same words; --gdb: under a debugger, which stops at its event."""
    given = iter(words)
    passed = []
    for word in given:
        if word == "--simulator":
            next(given, None)
        elif word == "--faults":
            next(given, None)
        elif word != "--gdb" and not word.startswith(("--simulator=", "--faults=")):
            passed.append(word)
    if plan := arguments.plan_path(options):
        passed += ["--faults", plan]
    program = simulator(options)
    if "--gdb" not in words:
        become(program, "run", *passed)
    if not any(word.partition("=")[0] == "--until-event" for word in passed):
        raise Refused("--gdb: give --until-event N, where it is to stop")
    if not os.access(program, os.X_OK):
        raise Unavailable(f"the simulator {program} does not run")
    become(*GDB, "--args", program, "run", *passed, "--debugger")


def become(program: str, *words: str) -> None:
    """Ends this program by starting that one in its place."""
    sys.stdout.flush()
    try:
        os.execvp(program, [program, *words])
    except OSError as error:
        what = program if program == GDB[0] else f"the simulator {program}"
        raise Unavailable(f"{what} does not run: {error.strerror}") from error


def write_outputs(options: argparse.Namespace, document: dict[str, Any]) -> None:
    """Writes what --json and --html ask for, and prints the report unless JSON is printed."""
    as_json = json.dumps(document, indent=2)
    for option, path, text in (("--json", options.json, as_json + "\n"), ("--html", options.html, "")):
        if path is not None and path != STANDARD_OUTPUT:
            try:
                Path(path).write_text(text or page.page(document))
            except OSError as error:
                raise Refused(f"{option} {path}: {error.strerror}") from error
    print(as_json if options.json == STANDARD_OUTPUT else terminal.campaign(document))


def check_outputs(options: argparse.Namespace) -> None:
    """Refuses files that cannot be written before hours are spent on what they shall hold."""
    for option, path in (("--json", options.json), ("--html", options.html)):
        if path is not None and path != STANDARD_OUTPUT and not os.access(Path(path).resolve().parent, os.W_OK):
            raise Refused(f"{option} {path}: its folder cannot be written to")


def run_single(options: argparse.Namespace) -> int:
    """One case, run here and told."""
    check_outputs(options)
    program = simulator(options)
    one = arguments.case(options, catalogue.describe(program))
    with Stop() as stop, Pool(program, 1, arguments.case_seconds(options)) as pool:
        outcome = None
        for answer in pool.run([one]):
            if stop.asked:
                return INTERRUPTED
            outcome = answer[2] if answer else outcome
    assert outcome is not None
    if outcome["outcome"] == case.REFUSED:
        raise Refused(f"the simulator refuses the case: {outcome['error']}")
    text = json.dumps({"case": one.json(), "outcome": outcome}, indent=2)
    if options.json not in (None, STANDARD_OUTPUT):
        Path(options.json).write_text(text + "\n")
    print(text if options.json == STANDARD_OUTPUT else terminal.single(outcome))
    return FAILED if case.failed(outcome) else PASSED


def run_campaign(options: argparse.Namespace, words: list[str]) -> int:
    """Searches, shrinks, reproduces, reports."""
    program = simulator(options)
    known = catalogue.describe(program)
    template, seeds = arguments.case(options, known), arguments.seeds(options)
    shard = arguments.shard(options, dict(os.environ))
    shrinks = not options.no_shrink
    effort = findings.Effort(arguments.bounds(options), arguments.repeats(options), shrinks, known.costs)
    command = shlex.join(["./twofold", "sim", *words])
    asked = findings.Asked(known.build, command, template, seeds, shard, options.simulator or "")
    limits = arguments.limits(options)
    case_seconds, jobs = arguments.case_seconds(options), arguments.jobs(options)
    check_outputs(options)
    head = state.header(known.build, template.json(), seeds, str(shard), asked.simulator)
    kept = state.StateFile(options.state, head) if options.state else None
    progress = Progress()
    progress.label = template.workload
    with Stop() as stop, Pool(program, jobs, case_seconds) as pool:
        search = Campaign(pool, template, shard.part(*seeds), limits, progress, stop, kept)
        ended = search.run()
        wall_s = search.wall_s
        found = findings.examine(pool, search.tally, effort, progress, stop, kept)
    if kept:
        kept.close()
    measured = {
        "wall_s": round(wall_s, 3),
        "jobs": jobs,
        "cases_per_s": round(search.tally.cases / max(wall_s, 1e-3), 1),
        "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "timeline": [list(point) for point in search.timeline.points],
    }
    write_outputs(options, findings.document(asked, search.tally, found, ended, measured))
    if search.tally.failed:
        return FAILED
    return INTERRUPTED if ended == "interrupted" else PASSED


def run_twice(options: argparse.Namespace) -> int:
    """Each seed in two places of the host. Failures of the workload are another matter."""
    program = simulator(options)
    template, seeds = arguments.case(options, catalogue.describe(program)), arguments.seeds(options)
    check_outputs(options)
    began = time.monotonic()
    found = twice.compare(program, template, seeds, arguments.jobs(options), arguments.limits(options).seconds)
    wall_s = time.monotonic() - began
    document = {"case": template.json(), "seeds": list(seeds), "wall_s": round(wall_s, 3)} | vars(found)
    text = json.dumps(document, indent=2)
    if options.json not in (None, STANDARD_OUTPUT):
        Path(options.json).write_text(text + "\n")
    print(text if options.json == STANDARD_OUTPUT else twice.report(template.workload, found, wall_s))
    return FAILED if found.differing else PASSED


def run_list(options: argparse.Namespace) -> int:
    known = catalogue.describe(simulator(options))
    print(json.dumps(known.raw, indent=2) if options.json else catalogue.listing(known))
    return PASSED


def check_unknown(parser: Parser, options: argparse.Namespace, first: str) -> None:
    """Refuses what is no option of `twofold-simulator run` either, or is one and this is a campaign."""
    name = first.partition("=")[0]
    if name not in FOR_ONE_CASE and (not name.startswith("--") or nearest(name, parser.words())):
        raise parser.unknown(first)
    if options.seeds is not None:
        raise Refused(f"{name} is not for a campaign: give --seed instead of --seeds")


def run(words: list[str]) -> int:
    """`./twofold sim WORKLOAD ...` and `--list`."""
    parser = arguments.parser()
    options, unknown = parser.parse_known_args(words)
    if options.list:
        if unknown or options.workload:
            raise parser.unknown((unknown or [options.workload])[0])
        return run_list(options)
    if unknown:
        check_unknown(parser, options, unknown[0])
        hand_on(options, words)
    if options.workload is None:
        raise Refused("which workload? ./twofold sim --list shows them, ./twofold sim --help the options")
    if options.twice:
        if options.seed is not None:
            raise Refused("--twice is for a campaign: give --seeds instead of --seed")
        return run_twice(options)
    if arguments.is_single(options):
        return run_single(options)
    return run_campaign(options, words)


def run_diff(words: list[str]) -> int:
    parser = Parser(prog="./twofold sim diff", allow_abbrev=False, description="compare two recordings")
    parser.add_argument("files", nargs=2, metavar="FILE")
    parser.add_argument("--simulator", metavar="PATH")
    options = parser.parse_args(words)
    become(simulator(options), "diff", *options.files)
    return FAILED


def main(words: list[str]) -> int:
    """Runs a command line; returns the exit status."""
    try:
        if words[:1] == ["merge"]:
            return merge.run(words[1:], write_outputs, check_outputs)
        if words[:1] == ["bugs"]:
            return bugs.run(words[1:], simulator)
        if words[:1] == ["canary"]:
            return bugs.run_canary(words[1:], simulator)
        if words[:1] == ["diff"]:
            return run_diff(words[1:])
        return run(words)
    except Refused as refused:
        print(f"twofold: sim: {refused}", file=sys.stderr)
        return refused.status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Who reads has seen enough. What was written to files is there; nothing more can be printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
