"""The interpreter's part of the recorded workloads: what scripts do all day, with a fixed result.

Reads itself, so that it needs nothing else: tokens, syntax trees, regular expressions, JSON, sorting, classes,
text, and an index of words with many small objects.
"""

import ast
import collections
import io
import json
import pathlib
import re
import tokenize

ROUNDS = 12
RECORDS = 3000


class Record:
    """One row of the table that the script keeps."""

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self.tags = [f"tag-{number % divisor}" for divisor in (3, 7, 31)]

    def as_tree(self) -> dict:
        return {"number": self.number, "name": self.name, "tags": self.tags}


def parse(source: str) -> int:
    """Tokens and nodes of a source text."""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    nodes = list(ast.walk(ast.parse(source)))
    return len(tokens) + len(nodes)


def index_words(source: str) -> dict[str, list[int]]:
    """Where each word stands."""
    places: dict[str, list[int]] = collections.defaultdict(list)
    for match in re.finditer(r"\w+", source):
        places[match.group()].append(match.start())
    return places


def table(round_number: int) -> int:
    """Makes records, writes them as JSON, reads them back, and groups them by tag."""
    records = [Record(number, f"record {number * round_number}") for number in range(RECORDS)]
    trees = json.loads(json.dumps([record.as_tree() for record in records]))
    groups: dict[str, list[str]] = collections.defaultdict(list)
    for tree in sorted(trees, key=lambda tree: tree["name"]):
        for tag in tree["tags"]:
            groups[tag].append(tree["name"].upper())
    return sum(len(", ".join(names)) for names in groups.values())


def main() -> None:
    source = pathlib.Path(__file__).read_text()
    total = 0
    for round_number in range(1, ROUNDS + 1):
        total += parse(source) + len(index_words(source)) + table(round_number)
    print(total)


main()
