"""Has Spin search a model of tests/models through, and its mutants: the model holds, each mutant is refuted.

verify.py MODEL.pml REPLAY [MUTANT ...]

REPLAY is a program (such as sleep_wake_replay.cpp) that goes through the order of steps that refutes a mutant on the
real code: that must hold, and must not once the mutant is done to it.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path


ACTORS = {"1": "p0", "2": "p1", "3": "w"}  # by the number of the process
KINDS = {"locked": {"1": "+", "0": "-"}, "saved": {"1": "s"}}


def steps(trail: str) -> list[str]:
    """What the replay is told of an order of steps as Spin prints it: what the model itself prints as STEPs, else what
    its actors do to `locked` and `saved`."""
    if printed := re.findall(r"(?m)^\s*STEP (\w+)$", trail):
        return printed
    found = re.finditer(r"proc +(\d) .*\[(locked|saved)(?:\[\w+\])? = (\d)\]", trail)
    named = ((ACTORS[one[1]], KINDS[one[2]].get(one[3])) for one in found)
    return [actor + kind for actor, kind in named if kind]


def search(model: Path, mutant: str | None) -> tuple[int, bool, str, list[str]]:
    """The errors that an exhaustive search finds, whether it was complete, what Spin said, and the steps to the first
    error."""
    with tempfile.TemporaryDirectory() as folder:
        defines = [f"-D{mutant}"] if mutant else []
        subprocess.run(["spin", "-a", *defines, str(model)], cwd=folder, check=True, capture_output=True)
        subprocess.run(["gcc", "-O1", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c"], cwd=folder, check=True,
                       capture_output=True)
        done = subprocess.run(["./pan", "-m100000"], cwd=folder, check=True, capture_output=True, text=True)
        trail = Path(folder) / f"{model.name}.trail"
        shown = ""
        if trail.is_file():
            shown = subprocess.run(["spin", "-t", "-p", "-k", str(trail), *defines, str(model)], cwd=folder, check=True,
                                   capture_output=True, text=True).stdout
    found = re.search(r"errors: (\d+)", done.stdout)
    assert found, done.stdout
    return int(found[1]), "max search depth too small" not in done.stdout, done.stdout, steps(shown)


def replay(program: Path, mutant: str, order: list[str]) -> bool:
    """Whether the real code holds in that order, and does not with the mutant."""
    right = True
    for name, expected in (("none", 0), (mutant, 1)):
        done = subprocess.run([str(program), name, *order], capture_output=True, text=True, timeout=60, check=False)
        print(f"  replayed on the real code, mutant {name}: {done.stdout.strip()}{done.stderr.strip()}")
        right = right and done.returncode == expected
    return right


def main() -> int:
    model = Path(sys.argv[1]).resolve()
    program = Path(sys.argv[2]).resolve()
    failures = 0
    for mutant in [None, *sys.argv[3:]]:
        errors, is_complete, text, order = search(model, mutant)
        states = re.search(r"(\d+) states, stored", text)
        right = (errors > 0) if mutant else (errors == 0 and is_complete and "unreached" in text)
        failures += not right
        verdict = "refuted" if errors else "holds"
        print(f"{model.name} {mutant or '(as it is)'}: {verdict}, {states[1] if states else '?'} states"
              f"{'' if right else ', NOT AS IT SHOULD BE'}")
        if not right:
            print(text)
        if mutant and not replay(program, mutant, order):
            print(f"the replay of {mutant} did not go as it should; its steps: {' '.join(order)}")
            failures += 1
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
