"""The command line of `./twofold sim`: options read, checked against each other, and made a case.

Whatever is wrong raises Refused with one line. What is not known here is for `twofold-simulator run`.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

from tools.sim import fault_rules, ranges
from tools.sim.campaign import Limits
from tools.sim.case import Case
from tools.sim.catalogue import Catalogue
from tools.sim.ranges import Shard
from tools.sim.refusal import Refused, nearest
from tools.sim.shrink import Bounds

SEEDS_BY_ITSELF = (1, 1000)
CASE_SECONDS = 60.0
SHRINK_RUNS = 5_000
SHRINK_SECONDS = 60.0
REPEATS = 10
JOBS_MOST = 4096
# What a case can have (sim/case/case.hpp).
CPUS_MOST = 64
MACHINES_MOST = 6
THREADS_MOST = 256
STANDARD_OUTPUT = "-"

_EPILOG = """\
other uses:
  ./twofold sim --list [--json]            workloads, faults, points, operations that can be flipped
  ./twofold sim merge STATE...             join the states of shards: one report
  ./twofold sim bugs [NAME|NUMBER...]      find every seeded bug
  ./twofold sim canary                     one seeded bug that must be caught
  ./twofold sim diff A B                   the first event at which two recordings differ
one case, and with it:
  --record FILE, --replay FILE             keep a run; repeat and compare it
  --until-event N [--gdb]                  stop at an event, say where the processors stand; in gdb
  --trace FILE                             for https://ui.perfetto.dev
  --save-schedule FILE, --follow-schedule FILE, --output
Status: 0 no failure; 1 a failure; 2 usage; 69 no simulator; 130 interrupted without a failure."""


class Parser(argparse.ArgumentParser):
    """Errors are Refused, so that they are one line."""

    def error(self, message: str):
        raise Refused(f"{message} (./twofold sim --help)")

    def words(self) -> list[str]:
        """All options."""
        return [word for action in self._actions for word in action.option_strings if word.startswith("--")]

    def unknown(self, word: str) -> Refused:
        """The refusal of an option or argument that does not exist."""
        name = word.partition("=")[0]
        what = "option" if word.startswith("-") else "argument"
        return Refused(f"unknown {what} '{name}'{nearest(name, self.words())} (./twofold sim --help)")


def add_program(parser: Parser) -> None:
    """Options that all uses of a simulator have."""
    parser.add_argument("--simulator", metavar="PATH", help="use this program instead of the one that is built")
    add = parser.add_argument
    add("--case-time", metavar="TIME", help="processor time after which a case hangs (60s)")
    add("--jobs", "-j", metavar="N", help="processes beside each other (as many as there are processors)")


def add_outputs(parser: Parser) -> None:
    """Options about reports."""
    parser.add_argument("--json", metavar="FILE", nargs="?", const=STANDARD_OUTPUT, help="write JSON (-: print it)")
    parser.add_argument("--html", metavar="FILE", help="write a page")


def _add_case(parser: Parser) -> None:
    case = parser.add_argument_group("the case")
    case.add_argument("--seed", metavar="N", help="one case")
    case.add_argument("--seeds", metavar="A..B", help="a case for each of these seeds (1..1000)")
    case.add_argument("--machines", metavar="N", help="machines, of a workload for several that links join")
    case.add_argument("--cpus", metavar="N", help="processors of each machine")
    case.add_argument("--threads", metavar="N", help="threads that perform the operations in turn")
    case.add_argument("--operations", metavar="N", help="how many operations there are")
    case.add_argument("--keep", metavar="RANGES", help="perform these alone: 0-5,9")
    case.add_argument("--schedule", metavar="S", help="random, pct:DEPTH or exhaustive:PREEMPTIONS")
    case.add_argument("--fault", metavar="RULE", action="append", default=[], help="NAME:key=value..., repeatable")
    case.add_argument("--faults", metavar="FILE", help="the faults of a plan in TOML; none: not the workload's own")
    case.add_argument("--fault-seed", metavar="N", help="what draws of faults are made from (the seed)")
    case.add_argument("--swarm", action="store_true", help="each seed enables some of the faults")
    case.add_argument("--costs", metavar="C", help="the table of costs")
    case.add_argument("--mutant", metavar="M", help="flip this operation")


def _add_campaign(parser: Parser) -> None:
    more = parser.add_argument_group("the campaign")
    more.add_argument("--time", metavar="TIME", help="search no longer than this: 10m")
    more.add_argument("--twice", action="store_true", help="run each seed in two places, compare, and nothing else")
    more.add_argument("--stop-after", metavar="N", help="end at the Nth failure")
    more.add_argument("--shard", metavar="I/N", help="the Ith of N parts of the seeds; slurm: that of this task")
    more.add_argument("--state", metavar="FILE", help="keep what was done, and go on from there next time")
    more.add_argument("--no-shrink", action="store_true", help="leave failing cases as they are")
    more.add_argument("--shrink-runs", metavar="N", help=f"at most so many runs a failure ({SHRINK_RUNS})")
    more.add_argument("--shrink-time", metavar="TIME", help=f"at most so long a failure ({SHRINK_SECONDS:.0f}s)")
    more.add_argument("--repeats", metavar="N", help=f"how often to run a reproduction ({REPEATS})")


def parser() -> Parser:
    """The parser of `./twofold sim WORKLOAD`."""
    made = Parser(
        prog="./twofold sim",
        description="Run a workload on a simulated machine under many seeds, find failures, make them small.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("workload", nargs="?", metavar="WORKLOAD")
    made.add_argument("--list", action="store_true", help="list what the simulator has")
    _add_case(made)
    _add_campaign(made)
    add_outputs(made)
    add_program(made)
    return made


CAMPAIGN_ONLY = ("time", "stop_after", "shard", "state", "html", "shrink_runs", "shrink_time", "repeats")


def is_single(options: argparse.Namespace) -> bool:
    """Whether one case is asked for. Refuses what is of one case and of a campaign at once."""
    if options.seed is None:
        return False
    if options.seeds is not None:
        raise Refused("--seed is one case and --seeds is many: give one of them")
    for name in CAMPAIGN_ONLY:
        if getattr(options, name) is not None:
            raise Refused(f"--{name.replace('_', '-')} is for a campaign: give --seeds instead of --seed")
    return True


def jobs(options: argparse.Namespace) -> int:
    """How many processes."""
    if options.jobs is None:
        return len(os.sched_getaffinity(0))
    return ranges.number(options.jobs, "--jobs", 1, JOBS_MOST)


def case_seconds(options: argparse.Namespace) -> float:
    """When a case hangs."""
    return CASE_SECONDS if options.case_time is None else ranges.seconds(options.case_time, "--case-time")


def bounds(options: argparse.Namespace) -> Bounds:
    """How much shrinking may cost."""
    runs, time = options.shrink_runs, options.shrink_time
    return Bounds(
        SHRINK_RUNS if runs is None else ranges.number(runs, "--shrink-runs", 1),
        SHRINK_SECONDS if time is None else ranges.seconds(time, "--shrink-time"),
    )


def repeats(options: argparse.Namespace) -> int:
    return REPEATS if options.repeats is None else ranges.number(options.repeats, "--repeats", 0, 100_000)


def seeds(options: argparse.Namespace) -> tuple[int, int]:
    """First and last seed. A range without end needs another end."""
    if options.seeds is None:
        return SEEDS_BY_ITSELF if options.time is None else (1, ranges.SEED_LAST)
    found = ranges.seeds(options.seeds)
    if options.seeds.endswith("..") and options.time is None and options.stop_after is None:
        raise Refused(f"--seeds: {options.seeds} does not end: give --time or --stop-after, too")
    return found


@dataclass(frozen=True)
class Faults:
    """What `--faults`, `--fault`, `--fault-seed` and `--swarm` say together, the rules in this order."""

    rules: tuple[fault_rules.Rule, ...]
    swarm: bool
    seed: int | None


def plan_path(options: argparse.Namespace) -> str | None:
    """The file whose plan is in force."""
    if options.faults == fault_rules.NO_PLAN:
        return None
    if options.faults is None and not options.fault and not options.swarm:
        own = fault_rules.own_plan(options.workload)
        return None if own is None else str(own)
    return options.faults


def faults(options: argparse.Namespace) -> Faults:
    """The faults asked for; where nothing is said of them, those of the workload's own plan."""
    rules = tuple(fault_rules.parse(text) for text in options.fault)
    seed = None if options.fault_seed is None else ranges.number(options.fault_seed, "--fault-seed")
    path = plan_path(options)
    if path is None:
        return Faults(rules, options.swarm, seed)
    plan = fault_rules.read_plan(path)
    return Faults((*plan.rules, *rules), options.swarm or plan.swarm, plan.seed if seed is None else seed)


