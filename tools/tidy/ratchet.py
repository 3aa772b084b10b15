"""Counts that may only fall: ratchet.json, one object for each rule, key to count.

A count above its entry is a finding; so is a count below it, until `tidy --fix` has lowered the
entry; so is an entry that stands higher than in the commit that the branch left."""

from __future__ import annotations

import json

from tools.tidy.finding import Finding
from tools.tidy.tree import Tree

FILE = "tools/tidy/ratchet.json"

Places = dict[str, tuple[str, int, str]]


def _previous(tree: Tree, rule: str) -> dict[str, int]:
    """What the ratchet held at the base commit."""
    text = tree.git("show", f"{tree.base_commit}:{FILE}") if tree.base_commit else ""
    return json.loads(text).get(rule, {}) if text else {}


def compare(
    tree: Tree, rule: str, counts: dict[str, int], places: Places, instead: str
) -> list[Finding]:
    """Findings for `counts` against what the ratchet allows. `places` says where each key is, and
    what is wrong there."""
    allowed: dict[str, int] = tree.ratchet.get(rule, {})
    previous = _previous(tree, rule)
    found = []
    for key, count in counts.items():
        if count > allowed.get(key, 0):
            path, line, wrong = places[key]
            found.append(Finding(path, line, wrong, instead))
    for key, limit in allowed.items():
        if counts.get(key, 0) < limit:
            wrong = f"{rule}: {key} is at {counts.get(key, 0)}, the ratchet still allows {limit}"
            found.append(Finding(FILE, 0, wrong, "run: ./twofold tidy --fix"))
        if limit > previous.get(key, limit):
            wrong = f"{rule}: {key} was raised from {previous[key]} to {limit}"
            found.append(Finding(FILE, 0, wrong, "mend the code instead: the count only falls"))
    return found


def lower(tree: Tree, rule: str, counts: dict[str, int]) -> None:
    """Lowers the entries of `rule` to `counts` where these are smaller; raises and adds none."""
    allowed: dict[str, int] = tree.ratchet.get(rule, {})
    lowered = {key: min(limit, counts[key]) for key, limit in allowed.items() if key in counts}
    if lowered != allowed:
        tree.lower_ratchet(rule, lowered)
