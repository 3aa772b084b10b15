"""The generated parts of documents are what the code is now (tools/diagrams.py)."""

from __future__ import annotations

from tools import diagrams
from tools.tidy import markdown
from tools.tidy.finding import Finding
from tools.tidy.tree import Tree

name = "generated"
explain = "what stands between generated:NAME marks in a document is up to date"


def _made(tree: Tree, part: str) -> str | None:
    """The part as it is to be; nothing if nobody generates it."""
    maker = diagrams.generator(part)
    try:
        return maker(tree) if maker is not None else None
    except LookupError:
        return None


def _renewed(tree: Tree, path: str) -> tuple[str, list[Finding]]:
    """The document with its generated parts made anew, and what was wrong with them."""
    text, found = tree.text(path), []
    if len(markdown.GENERATED_OPENING.findall(text)) != len(markdown.generated(text)):
        wrong = "a generated part is not closed, or does not stand on lines of its own"
        found.append(Finding(path, 0, wrong, "end it with a line <!-- /generated -->"))
    for part in reversed(markdown.generated(text)):
        body = _made(tree, part.name)
        if body is None:
            known = ", ".join([*diagrams.GENERATORS, f"{diagrams.GROUP_PREFIX}GROUP"])
            wrong = f"nobody generates {part.name}"
            found.append(Finding(path, part.line, wrong, f"known are: {known}"))
            continue
        if body != part.body:
            wrong = f"the generated part {part.name} is out of date"
            found.append(Finding(path, part.line, wrong, "run: ./twofold tidy --fix generated"))
            text = text[: part.start] + body + text[part.end :]
    return text, found


def check(tree: Tree) -> list[Finding]:
    documents = tree.select(suffixes=(".md",))
    return [finding for path in documents for finding in _renewed(tree, path)[1]]


def fix(tree: Tree) -> None:
    for path in tree.select(suffixes=(".md",)):
        text, _ = _renewed(tree, path)
        if text != tree.text(path):
            tree.write(path, text)
