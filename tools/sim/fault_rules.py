"""Fault rules as text (`interrupt.late:probability=0.01:amount=1000-5000`) and as TOML plans.

A rule is kept as it was written and checked against what the simulator says it can do. A plan is a
file of `[[fault]]` tables with the same keys and `name`, and `swarm` and `seed` above them.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.sim import ranges
from tools.sim.refusal import Refused, nearest

KEYS = ("probability", "at", "from", "until", "amount", "cpu", "limit")
PLAN_KEYS = ("fault", "swarm", "seed")
# Plans of workloads, by their names; and the word for no plan.
PLANS = Path(__file__).resolve().parent / "plans"
NO_PLAN = "none"
# What faults between machines begin with.
LINKS = "link."


@dataclass(frozen=True)
class Rule:
    """One rule. Its values are text, as the simulator reads them; `at` are occurrences from 1."""

    name: str
    probability: str = ""
    at: tuple[int, ...] = ()
    values: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        """The rule as `--fault` takes it."""
        parts = [self.name]
        if self.probability:
            parts.append(f"probability={self.probability}")
        if self.at:
            parts.append("at=" + ",".join(map(str, self.at)))
        return ":".join([*parts, *(f"{key}={value}" for key, value in self.values)])

    def exactly(self, occurrences: tuple[int, ...]) -> Rule:
        """The same fault at these occurrences alone, wherever and whenever they are."""
        amount = tuple(pair for pair in self.values if pair[0] == "amount")
        return dataclasses.replace(self, probability="", at=occurrences, values=amount)


@dataclass(frozen=True)
class Plan:
    """What a plan file says."""

    rules: tuple[Rule, ...]
    swarm: bool
    seed: int | None


def _check_values(values: dict[str, str], where: str) -> None:
    """Refuses values that no rule can have, whichever fault it is about."""
    if "probability" in values:
        text = values["probability"]
        if not re.fullmatch(r"\d*\.?\d+(e-?\d+)?", text) or not 0 < float(text) <= 1:
            raise Refused(f"{where}: probability={text} is not above 0 and at most 1")
    if ("probability" in values) == ("at" in values):
        raise Refused(f"{where}: a rule has either probability= or at=")
    times = {key: ranges.nanoseconds(values[key], f"{where}: {key}") for key in ("from", "until") if key in values}
    if len(times) == 2 and times["from"] >= times["until"]:
        raise Refused(f"{where}: from={values['from']} is not before until={values['until']}")
    if "amount" in values:
        ends = re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", values["amount"])
        if not ends or int(ends[2] or ends[1]) < int(ends[1]):
            raise Refused(f"{where}: amount={values['amount']} is neither N nor LOW-HIGH")
    if "cpu" in values:
        ranges.number(values["cpu"], f"{where}: cpu", 0, 4095)
    if "limit" in values:
        ranges.number(values["limit"], f"{where}: limit", 1)


def _occurrences(text: str, where: str) -> tuple[int, ...]:
    found = [ranges.number(part, f"{where}: at", 1) for part in text.split(",")]
    if len(set(found)) != len(found):
        raise Refused(f"{where}: at={text} names an occurrence twice")
    return tuple(sorted(found))


def _rule(name: str, values: dict[str, str], where: str) -> Rule:
    _check_values(values, where)
    at = _occurrences(values["at"], where) if "at" in values else ()
    rest = tuple((key, values[key]) for key in KEYS[2:] if key in values)
    return Rule(name, values.get("probability", ""), at, rest)


def parse(text: str) -> Rule:
    """The rule that `text` says. Raises Refused if it says none."""
    where = f"--fault {text}"
    name, *parts = text.split(":")
    values: dict[str, str] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals or not value:
            raise Refused(f"{where}: '{part}' is not key=value")
        if key not in KEYS:
            raise Refused(f"{where}: unknown key '{key}'{nearest(key, KEYS)} (there are: {' '.join(KEYS)})")
        if key in values:
            raise Refused(f"{where}: {key} is there twice")
        values[key] = value
    return _rule(name, values, where)


def _value_text(value: Any, key: str, where: str) -> str:
    """A value of TOML as a rule writes it."""
    if key == "at" and isinstance(value, list):
        return ",".join(_value_text(one, "", where) for one in value)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise Refused(f"{where}: {key} has a value of the wrong kind")
    if isinstance(value, float):
        return f"{value:.12f}".rstrip("0").rstrip(".")
    return str(value)


def own_plan(workload: str | None) -> Path | None:
    """The plan that a workload is run with where a command names no faults, if it has one."""
    path = PLANS / f"{workload}.toml"
    return path if path.is_file() else None


def read_plan(path: str) -> Plan:
    """The plan in a file. Raises Refused, naming the file, if it is not there or no plan."""
    try:
        with open(path, "rb") as file:
            content = tomllib.load(file)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Refused(f"--faults {path}: {reason}") from error
    for key in content:
        if key not in PLAN_KEYS:
            raise Refused(f"--faults {path}: unknown key '{key}'{nearest(key, PLAN_KEYS)}")
    tables = content.get("fault", [])
    swarm, seed = content.get("swarm", False), content.get("seed")
    if not isinstance(swarm, bool) or not (seed is None or type(seed) is int and seed >= 0):
        raise Refused(f"--faults {path}: swarm is true or false, seed a number")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise Refused(f"--faults {path}: faults are tables that begin with [[fault]]")
    if not tables and not swarm:
        raise Refused(f"--faults {path}: nothing can fail under it; add a [[fault]], or swarm = true")
    return Plan(tuple(_table_rule(table, path, n) for n, table in enumerate(tables, 1)), swarm, seed)


def _table_rule(table: dict[str, Any], path: str, index: int) -> Rule:
    where = f"--faults {path}: fault {index}"
    name = table.get("name")
    if not isinstance(name, str):
        raise Refused(f"{where} has no name")
    for key in table:
        if key not in (*KEYS, "name"):
            raise Refused(f"{where}: unknown key '{key}'{nearest(key, KEYS)}")
    values = {key: _value_text(value, key, where) for key, value in table.items() if key != "name"}
    return _rule(name, values, where)


def check_known(rules: tuple[Rule, ...], units: dict[str, str], cpus: int, machines: int = 1) -> None:
    """Refuses rules about faults that the simulator does not have (`units`: the unit of each), about
    processors that the case does not have, and the same rule twice. Of several machines there are faults of
    links alone, whose `cpu` is the machine that sends."""
    what, count = ("machines", machines) if machines > 1 else ("processors", cpus)
    seen: set[Rule] = set()
    for rule in rules:
        if rule.name not in units:
            raise Refused(f"unknown fault '{rule.name}'{nearest(rule.name, units)} (./twofold sim --list)")
        values = dict(rule.values)
        if "amount" in values and units[rule.name] == "none":
            raise Refused(f"fault {rule.text()}: {rule.name} has no amount")
        if machines > 1 and not rule.name.startswith(LINKS):
            raise Refused(f"fault {rule.text()}: between {machines} machines there are faults of links alone, "
                          f"{LINKS}lost and others")
        if int(values.get("cpu", 0)) >= count:
            raise Refused(f"fault {rule.text()}: there are {what} 0 to {count - 1}")
        if rule in seen:
            raise Refused(f"fault {rule.text()} is there twice")
        seen.add(rule)
