"""Small charts as SVG inside of a page: bars, and lines over time. Colours come from the page's style."""

from __future__ import annotations

import html
from collections.abc import Sequence

WIDTH = 640
ROW = 22
LABEL = 240
VALUE = 170
LABEL_LETTERS = 36


def bars(rows: Sequence[tuple[str, float, float, str]], title: str) -> str:
    """Horizontal bars. A row: label, the part that is filled strongly, the whole, text behind it. Lengths are
    relative to the largest whole."""
    most = max((whole for _, _, whole, _ in rows), default=0) or 1
    height = ROW * len(rows) + 4
    room = WIDTH - LABEL - VALUE
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html.escape(title)}">']
    for index, (label, part, whole, text) in enumerate(rows):
        top = index * ROW + 3
        shown = label if len(label) <= LABEL_LETTERS else label[: LABEL_LETTERS - 1] + "…"
        parts += [
            f'<g><title>{html.escape(label)}: {html.escape(text)}</title>',
            f'<text x="{LABEL - 8}" y="{top + 12}" class="label" text-anchor="end">{html.escape(shown)}</text>',
            f'<rect x="{LABEL}" y="{top}" width="{room * whole / most:.1f}" height="15" class="whole"/>',
            f'<rect x="{LABEL}" y="{top}" width="{room * part / most:.1f}" height="15" class="part"/>',
            f'<text x="{LABEL + room * whole / most + 6:.1f}" y="{top + 12}" class="value">{html.escape(text)}'
            "</text></g>",
        ]
    return "".join([*parts, "</svg>"])


def over_time(points: Sequence[Sequence[float]], title: str) -> str:
    """Cases as a line over seconds, and a tick below it whenever some had failed; a point: seconds, cases,
    failures."""
    height, left, bottom = 180, 60, 24
    end = max(point[0] for point in points) or 1
    most = max(point[1] for point in points) or 1

    def x(seconds: float) -> float:
        return left + (WIDTH - left - 12) * seconds / end

    def y(count: float) -> float:
        return (height - bottom) - (height - bottom - 14) * count / most

    line = " ".join(f"{x(seconds):.1f},{y(count):.1f}" for seconds, count, _ in [(0, 0, 0), *points])
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html.escape(title)}">',
        f'<line x1="{left}" y1="{y(0)}" x2="{WIDTH - 12}" y2="{y(0)}" class="axis"/>',
        f'<text x="{left - 6}" y="{y(0)}" class="label" text-anchor="end">0</text>',
        f'<text x="{left - 6}" y="{y(most) + 8}" class="label" text-anchor="end">{most:,}</text>',
        f'<text x="{WIDTH - 12}" y="{height - 2}" class="label" text-anchor="end">{end:,.1f} s</text>',
        f'<text x="{left}" y="{height - 2}" class="value">ticks: failures</text>',
        f'<polyline points="{line}" class="curve"/>',
    ]
    failed = 0
    for seconds, _, failures in points:
        if failures > failed:
            place = f'x1="{x(seconds):.1f}" x2="{x(seconds):.1f}" y1="{y(0) + 1}" y2="{y(0) + 8}"'
            told = f"{failures:,} failures after {seconds:,.1f} s"
            parts.append(f'<line {place} class="tick"><title>{told}</title></line>')
            failed = int(failures)
    return "".join([*parts, "</svg>"])
