"""What a simulator has: its workloads, faults, points, flippable operations and costs (`--describe`)."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from typing import Any

from tools.sim import fault_rules
from tools.sim.case import Case
from tools.sim.refusal import Refused, Unavailable, nearest, one_line

DESCRIBE_SECONDS = 60


@dataclass(frozen=True)
class Workload:
    """One workload, with what a case of it has unless something else is asked for."""

    name: str
    about: str
    operations: int
    cpus: int
    threads: int
    machines: int = 1


@dataclass(frozen=True)
class Catalogue:
    """The answer of `--describe`; `raw` is it as it came."""

    build: str
    workloads: dict[str, Workload]
    units: dict[str, str]
    mutants: tuple[str, ...]
    costs: tuple[str, ...]
    raw: dict[str, Any]

    def workload(self, name: str) -> Workload:
        """The workload of that name. Raises Refused, with a suggestion."""
        if name not in self.workloads:
            raise Refused(f"unknown workload '{name}'{nearest(name, self.workloads)} (./twofold sim --list)")
        return self.workloads[name]

    def check(self, case: Case) -> None:
        """Refuses a case that names what this simulator does not have."""
        self.workload(case.workload)
        if case.mutant and case.mutant not in self.mutants:
            raise Refused(f"--mutant: no operation '{case.mutant}' can be flipped{nearest(case.mutant, self.mutants)}")
        if case.costs and case.costs not in self.costs:
            raise Refused(f"--costs: unknown table '{case.costs}'; there are: {' '.join(self.costs)}")
        if not re.fullmatch(r"random|(pct|exhaustive):\d{1,6}", case.schedule):
            raise Refused(f"--schedule: '{case.schedule}' is not random, pct:DEPTH or exhaustive:PREEMPTIONS")
        if case.keep and case.keep[-1] >= case.operations:
            raise Refused(f"--keep: operation {case.keep[-1]} is not among the {case.operations}, 0 to "
                          f"{case.operations - 1}")
        machines = case.machines or 1
        if machines > 1 and case.schedule != "random":
            raise Refused(f"--schedule: {case.schedule} is of one machine, and the case has {machines}")
        fault_rules.check_known(case.faults, self.units, case.cpus, machines)


def describe(program: str) -> Catalogue:
    """Asks a simulator what it has. Raises Unavailable if it does not say so."""
    try:
        done = subprocess.run(
            [program, "--describe"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=DESCRIBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"the simulator {os.fspath(program)} does not run: {one_line(str(error))}") from error
    if done.returncode != 0:
        said = one_line(done.stderr) or "it said nothing"
        raise Unavailable(f"{program} --describe ended with status {done.returncode}: {said}")
    try:
        raw = json.loads(done.stdout)
        workloads = [
            Workload(one["name"], one["about"], one["operations"], one["cpus"], one["threads"], one.get("machines", 1))
            for one in raw["workloads"]
        ]
        units = {one["name"]: one.get("unit", "none") for one in raw["faults"]}
        units |= {f"points.{point}": "none" for point in raw["points"]}
        table = {one.name: one for one in workloads}
        return Catalogue(str(raw["build"]), table, units, tuple(raw["mutants"]), tuple(raw["costs"]), raw)
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"{program} --describe says nothing that is understood: {error!r}") from error


def listing(catalogue: Catalogue) -> str:
    """The catalogue for a person."""
    lines = [f"{'workload':<16} {'operations':>10} {'cpus':>5} {'threads':>8} {'machines':>8}  what it does"]
    for one in catalogue.workloads.values():
        numbers = f"{one.operations:>10} {one.cpus:>5} {one.threads:>8} {one.machines:>8}"
        lines.append(f"{one.name:<16} {numbers}  {one.about}")
    lines += ["", f"{'fault':<24} {'unit':<7} what it does"]
    for fault in catalogue.raw["faults"]:
        lines.append(f"{fault['name']:<24} {fault.get('unit', 'none'):<7} {fault.get('about', '')}")
    for title, names in (
        ("points (faults called points.NAME)", catalogue.raw["points"]),
        ("costs", catalogue.costs),
        ("operations that can be flipped (--mutant)", catalogue.mutants),
    ):
        lines += ["", f"{title}: {' '.join(names) or 'none'}"]
    return "\n".join(lines)
