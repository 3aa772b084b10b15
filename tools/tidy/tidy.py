#!/usr/bin/env python3
"""The style of the house as a program: `./twofold tidy [--all] [--fix] [RULE...]`.

Prints one line for each finding (file:line: what is wrong; what to do instead), and last the line
`tidy: N rules, N findings`. Status 0: none; 1: findings; 64: usage error. A rule that needs a build
which is missing or out of date reports that as a finding; --no-objects leaves such rules out."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tools.tidy import rules  # noqa: E402
from tools.tidy.finding import Finding  # noqa: E402
from tools.tidy.tree import NeedsBuild, Tree  # noqa: E402

USAGE = 64


class Parser(argparse.ArgumentParser):
    """Usage errors end with the status that every program of the project uses for them."""

    def error(self, message: str):
        self.exit(USAGE, f"tidy: {message}; see ./twofold tidy --help\n")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="./twofold tidy", description="Check the style of the house.")
    parser.add_argument("rules", nargs="*", metavar="RULE", help="run these rules only")
    parser.add_argument("--list", action="store_true", help="list the rules")
    parser.add_argument("--all", action="store_true", help="examine what did not change, too")
    parser.add_argument("--since", metavar="COMMIT", help="what changes are counted from")
    parser.add_argument("--fix", action="store_true", help="mend what needs no judgement first")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("--no-objects", action="store_true", help="leave out what needs a build")
    parser.add_argument("--times", action="store_true", help="say how long each rule took")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    return parser.parse_intermixed_args(arguments)


def chosen(names: list[str]) -> list[ModuleType]:
    """The rules that are asked for, all without names. Raises KeyError with an unknown name."""
    known = {rule.name: rule for rule in rules.load()}
    return [known[one] for one in names] if names else list(known.values())


def apply(rule: ModuleType, tree: Tree, options: argparse.Namespace) -> tuple[list[Finding], str]:
    """The findings of one rule, and why it was left out, if it was."""
    try:
        if options.fix and hasattr(rule, "fix"):
            rule.fix(tree)
        return rule.check(tree), ""
    except NeedsBuild as need:
        if options.no_objects:
            return [], str(need)
        wrong, _, instead = str(need).partition("; ")
        return [Finding("build", 0, wrong, instead or "or leave it out: --no-objects")], ""


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    if options.list:
        for rule in rules.load():
            print(f"{rule.name:16} {rule.explain}")
        return 0
    try:
        selection = chosen(options.rules)
    except KeyError as unknown:
        print(f"tidy: no rule {unknown}; see ./twofold tidy --list", file=sys.stderr)
        return USAGE
    tree = Tree(options.root, everything=options.all, since=options.since)
    findings: list[Finding] = []
    left_out = 0
    for rule in selection:
        started = time.monotonic()
        found, why = apply(rule, tree, options)
        findings += sorted(dataclasses.replace(one, rule=rule.name) for one in set(found))
        if why:
            left_out += 1
            print(f"tidy: {rule.name} left out: {why}", file=sys.stderr)
        if options.times:
            print(f"{rule.name:16} {time.monotonic() - started:7.2f} s", file=sys.stderr)
    tree.save_caches()
    if options.json:
        print(json.dumps([one.record() for one in findings], indent=2))
    else:
        for one in findings:
            print(one.text())
        print(f"tidy: {len(selection) - left_out} rules, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
