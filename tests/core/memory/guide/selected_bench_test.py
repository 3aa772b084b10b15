"""The bench part of an allocator of one's own, on the guide's: selected_bench_test.py BUILD."""

import json
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[4]
BUILD = pathlib.Path()
PATIENCE_S = 280


class SelectedBench(unittest.TestCase):
    """Every allocator has a figure in every workload, or the reason why not."""

    def test_rows(self) -> None:
        done = subprocess.run(
            [sys.executable, str(ROOT / "bench/memory/selected.py"), str(BUILD), "--guide",
             "--benchmark_repetitions=1"],
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        figures = {entry["name"]: entry["real_time"] for entry in json.loads(done.stdout)["benchmarks"]}
        for workload in ("churn", "lifo", "bulk", "shift"):
            for who in ("ours", "kernel", "bump", "list"):
                name = "selected" if who == "ours" else who
                refused = f"memory/selected: {name} runs out of memory in {workload}\n" in done.stderr
                self.assertNotEqual(f"small_{workload}/{who}" in figures, refused, done.stderr)
        # Whole pages are no way to keep 2 MiB of small blocks; the others manage.
        self.assertIn("memory/selected: selected runs out of memory in shift\n", done.stderr)
        self.assertGreater(figures["small_shift/bump"], figures["small_shift/kernel"])
        self.assertGreater(figures["small_churn/ours"], 0)


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
