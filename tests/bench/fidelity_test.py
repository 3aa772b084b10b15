"""bench/sim as programs: short runs, whose reports are whole.

    fidelity_test.py BUILD
"""

import json
import pathlib
import subprocess
import sys
import unittest

BUILD = sys.argv.pop()
BENCH = pathlib.Path(__file__).resolve().parent.parent.parent / "bench" / "sim"
WORKLOADS = ("churn", "lifo", "bulk", "nested", "shift", "pages")


class Programs(unittest.TestCase):
    def run_program(self, name: str, *options: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, str(BENCH / name), BUILD, *options]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_correlations_have_names_and_values(self) -> None:
        short = ("--edges", BUILD, "--seconds", "0.05", "--rounds", "1", "--benchmark_repetitions=1")
        done = self.run_program("fidelity.py", *short)
        found = {entry["name"]: entry["real_time"] for entry in json.loads(done.stdout)["benchmarks"]}
        for workload in WORKLOADS:
            self.assertRegex(done.stderr, rf"sim/fidelity: {workload} allocators: -?\d\.\d\d\n")
        self.assertIn("allocators/ours", found)
        known = json.loads((BENCH / "fidelity.json").read_text())
        # A row is left out where everybody is alike, as may be in so short a time.
        self.assertLessEqual({name.removesuffix("/ours") for name in found}, set(known))
        self.assertGreater(len(found), len(known) / 2)
        for value in found.values():
            self.assertTrue(-1.000001 <= value <= 1.000001, value)

    def test_costs_are_fitted(self) -> None:
        done = self.run_program("calibrate.py", "--rounds", "1", "--hand-overs", "50", "--repeats", "1", "--json")
        report = json.loads(done.stdout)
        costs = report["costs_ns"]
        self.assertEqual(
            set(costs), {"load", "store", "update", "flag", "clock", "edge", "copy", "copied-bytes"}
        )
        self.assertTrue(all(ns > 0 for ns in costs.values()), costs)
        for factor in report["off_by"].values():
            self.assertGreaterEqual(factor, 1)
        names = {row["name"] for row in report["rows"]}
        self.assertLessEqual({"churn heap", "lifo buddy", "nested checked list", "bulk selected", "two yields"}, names)
        for row in report["rows"]:
            self.assertGreater(min(row["live_ns"], row["before_ns"], row["after_ns"]), 0, row)


if __name__ == "__main__":
    unittest.main()
