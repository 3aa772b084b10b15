"""A case: one run of a workload, exactly; and an outcome: what it came to.

A case travels as JSON to the simulator (`message`), into reports (`json`), and to people as the options
of a command (`options`). An outcome is the simulator's answer, a dictionary as it is.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from dataclasses import dataclass
from typing import Any

from tools.sim import fault_rules, ranges
from tools.sim.fault_rules import Rule

Outcome = dict[str, Any]

# The outcome of a case that the simulator does not take; its `error` says why.
REFUSED = "refused"


@dataclass(frozen=True)
class Case:
    """Everything that decides a run. `keep` None means all operations; `fault_seed` is that of the draws of
    faults, None the case's own; `machines` None: the workload is of one machine."""

    workload: str
    seed: int = 1
    cpus: int = 1
    threads: int = 1
    operations: int = 1
    keep: tuple[int, ...] | None = None
    schedule: str = "random"
    faults: tuple[Rule, ...] = ()
    fault_seed: int | None = None
    swarm: bool = False
    costs: str = ""
    mutant: str = ""
    machines: int | None = None

    def json(self) -> dict[str, Any]:
        """The case as the protocol of the simulator has it, without an id."""
        message: dict[str, Any] = {
            "workload": self.workload,
            "seed": self.seed,
            "cpus": self.cpus,
            "threads": self.threads,
            "operations": self.operations,
            "schedule": self.schedule,
        }
        if self.machines is not None:
            message["machines"] = self.machines
        if self.keep is not None:
            message["keep"] = ranges.text_of(self.keep)
        if self.faults:
            message["faults"] = [rule.text() for rule in self.faults]
        if self.fault_seed is not None:
            message["fault_seed"] = self.fault_seed
        if self.swarm:
            message["swarm"] = True
        if self.costs:
            message["costs"] = self.costs
        if self.mutant:
            message["mutant"] = self.mutant
        return message

    @staticmethod
    def from_json(message: dict[str, Any]) -> Case:
        """The inverse of json(). Raises KeyError, TypeError or Refused for anything else."""
        keep = message.get("keep")
        return Case(
            message["workload"],
            message["seed"],
            message["cpus"],
            message["threads"],
            message["operations"],
            None if keep is None else ranges.operations(keep, "keep"),
            message["schedule"],
            tuple(fault_rules.parse(text) for text in message.get("faults", [])),
            message.get("fault_seed"),
            message.get("swarm", False),
            message.get("costs", ""),
            message.get("mutant", ""),
            message.get("machines"),
        )

    def options(self) -> list[str]:
        """The words behind `./twofold sim` that are this case, defaults spelt out."""
        words = [self.workload, "--seed", str(self.seed), "--operations", str(self.operations)]
        if self.keep is not None:
            words += ["--keep", ranges.text_of(self.keep)]
        if self.machines is not None:
            words += ["--machines", str(self.machines)]
        words += ["--cpus", str(self.cpus), "--threads", str(self.threads)]
        words += ["--schedule", self.schedule]
        for rule in self.faults:
            words += ["--fault", rule.text()]
        if self.fault_seed is not None:
            words += ["--fault-seed", str(self.fault_seed)]
        if self.swarm:
            words.append("--swarm")
        if not self.faults and not self.swarm and fault_rules.own_plan(self.workload):
            words += ["--faults", fault_rules.NO_PLAN]
        if self.costs:
            words += ["--costs", self.costs]
        if self.mutant:
            words += ["--mutant", self.mutant]
        return words

    def kept(self) -> tuple[int, ...]:
        """The operations that are performed."""
        return tuple(range(self.operations)) if self.keep is None else self.keep

    def performers(self) -> int:
        """How many threads perform operations, on all machines together: operation i is that of i modulo them."""
        return self.threads * (self.machines or 1)

    def with_seed(self, seed: int) -> Case:
        """The same case under another seed."""
        return dataclasses.replace(self, seed=seed)


def failed(outcome: Outcome) -> bool:
    """Whether the case failed."""
    return outcome["outcome"] == "failed"


def failure(kind: str, text: str, report: str = "") -> Outcome:
    """The outcome of a case that the simulator did not live to answer."""
    return {"outcome": "failed", "failure": {"kind": kind, "text": text, "report": report}}


def malformed(outcome: Any) -> bool:
    """Whether the simulator's answer is not what its protocol says, as far as it is read here."""
    if not isinstance(outcome, dict) or outcome.get("outcome") not in ("passed", "failed"):
        return True
    if outcome["outcome"] == "failed":
        what = outcome.get("failure")
        if not isinstance(what, dict) or not all(isinstance(what.get(key), str) for key in ("kind", "text")):
            return True
    numbers = (outcome.get(key, 0) for key in ("events", "virtual_ns", "host_ns"))
    tables = [outcome.get(key, {}) for key in ("faults", "points")]
    if not all(isinstance(one, int) for one in numbers):
        return True
    return not all(isinstance(table, dict) and all(isinstance(x, dict) for x in table.values()) for table in tables)


def normal_text(text: str) -> str:
    """The text of a failure without what differs from run to run: numbers become N, lists of them N..."""
    flat = " ".join(text.split())
    flat = re.sub(r"0x[0-9a-fA-F]+", "N", flat)
    flat = re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b", "N", flat)
    flat = re.sub(r"-?\d+(?:\.\d+)?", "N", flat)
    return re.sub(r"N(?:(?:, ?| )N)+", "N...", flat)


def signature(outcome: Outcome) -> str:
    """What makes two failures the same: the kind and the text with its numbers taken out."""
    what = outcome["failure"]
    return f"{what['kind']}: {normal_text(what['text'])}"


def short_id(text: str) -> str:
    """Eight digits that stand for a signature, the same everywhere."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def fired(outcome: Outcome) -> dict[str, tuple[int, ...]]:
    """The occurrences at which each fault fired; faults that did not are left out."""
    found = {name: tuple(entry.get("fired", ())) for name, entry in outcome.get("faults", {}).items()}
    return {name: occurrences for name, occurrences in found.items() if occurrences}
