#!/usr/bin/env python3
"""Each seed comes to the same twice, whatever differs on the host: a sample of what --twice runs.

    tests/sim/twice.py SIMULATOR
"""

import pathlib
import stat
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tools.sim import fault_rules, twice  # noqa: E402
from tools.sim.case import Case  # noqa: E402

SIMULATOR = sys.argv.pop(1)
SEEDS = (1, 40)
WORKLOADS = ("frames", "heap", "spaces", "locks", "interrupts", "timers", "waits", "threads")
# A server whose outcomes depend on what its machines' memory holds at first, in one case of three.
LEAKY = """#!/usr/bin/env python3
import json, sys
for line in sys.stdin:
    case = json.loads(line)
    leaks = case["seed"] % 3 == 0 and "--fill" in sys.argv
    print(json.dumps({"id": case["id"], "outcome": "passed", "hash": "1" if leaks else "0"}), flush=True)
"""
DEAD = "#!/bin/sh\nexit 1\n"


def program(folder: str, text: str) -> str:
    path = pathlib.Path(folder) / "server"
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


class Twice(unittest.TestCase):
    def test_seeds_come_to_the_same(self) -> None:
        for workload in WORKLOADS:
            with self.subTest(workload):
                case = Case(workload, cpus=3, threads=4, operations=24)
                found = twice.compare(SIMULATOR, case, SEEDS, 1, None)
                self.assertEqual(found.compared, SEEDS[1] - SEEDS[0] + 1)
                self.assertEqual(found.differing, [])
                self.assertEqual(found.failed, 0)

    def test_several_machines_come_to_the_same(self) -> None:
        faults = tuple(fault_rules.parse(f"link.{name}:probability=0.1") for name in ("lost", "late", "reordered"))
        case = Case("register", cpus=2, operations=24, machines=3, faults=faults)
        found = twice.compare(SIMULATOR, case, (1, 10), 1, None)
        self.assertEqual((found.compared, found.failed, found.differing), (10, 0, []))

    def test_a_difference_is_seen(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            found = twice.compare(program(folder, LEAKY), Case("any"), (1, 9), 2, None)
        self.assertEqual(found.compared, 9)
        self.assertEqual(sorted(one["seed"] for one in found.differing), [3, 6, 9])
        self.assertIn("seed 3", twice.report("any", found, 1.0))

    def test_a_server_that_dies_is_no_success(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            found = twice.compare(program(folder, DEAD), Case("any"), (1, 9), 1, 60.0)
        self.assertEqual(len(found.differing), 1)


if __name__ == "__main__":
    unittest.main()
