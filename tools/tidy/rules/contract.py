"""The HAL contract: each header checks that the machine being built keeps it, and no machine lacks
a header or has one that the contract does not know."""

from __future__ import annotations

import re

from tools.tidy import lexer
from tools.tidy.finding import Finding
from tools.tidy.tree import Tree

name = "contract"
explain = "every hal/ header ends by asserting its concept, and every machine offers its half of it"

CONTRACT = "hal/include/hal/"
_CONCEPT = re.compile(r"\bconcept\s+(\w+)\s*=")


def _contract_header(tree: Tree, path: str) -> list[Finding]:
    """A header with a machine's half declares a concept and ends with its static_assert."""
    stem = path.removeprefix(CONTRACT)
    wanted = f"machine/{stem}"
    halves = [include for _, include, quoted in lexer.includes(tree.text(path)) if not quoted]
    code = tree.code(path)
    concepts = _CONCEPT.findall(code)
    if wanted not in halves:
        if concepts:
            wrong = "declares a concept but does not include the machine's half"
            return [Finding(path, 0, wrong, f"include <{wanted}> before the concept")]
        return []
    if not concepts:
        wrong = f"includes <{wanted}> but declares no concept"
        return [Finding(path, 0, wrong, "say with a concept what the machine must offer")]
    tail = re.sub(r"\s*\}\s*$", "", code.rstrip())
    last = tail[tail.rfind("static_assert") :] if "static_assert" in tail else ""
    found = []
    if last.count(";") != 1 or not last.endswith(";"):
        wrong = "does not end with the static_assert of its concept"
        found.append(Finding(path, 0, wrong, "assert the concept as the header's last statement"))
    for concept in concepts:
        if not re.search(rf"static_assert\(\s*{concept}<", code):
            wrong = f"the concept {concept} is never asserted"
            instead = f"end the header with static_assert({concept}<...>, ...)"
            found.append(Finding(path, 0, wrong, instead))
    return found


def check(tree: Tree) -> list[Finding]:
    headers = tree.select((CONTRACT,), (".hpp",))
    found = [finding for path in headers for finding in _contract_header(tree, path)]
    halves = {
        path.removeprefix(CONTRACT)
        for path in headers
        if f"<machine/{path.removeprefix(CONTRACT)}>" in lexer.without_comments(tree.text(path))
    }
    for machine, folders in tree.ladder["machines"].items():
        offered = {
            path.rpartition("/machine/")[2]: path
            for path in tree.select([f"{folder}/machine/" for folder in folders], (".hpp",))
        }
        for missing in sorted(halves - offered.keys()):
            wrong = f"the machine {machine} has no machine/{missing}"
            instead = f"implement the concept of {CONTRACT}{missing} there"
            found.append(Finding(f"{folders[0]}/machine/{missing}", 0, wrong, instead))
        for extra in sorted(offered.keys() - halves):
            wrong = f"the contract has no hal/{extra}"
            instead = "move the header out of machine/: it is this machine's own affair"
            found.append(Finding(offered[extra], 0, wrong, instead))
    return found
