"""Every workload passes on one machine, with a fixed sample of seeds; and what its command refuses.

    workloads_test.py MACHINE PROGRAM [IMAGE]

PROGRAM is twofold-workloads-host or -sim, or twofold-boot with the IMAGE `workloads`.
"""

import json
import subprocess
import sys
import unittest

MACHINE, PROGRAM, *IMAGE = sys.argv[1:]
SEEDS = {"host": 10, "sim": 10, "metal": 3}[MACHINE]
# Each of these begins a machine.
RUNS = {"host": 1, "sim": 6, "metal": 1}[MACHINE]
# How many processors, and how many threads on them.
SHAPES = [(1, 2), (2, 2), (4, 4)] if MACHINE == "sim" else [(2, 3)]
USAGE = 2


def run(*options: str, cpus: int = 1) -> subprocess.CompletedProcess[str]:
    image = ["--image", *IMAGE] if IMAGE else []
    words = [PROGRAM, *image, "--cpus", str(cpus), "--timeout", "100", *options]
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def workloads() -> list[dict]:
    """What the kernel lists."""
    done = run("--json", "--command", "workloads")
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            return json.loads(line)["output"]
    raise AssertionError(f"no list: {done.stdout}{done.stderr}")


class Workloads(unittest.TestCase):
    """The command `workload`."""

    def lines(self, command: str, status: int = 0) -> list[str]:
        done = run("--command", command)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout.splitlines()

    def test_all_pass(self) -> None:
        listed = workloads()
        self.assertTrue(listed)
        for workload in listed:
            for cpus, threads in SHAPES:
                for first in range(1, 1 + SEEDS * RUNS, SEEDS):
                    with self.subTest(workload=workload["name"], cpus=cpus, first=first):
                        self.passes(workload, cpus, threads, first)

    def passes(self, workload: dict, cpus: int, threads: int, first: int) -> None:
        name = workload["name"]
        asked = [f"workload {name} seed={seed} threads={threads}" for seed in range(first, first + SEEDS)]
        seed = ["--seed", str(first)] if MACHINE == "sim" else []
        done = run(*seed, "--command", "; ".join(asked), cpus=cpus)
        passed = f"{name}: {workload['operations']} operations"
        found = [line for line in done.stdout.splitlines() if line.startswith(f"{name}: ")]
        self.assertEqual(found, [passed] * SEEDS, done.stdout + done.stderr)

    def test_the_list_says_what_there_is(self) -> None:
        for workload in workloads():
            self.assertEqual(list(workload), ["name", "operations", "cpus", "threads", "machines", "about"])
            self.assertGreater(workload["operations"], 0)

    def test_operations_can_be_left_out(self) -> None:
        self.assertIn("frames: 8 operations", self.lines("workload frames keep=3,10-15,17"))
        self.assertIn("frames: 3 operations", self.lines("workload frames keep=3,10-15 operations=12"))
        self.assertIn("frames: 500 operations", self.lines("workload frames operations=500 threads=5"))

    def test_what_makes_no_sense_is_refused(self) -> None:
        for words, reason in (
            ("", "too few arguments; usage: workload NAME [KEY=VALUE...]"),
            ("nothing", "there is none named 'nothing'"),
            ("frames seed=x", "'seed=x': invalid_argument"),
            ("frames seed", "'seed': invalid_argument"),
            ("frames colour=red", "'colour=red': not_found"),
            ("frames keep=5-3", "'keep=5-3': invalid_argument"),
            ("frames keep=1,,2", "'keep=1,,2': invalid_argument"),
            ("frames keep=4096", "'keep=4096': out_of_range"),
            ("frames operations=4097", "'operations=4097': out_of_range"),
            ("frames threads=17", "'threads=17': out_of_range"),
            ("frames machines=9", "'machines=9': out_of_range"),
            ("frames machines=2", "'frames' is for one machine"),
            ("register machines=2 machine=2", "of 2 machines none is number 2"),
            ("register machines=0", "'machines=0': out_of_range"),
        ):
            with self.subTest(words=words):
                self.assertIn(f"workload: {reason}", self.lines(f"workload {words}", USAGE))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
