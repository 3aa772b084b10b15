"""Has Spin search a model of tests/models through, and its mutants: the model holds, each mutant is refuted.

verify.py MODEL.pml [MUTANT ...]
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path


def search(model: Path, mutant: str | None) -> tuple[int, bool, str]:
    """The errors that an exhaustive search finds, whether it was complete, and what Spin said."""
    with tempfile.TemporaryDirectory() as folder:
        defines = [f"-D{mutant}"] if mutant else []
        subprocess.run(["spin", "-a", *defines, str(model)], cwd=folder, check=True, capture_output=True)
        subprocess.run(["gcc", "-O1", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c"], cwd=folder, check=True,
                       capture_output=True)
        done = subprocess.run(["./pan", "-m100000"], cwd=folder, check=True, capture_output=True, text=True)
    found = re.search(r"errors: (\d+)", done.stdout)
    assert found, done.stdout
    return int(found[1]), "max search depth too small" not in done.stdout, done.stdout


def main() -> int:
    model = Path(sys.argv[1]).resolve()
    failures = 0
    for mutant in [None, *sys.argv[2:]]:
        errors, is_complete, text = search(model, mutant)
        states = re.search(r"(\d+) states, stored", text)
        right = (errors > 0) if mutant else (errors == 0 and is_complete and "unreached" in text)
        failures += not right
        verdict = "refuted" if errors else "holds"
        print(f"{model.name} {mutant or '(as it is)'}: {verdict}, {states[1] if states else '?'} states"
              f"{'' if right else ', NOT AS IT SHOULD BE'}")
        if not right:
            print(text)
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
