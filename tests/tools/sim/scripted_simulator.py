#!/usr/bin/env -S python3 -S -E
"""A simulator whose failures are known, for the tests of campaigns: it speaks the protocol of twofold-simulator.

Each workload fails in one way, said in its `about`. The variable SCRIPTED_FOLDER names a folder: a case whose seed
has a FIFO there (`seed-N`) waits until a test has opened and closed it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import zlib

FOLDER = os.environ.get("SCRIPTED_FOLDER", "/nonexistent")
OCCURRENCES = 200


def kept(case: dict) -> set[int]:
    """The operations of a case."""
    if case.get("keep") is None:
        return set(range(case["operations"]))
    found: set[int] = set()
    for part in case["keep"].split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def fired(case: dict) -> dict[str, list[int]]:
    """The occurrences at which each fault fires; a swarm leaves out a rule for half of the seeds."""
    found: dict[str, set[int]] = {}
    for text in case.get("faults", []):
        name, *pairs = text.split(":")
        values = dict(pair.split("=") for pair in pairs)
        occurrences = found.setdefault(name, set())
        if "at" in values:
            occurrences.update(int(one) for one in values["at"].split(","))
        elif not case.get("swarm") or drawn(case["seed"], name, 0) < 0.5:
            chance = float(values["probability"])
            occurrences.update(n for n in range(1, OCCURRENCES + 1) if drawn(case["seed"], name, n) < chance)
    return {name: sorted(one for one in some if one <= OCCURRENCES) for name, some in found.items()}


def over(case: dict, is_failed: bool) -> list[int]:
    """The operations that were over: a `pair` that fails is at its last needed one, other threads are no further."""
    last = 20 + case["seed"] % 7 if is_failed and case["workload"] == "pair" else case["operations"]
    return sorted(one for one in kept(case) if one < last)


def asked(case: dict) -> int:
    """How often a case asks for each fault."""
    return 3 * len(kept(case)) if case["workload"] == "timed" else OCCURRENCES


def drawn(*what: object) -> float:
    """A number from 0 to 1 that `what` alone decides."""
    return zlib.crc32(repr(what).encode()) * 2654435761 % 2**32 / 2**32


def meet(case: dict) -> None:
    """Waits for the test at the FIFO of this seed, if there is one."""
    fifo = f"{FOLDER}/seed-{case['seed']}"
    if os.path.exists(fifo):
        with open(fifo, "rb") as stream:
            stream.read()


def quiet(case):
    """passes"""


def single(case):
    """passes but for seed 3"""
    return ("oracle", "object 3 is lost") if case["seed"] == 3 else None


def pair(case):
    """fails for each fifth seed with operations 3, 17 and one that the seed decides"""
    if case["seed"] % 5 == 0 and {3, 17, 20 + case["seed"] % 7} <= kept(case):
        return "oracle", f"heap: block {case['seed']} at 0x{case['seed'] * 64:x} is in two lists"
    return None


def kinds(case):
    """fails in two ways: seeds that end with 3, and with 6"""
    if case["seed"] % 10 == 3:
        return "panic", f"frame {case['seed']} was free"
    if case["seed"] % 10 == 6 and 5 in kept(case):
        return "stall", f"no progress for {case['seed']} ms"
    return None


def faulty(case):
    """fails when an allocation fails and two interrupts come late, the first of them at its third time"""
    late_ones = fired(case).get("interrupt.late", [])
    if fired(case).get("points.frames.allocate") and 3 in late_ones and len(late_ones) >= 2 and 1 in kept(case):
        return "panic", "out of memory was not handled"
    return None


def timed(case):
    """fails when an interrupt is lost during operation 11; each operation asks three times"""
    asked = 3 * sum(1 for one in kept(case) if one < 11) if 11 in kept(case) else OCCURRENCES
    hit = any(asked < one <= asked + 3 for one in fired(case).get("interrupt.lost", []))
    return ("oracle", "a request was forgotten") if hit else None


def led(case):
    """fails when an interrupt is lost at the seventh time, or at the ninth if it was at the second"""
    lost = fired(case).get("interrupt.lost", [])
    return ("oracle", "the seventh request was forgotten") if (9 if 2 in lost else 7) in lost else None


def noisy(case):
    """fails when interrupts come late by chance, and only by chance"""
    return ("oracle", "late") if "interrupt.late:probability" in " ".join(case.get("faults", [])) else None


def wide(case):
    """fails with two processors and three threads at least, and operation 9"""
    if case["cpus"] >= 2 and case["threads"] >= 3 and 9 in kept(case):
        return "deadlock", f"{case['threads']} threads wait for each other"
    return None


def raced(case):
    """fails with all operations, and with operation 4 alone if the schedule is pct:3"""
    if case.get("keep") is None or case["schedule"] == "pct:3" and 4 in kept(case):
        return "oracle", "two were inside"
    return None


def brittle(case):
    """fails for each third seed unless an operation is left out, with two at least"""
    if case["seed"] % 3 == 0 and case.get("keep") is None and case["operations"] >= 2:
        return "oracle", "a value was lost"
    return None


def crashes(case):
    """dies by a signal at seed 13 and with a status at seed 29, if operation 2 is kept"""
    if case["seed"] == 13 and 2 in kept(case):
        print("about to fall", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    if case["seed"] == 29 and 2 in kept(case):
        sys.exit(3)


def spins(case):
    """never answers seed 4"""
    while case["seed"] == 4:
        pass


def waits(case):
    """waits for ever at seed 4"""
    if case["seed"] == 4:
        signal.pause()


def babbles(case):
    """answers seed 6 with what is no outcome"""
    if case["seed"] == 6:
        print("hello", flush=True)


def once(case):
    """fails at seed 2, the first time only"""
    mark = f"{FOLDER}/once"
    if case["seed"] == 2 and not os.path.exists(mark):
        os.mknod(mark)
        return "oracle", "it was there"
    return None


def kernel(case):
    """passes unless an operation is flipped"""
    if case.get("mutant") == "easy_bug" and case["seed"] % 3 == 0 and 1 in kept(case):
        return "oracle", "easy"
    if case.get("mutant") == "rare_bug" and case["seed"] % 40 == 0 and {1, 2, 5} <= kept(case):
        return "panic", "rare"
    return None


def alarming(case):
    """fails at seed 9 though nothing is wrong"""
    return ("oracle", "false") if case["seed"] == 9 else None


def belated(case):
    """fails at seed 1000 though nothing is wrong"""
    return ("oracle", "false") if case["seed"] == 1000 else None


def joined(case):
    """fails with two machines at least, when the second frame is lost, with operation 9"""
    lost = fired(case).get("link.lost", [])
    return ("oracle", "two have the token") if case["machines"] >= 2 and 2 in lost and 9 in kept(case) else None


WORKLOADS = (
    quiet, single, pair, kinds, faulty, timed, led, noisy, wide, raced, brittle, crashes, spins, waits, babbles, once,
    kernel, alarming, belated, joined,
)
MACHINES = {"joined": 3}
DESCRIPTION = {
    "build": "0123abcd" + os.environ.get("SCRIPTED_BUILD", ""),
    "workloads": [
        {"name": one.__name__, "about": one.__doc__, "operations": 64, "cpus": 4, "threads": 4,
         "machines": MACHINES.get(one.__name__, 1)}
        for one in WORKLOADS
    ],
    "faults": [
        {"name": "interrupt.late", "about": "an interrupt comes late", "unit": "ns", "amount": 1000},
        {"name": "interrupt.lost", "about": "an interrupt is lost", "unit": "none", "amount": 0},
        {"name": "link.lost", "about": "a frame is lost", "unit": "none", "amount": 0},
    ],
    "points": ["frames.allocate", "heap.grow"],
    "mutants": ["easy_bug", "rare_bug", "hidden_bug"],
    "costs": ["xeon", "flat"],
}


def outcome(case: dict) -> dict:
    """What a case comes to."""
    defaults = {"cpus": 4, "threads": 4, "operations": 64, "machines": MACHINES.get(case["workload"], 1)}
    case = defaults | case
    named = {one.__name__: one for one in WORKLOADS}
    if case.get("costs") == "flat" and case["seed"] == 8:
        return {"id": case["id"], "error": "no costs today"}
    meet(case)
    failed = named[case["workload"]](case)
    faults = fired(case)
    text = json.dumps({key: value for key, value in case.items() if key != "id"}, sort_keys=True)
    answer: dict = {
        "id": case["id"],
        "outcome": "failed" if failed else "passed",
        "hash": f"{zlib.crc32(text.encode()):016x}",
        "events": 100 * len(kept(case)),
        "virtual_ns": 1000 * len(kept(case)),
        "host_ns": 2000,
        "operations": [str(one) for one in over(case, failed is not None)],
        "faults": {name: {"asked": asked(case), "fired": some} for name, some in faults.items()},
        "points": {"frames.allocate": {"reached": 10, "fired": len(faults.get("points.frames.allocate", []))}},
    }
    if failed:
        answer["failure"] = {"kind": failed[0], "text": failed[1], "report": f"{failed[1]}\n  in <script> & more"}
    return answer


def main() -> int:
    """Serves, describes, or shows with what it was started."""
    if sys.argv[1:] == ["--describe"]:
        print(json.dumps(DESCRIPTION))
    elif sys.argv[1:] == ["--serve"]:
        for line in sys.stdin:
            print(json.dumps(outcome(json.loads(line))), flush=True)
    else:
        print(json.dumps(sys.argv[1:]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
