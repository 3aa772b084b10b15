"""Joins the states of shards into the report that one machine would have made.

The states must be of one campaign: build, case and seeds alike. Seeds that two of them ran are refused,
seeds that none of them ran are named.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from typing import Any

from tools.sim import arguments, findings, ranges, state, terminal
from tools.sim.arguments import Parser
from tools.sim.case import Case
from tools.sim.findings import Asked, Finding
from tools.sim.refusal import FAILED, PASSED, Refused
from tools.sim.state import Content
from tools.sim.tally import Tally

Write = Callable[[argparse.Namespace, dict[str, Any]], None]
Check = Callable[[argparse.Namespace], None]


def _parser() -> Parser:
    made = Parser(prog="./twofold sim merge", description="Join the states of shards.", allow_abbrev=False)
    made.add_argument("states", nargs="+", metavar="STATE")
    made.add_argument("--complete", action="store_true", help="fail if seeds were not run")
    arguments.add_outputs(made)
    return made


def joined(paths: list[str], contents: list[Content]) -> Tally:
    """The sum of the states. Raises Refused, naming files and what is wrong between them."""
    total = Tally()
    for index, (path, content) in enumerate(zip(paths, contents)):
        different = state.differences(contents[0].header, content.header, but=("shard",))
        if different:
            raise Refused(f"{paths[0]} and {path} are of different campaigns: {'; '.join(different)}")
        for other_path, other in zip(paths[:index], contents):
            common = other.tally.done.common(content.tally.done)
            if common:
                shown = terminal.spans_text([list(span) for span in common])
                raise Refused(f"{other_path} and {path} overlap: both ran the seeds {shown}")
        total.absorb(content.tally)
    return total


def gaps(contents: list[Content], total: Tally) -> list[str]:
    """What seeds no state ran, in words; with the shard that they are of, if all count the same parts."""
    first, last = contents[0].header["seeds"]
    counts = {ranges.shard(content.header["shard"]).count for content in contents}
    if len(counts) > 1:
        missing = ranges.Shard().missing(total.done, first, last)
        return [f"gap: nobody ran the seeds {terminal.spans_text(missing)}"] if missing else []
    said = []
    there = {content.header["shard"] for content in contents}
    count = counts.pop()
    for index in range(1, count + 1):
        part = ranges.Shard(index, count)
        missing = part.missing(total.done, first, last)
        if missing:
            why = "did not run" if str(part) in there else "is not there and did not run"
            said.append(f"gap: shard {part} {why} the seeds {terminal.spans_text(missing)}")
    return said


def merged(paths: list[str], command: str) -> tuple[dict[str, Any], list[str]]:
    """The document of all states together, and the gaps in it."""
    contents = [state.read(path) for path in paths]
    total = joined(paths, contents)
    head = contents[0].header
    try:
        template = Case.from_json(head["case"] | {"seed": 0})
        seeds = (int(head["seeds"][0]), int(head["seeds"][1]))
        asked = Asked(head["build"], command, template, seeds, simulator=head["simulator"])
        said = gaps(contents, total)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Refused(f"{paths[0]} is no state of a campaign") from error
    found = [Finding(group) for group in total.sorted_groups()]
    for one in found:
        findings.recall(one, [content.shrunk for content in contents])
    measured = {"wall_s": round(sum(content.wall_s for content in contents), 3)}
    return findings.document(asked, total, found, "merged", measured), said


def run(words: list[str], write: Write, check: Check) -> int:
    """`./twofold sim merge`."""
    options = _parser().parse_args(words)
    check(options)
    document, said = merged(options.states, shlex.join(["./twofold", "sim", "merge", *words]))
    for line in said:
        print(f"twofold: sim: {line}", file=sys.stderr)
    write(options, document)
    return FAILED if document["failures"] or (said and options.complete) else PASSED