def case(options: argparse.Namespace, catalogue: Catalogue) -> Case:
    """The case that the options say, checked; its seed is --seed or 0."""
    workload = catalogue.workload(options.workload)
    asked = faults(options)

    def count(name: str, most: int) -> int:
        text = getattr(options, name)
        return getattr(workload, name) if text is None else ranges.number(text, f"--{name}", 1, most)

    machines = count("machines", MACHINES_MOST)
    if machines > 1 and workload.machines == 1:
        raise Refused(f"--machines: the workload {workload.name} is of one machine")
    made = Case(
        workload.name,
        0 if options.seed is None else ranges.number(options.seed, "--seed"),
        count("cpus", CPUS_MOST),
        count("threads", THREADS_MOST),
        count("operations", ranges.OPERATIONS_MOST),
        None if options.keep is None else ranges.operations(options.keep, "--keep"),
        options.schedule or "random",
        asked.rules,
        asked.seed,
        asked.swarm,
        options.costs or "",
        options.mutant or "",
        None if workload.machines == 1 else machines,
    )
    catalogue.check(made)
    return made


def shard(options: argparse.Namespace, environment: dict[str, str]) -> Shard:
    """The part of the seeds that is this process's."""
    if options.shard is None:
        return Shard()
    if options.shard == "slurm":
        return slurm_shard(environment)
    return ranges.shard(options.shard)


def slurm_shard(environment: dict[str, str]) -> Shard:
    """The part of this task of a Slurm job array, whose numbers may begin anywhere and have a step."""
    values = {}
    for name in ("ID", "COUNT", "MIN", "MAX", "STEP"):
        text = environment.get(f"SLURM_ARRAY_TASK_{name}", "")
        if text or name in ("ID", "COUNT", "MIN"):
            values[name] = ranges.number(text, f"--shard slurm: SLURM_ARRAY_TASK_{name}")
    step = max(values.get("STEP", 1), 1)
    count, first = values["COUNT"], values["MIN"]
    if values.get("MAX", first + step * (count - 1)) != first + step * (count - 1):
        raise Refused("--shard slurm: the numbers of the array leave some out; use an array such as 0-7")
    index, rest = divmod(values["ID"] - first, step)
    if rest or not 0 <= index < count:
        raise Refused(f"--shard slurm: task {values['ID']} is not one of {count} from {first} on")
    return Shard(index + 1, count)


def limits(options: argparse.Namespace) -> Limits:
    """When the search ends before its seeds do."""
    return Limits(
        None if options.time is None else ranges.seconds(options.time, "--time"),
        None if options.stop_after is None else ranges.number(options.stop_after, "--stop-after", 1),
    )
