"""The page of a campaign (`--html`): one file that needs no other, for light and dark screens.

Everything in it comes from the document of findings.py; texts of failures are escaped.
"""

from __future__ import annotations

import html
from typing import Any

from tools.sim import charts, terminal
from tools.sim.progress import counted, duration

ROWS_DRAWN = 40

_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1b1f24; --soft: #5b6570; --line: #d8dee4;
  --panel: #f5f7f9; --good: #1a7f37; --bad: #c02626; --part: #2463c4; --whole: #c3d5f0; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171b; --text: #e4e8ec; --soft: #98a3ae;
  --line: #323a43; --panel: #1d2228; --good: #57c06f; --bad: #ff7b72; --part: #6ea8fe; --whole: #2b4468; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; background: var(--ground);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .4rem 0; } .soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
pre { background: var(--ground); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem;
  white-space: pre-wrap; overflow-wrap: anywhere; margin: .5rem 0; }
.figures { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0; }
.figures div { background: var(--panel); border-radius: 6px; padding: .5rem .9rem; }
.figures b { display: block; font-size: 1.2rem; font-variant-numeric: tabular-nums; }
.failure { background: var(--panel); border-left: 4px solid var(--bad); border-radius: 6px;
  padding: .8rem 1rem; margin: .8rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; color: var(--soft); white-space: nowrap; } td.number, th.number { text-align: right; }
details summary { cursor: pointer; color: var(--soft); }
svg { width: 100%; height: auto; max-width: 46rem; }
svg text { font: 12px system-ui, sans-serif; fill: var(--text); } svg .value { fill: var(--soft); }
svg .whole { fill: var(--whole); } svg .part { fill: var(--part); } svg .axis { stroke: var(--line); }
svg .curve { fill: none; stroke: var(--part); stroke-width: 2; } svg .tick { stroke: var(--bad); stroke-width: 2; }
"""


def page(document: dict[str, Any]) -> str:
    """The page."""
    title = f"{document['case']['workload']}: {counted(document['totals']['failed'], 'failure')}"
    body = [
        _head(document),
        _failures(document),
        _time(document),
        _table_of(document, "faults", "Fault kinds", "asked", "asked for"),
        _table_of(document, "points", "Fault points", "reached", "reached"),
        _about(document),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body></html>\n"
    )


def _figure(name: str, value: str, kind: str = "") -> str:
    return f'<div><b class="{kind}">{html.escape(value)}</b><span class="soft">{html.escape(name)}</span></div>'


def _head(document: dict[str, Any]) -> str:
    totals, measured = document["totals"], document["measured"]
    figures = [
        _figure("cases", f"{totals['cases']:,}"),
        _figure("failed", f"{totals['failed']:,}", "bad" if totals["failed"] else "good"),
        _figure("kinds of failure", f"{len(document['failures']):,}"),
        _figure("events", f"{totals['events']:,}"),
        _figure("virtual time", terminal.virtual(totals["virtual_ns"])),
        _figure("time", duration(measured.get("wall_s", 0))),
    ]
    if measured.get("cases_per_s"):
        figures.append(_figure("cases a second", f"{measured['cases_per_s']:,.0f}"))
    seeds = document["seeds"]
    done = f"Seeds {terminal.spans_text(seeds['done']) or 'none'}"
    if seeds["shard"][1] > 1:
        done += f", part {seeds['shard'][0]} of {seeds['shard'][1]} of {terminal.spans_text([seeds['asked']])}"
    return (
        f"<h1>Campaign: {html.escape(document['case']['workload'])}</h1>"
        f'<p class="soft">{html.escape(done)}; {html.escape(document["ended"])}</p>'
        f"<pre>{html.escape(document['command'])}</pre><div class=\"figures\">{''.join(figures)}</div>"
    )


def _failures(document: dict[str, Any]) -> str:
    failures = document["failures"]
    if not failures:
        return '<h2>Failures</h2><p class="good">No case failed.</p>'
    rows = [(one["signature"], one["count"], one["count"], f"{one['count']:,}") for one in failures]
    return (
        f"<h2>Failures by signature</h2>{charts.bars(rows, 'failures by signature')}"
        f"<h2>Failures</h2>{''.join(_failure(one) for one in failures)}"
    )


def _failure(one: dict[str, Any]) -> str:
    shrunk, again = one["shrunk"], one["reproduction"]
    outcome = (shrunk or one)["outcome"]
    what = outcome["failure"]
    facts = [f"{counted(one['count'], 'case')}, seeds {', '.join(map(str, one['seeds'][:12]))}"
             + (" and more" if one["count"] > 12 else "")]
    if shrunk and shrunk["repeats"]:
        facts.append(f"shrunk to {counted(shrunk['operations'], 'operation')} in {counted(shrunk['runs'], 'run')}"
                     + ("" if shrunk["whole"] else ", not to the end"))
    elif shrunk:
        facts.append("did not fail again when it was run again")
    if "runs" in again:
        facts.append(f"reproduced {again['same']} of {again['runs']}")
    if "hash" in outcome:
        facts.append(f"hash {outcome['hash']}")
    report = str(what.get("report", "")).strip()
    shown = f"<details open><summary>report</summary><pre>{html.escape(report)}</pre></details>" if report else ""
    return (
        f'<section class="failure" id="{html.escape(one["id"])}"><h3><span class="bad">{html.escape(what["kind"])}'
        f'</span> {html.escape(what["text"])}</h3><p class="soft">{html.escape("; ".join(facts))}</p>'
        f"<pre>{html.escape(again['command'])}</pre>{shown}</section>"
    )


def _time(document: dict[str, Any]) -> str:
    points = document["measured"].get("timeline") or []
    if len(points) < 2:
        return ""
    return f"<h2>Cases over time</h2>{charts.over_time(points, 'cases over time')}"


def _table_of(document: dict[str, Any], key: str, title: str, of: str, of_title: str) -> str:
    """A chart and a table of what could fire and did."""
    table = document[key]
    if not table:
        return ""
    rows = sorted(table.items(), key=lambda item: (-item[1].get("fired", 0), item[0]))
    shown = []
    for name, one in rows[:ROWS_DRAWN]:
        fired = one.get("fired", 0)
        whole = one.get(of, 0) if key == "points" else fired
        shown.append((name, fired, max(whole, fired), f"{fired:,} of {one.get(of, 0):,}"))
    cells = "".join(
        f'<tr><td><code>{html.escape(name)}</code></td><td class="number">{one.get("fired", 0):,}</td>'
        f'<td class="number">{one.get(of, 0):,}</td></tr>'
        for name, one in rows
    )
    return (
        f"<h2>{title} that fired</h2>{charts.bars(shown, title)}<details><summary>all of them</summary><table><tr>"
        f'<th>name</th><th class="number">fired</th><th class="number">{of_title}</th></tr>{cells}</table></details>'
    )


def _about(document: dict[str, Any]) -> str:
    facts = {"build": document["build"], **document["case"]}
    if document["measured"].get("finished_at"):
        facts["finished"] = document["measured"]["finished_at"]
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>"
        f"{html.escape(' '.join(map(str, value)) if isinstance(value, list) else str(value))}</td></tr>"
        for name, value in facts.items()
    )
    return f"<h2>What was run</h2><table>{rows}</table>"
