"""Documents say what is true: links lead somewhere, and the commands they show exist."""

from __future__ import annotations

import re
import subprocess
from urllib.parse import unquote

from tools.tidy import markdown
from tools.tidy.finding import Finding
from tools.tidy.tree import NeedsBuild, Tree

name = "documents"
explain = "links and anchors resolve, and ./twofold has the verbs that documents show"

ENTRY = "twofold"
RECURSIVE = ("test", "tidy")
_EXTERNAL = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_VERB = re.compile(r"^ {2,4}(?:\./twofold )?([a-z][a-z-]*)\b", re.MULTILINE)


def _link(tree: Tree, path: str, line: int, target: str) -> list[Finding]:
    """A link must lead to a file or folder of the tree, and to a heading if it names one."""
    if _EXTERNAL.match(target):
        return []
    place, _, anchor = unquote(target).partition("#")
    folder = tree.root / path.rpartition("/")[0]
    file = (folder / place).resolve() if place else tree.root / path
    if not file.is_relative_to(tree.root):
        return [Finding(path, line, f"the link {target} leads out of the tree", "name the place")]
    relative = file.relative_to(tree.root).as_posix()
    if relative not in tree.file_set and not tree.select((f"{relative}/",)):
        return [Finding(path, line, f"the link {target} leads nowhere", "mend or remove it")]
    if anchor and relative.endswith(".md") and anchor not in markdown.anchors(tree.text(relative)):
        wrong = f"{relative} has no heading #{anchor}"
        return [Finding(path, line, wrong, "name a heading that exists")]
    return []


def verbs(tree: Tree) -> frozenset[str]:
    """The verbs that `./twofold help` lists. Raises NeedsBuild if it does not run."""
    try:
        done = subprocess.run(
            [str(tree.root / ENTRY), "help"],
            cwd=tree.root,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NeedsBuild(f"./{ENTRY} help does not run: {error}") from error
    return frozenset(_VERB.findall(done.stdout)) | {"help"}


def _commands(tree: Tree, path: str, known: frozenset[str]) -> list[Finding]:
    found = []
    text = tree.text(path)
    for line, command in markdown.commands(text):
        words = command.split()
        if words[0] == f"./{ENTRY}" and len(words) > 1 and words[1] not in known:
            wrong = f"./{ENTRY} has no verb {words[1]}"
            found.append(Finding(path, line, wrong, f"see ./{ENTRY} help"))
    for line, command in markdown.commands(text, marked="test"):
        if re.search(rf"\./{ENTRY} (?:{'|'.join(RECURSIVE)})\b", command):
            wrong = "the tests would run this command inside themselves"
            found.append(Finding(path, line, wrong, "mark the block `sh` without `test`"))
    return found


def check(tree: Tree) -> list[Finding]:
    documents = tree.select(suffixes=(".md",))
    found = []
    for path in documents:
        for line, target in markdown.links(tree.text(path)):
            found += _link(tree, path, line, target)
    shown = [command for path in documents for _, command in markdown.commands(tree.text(path))]
    if any(command.startswith(f"./{ENTRY} ") for command in shown):
        known = verbs(tree)
        for path in documents:
            found += _commands(tree, path, known)
    return found
