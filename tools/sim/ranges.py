"""Numbers as people write them: durations, counts, seeds `A..B`, operations `0-5,9`, shards `2/8`.

Each parser raises Refused with one line that names the option and what was wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tools.sim.refusal import Refused

SEED_LAST = 2**64 - 1
OPERATIONS_MOST = 1_000_000
_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}


def number(text: str, option: str, least: int = 0, most: int = SEED_LAST) -> int:
    """A whole decimal number between `least` and `most`."""
    if not text.isascii() or not text.isdecimal() or len(text) > 20:
        raise Refused(f"{option}: '{text}' is no whole number")
    value = int(text)
    if not least <= value <= most:
        raise Refused(f"{option}: {text} is not between {least} and {most}")
    return value


def nanoseconds(text: str, option: str) -> int:
    """A duration with its unit: 500ms, 10m, 1h30m."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)", text)
    if not parts or "".join(value + unit for value, unit in parts) != text:
        raise Refused(f"{option}: '{text}' is no duration such as 500ms, 90s, 10m or 1h30m")
    return round(sum(float(value) * _UNITS_NS[unit] for value, unit in parts))


def seconds(text: str, option: str) -> float:
    """A duration above nothing, in seconds."""
    value = nanoseconds(text, option) / 1e9
    if value <= 0:
        raise Refused(f"{option}: {text} is no time at all")
    return value


def operations(text: str, option: str) -> tuple[int, ...]:
    """The numbers of `0-5,9`, increasing and without repetition."""
    found: set[int] = set()
    for part in text.split(","):
        ends = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
        if not ends:
            raise Refused(f"{option}: '{text}' are no ranges such as 0-5,9")
        first, last = int(ends[1]), int(ends[2] or ends[1])
        if last < first or last >= OPERATIONS_MOST:
            raise Refused(f"{option}: the range {part} ends before it begins or is too large")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def text_of(numbers: Iterable[int]) -> str:
    """Increasing numbers as `0-5,9`."""
    spans = Spans()
    for one in numbers:
        spans.add(one, one)
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def seeds(text: str) -> tuple[int, int]:
    """First and last seed of `A..B`; `A..` goes on to the last seed that there is."""
    ends = re.fullmatch(r"(\d+)\.\.(\d*)", text)
    if not ends:
        raise Refused(f"--seeds: '{text}' is no range such as 1..1000 or 1..")
    first = number(ends[1], "--seeds")
    last = number(ends[2], "--seeds") if ends[2] else SEED_LAST
    if last < first:
        raise Refused(f"--seeds: {text} ends before it begins")
    return first, last


def is_open(last: int) -> bool:
    """Whether seeds up to `last` are all that there are: then nobody expects that they are run."""
    return last == SEED_LAST


@dataclass(frozen=True)
class Shard:
    """Part `index` (from 1) of `count` equal parts."""

    index: int = 1
    count: int = 1

    def part(self, first: int, last: int) -> tuple[int, int]:
        """The seeds of this part, one after the other; the parts differ by one in size at most."""
        length = last - first + 1
        begin = first + length * (self.index - 1) // self.count
        end = first + length * self.index // self.count - 1
        return begin, end

    def missing(self, done: Spans, first: int, last: int) -> list[list[int]]:
        """What of this part is not in `done`; of seeds without end, only what is before others."""
        begin, end = self.part(first, last)
        gaps = done.missing(begin, end)
        if is_open(last):
            gaps = [gap for gap in gaps if gap[1] != end]
        return [list(gap) for gap in gaps]

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def shard(text: str) -> Shard:
    """The shard of `i/n`, with i from 1 to n."""
    ends = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if not ends:
        raise Refused(f"--shard: '{text}' is no part such as 2/8")
    index, count = int(ends[1]), int(ends[2])
    if not 1 <= index <= count:
        raise Refused(f"--shard: there is no part {index} of {count}; parts count from 1")
    return Shard(index, count)


class Spans:
    """A set of numbers as disjoint, increasing pairs (first, last) that do not touch."""

    def __init__(self, pairs: Iterable[tuple[int, int]] = ()) -> None:
        self._pairs: list[tuple[int, int]] = []
        for first, last in pairs:
            self.add(first, last)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spans) and self._pairs == other._pairs

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self._pairs)

    def add(self, first: int, last: int) -> None:
        """Adds the numbers from `first` to `last`. Constant time behind what is there."""
        pairs = self._pairs
        if not pairs or first > pairs[-1][1] + 1:
            pairs.append((first, last))
            return
        if first >= pairs[-1][0]:
            pairs[-1] = (pairs[-1][0], max(last, pairs[-1][1]))
            return
        joined: list[tuple[int, int]] = []
        for a, b in sorted([*pairs, (first, last)]):
            if joined and a <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(b, joined[-1][1]))
            else:
                joined.append((a, b))
        self._pairs = joined

    def missing(self, first: int, last: int) -> list[tuple[int, int]]:
        """What of `first` to `last` is not in the set."""
        gaps = []
        for a, b in self._pairs:
            if b < first or a > last:
                continue
            if a > first:
                gaps.append((first, a - 1))
            first = b + 1
        if first <= last:
            gaps.append((first, last))
        return gaps

    def common(self, other: Spans) -> list[tuple[int, int]]:
        """What is in both sets."""
        both = []
        for a, b in self._pairs:
            for c, d in other:
                if max(a, c) <= min(b, d):
                    both.append((max(a, c), min(b, d)))
        return both
