"""A campaign in parts: merged it is the campaign in one piece; gaps and overlaps are named; Slurm's variables."""

import json
import os
import subprocess
import unittest
from pathlib import Path

from tests.tools.sim.fixture import SIMULATOR, SimTest, same
from tools.sim.ranges import SEED_LAST, Shard, Spans

ARRAY = Path(__file__).resolve().parents[3] / "tools/sim/slurm-array.sh"


class Shards(SimTest):
    WORDS = ("kinds", "--seeds", "1..95", "--jobs", "1", "--repeats", "1", "--fault", "interrupt.lost:probability=0.1")

    def run_part(self, index: int, count: int, *words: str) -> str:
        path = self.path(f"{index}-of-{count}")
        status, _, errors = self.sim(*(words or self.WORDS), "--shard", f"{index}/{count}", "--state", path)
        self.assertEqual(1, status, errors)
        return path

    def test_merged_is_the_same_as_in_one_piece(self):
        whole = self.document(*self.WORDS)
        for count in (1, 3):
            paths = [self.run_part(index, count) for index in range(1, count + 1)]
            merged = self.document("merge", *reversed(paths))
            self.assertEqual(same(whole) | {"ended": "merged"}, same(merged))

    def test_a_part_alone(self):
        document = self.document(*self.WORDS, "--shard", "2/3", "--no-shrink", "--repeats", "0")
        self.assertEqual({"asked": [1, 95], "shard": [2, 3], "done": [[32, 63]], "missing": []}, document["seeds"])

    def test_gaps_are_named(self):
        paths = [self.run_part(index, 3) for index in (1, 3)]
        status, output, errors = self.sim("merge", *paths)
        self.assertEqual((1, "twofold: sim: gap: shard 2/3 is not there and did not run the seeds 32..63\n"),
                         (status, errors))
        self.assertIn("kinds: 63 cases", output)
        self.assertEqual([[32, 63]], self.document("merge", *paths)["seeds"]["missing"])

    def test_gaps_fail_if_all_is_asked_for(self):
        state = self.path("state")
        self.sim("quiet", "--seeds", "1..9", "--shard", "1/3", "--state", state)
        self.assertEqual(0, self.sim("merge", state)[0])
        self.assertEqual(1, self.sim("merge", state, "--complete")[0])

    def test_a_part_that_ran_out_of_time_is_named(self):
        paths = [self.run_part(1, 2), self.path("2-of-2")]
        self.sim(*self.WORDS, "--shard", "2/2", "--state", paths[1], "--stop-after", "2")
        _, _, errors = self.sim("merge", *paths)
        self.assertEqual("twofold: sim: gap: shard 2/2 did not run the seeds 57..95\n", errors)

    def test_seeds_without_end_have_gaps_inside_only(self):
        state = self.path("state")
        words = ("kinds", "--seeds", "5..", "--no-shrink", "--repeats", "0", "--state", state)
        document = self.document(*words, "--stop-after", "2")
        self.assertEqual(([[5, 13]], []), (document["seeds"]["done"], document["seeds"]["missing"]))
        self.assertEqual("", self.sim("merge", state)[2])
        self.assertEqual([[8, 9]], Shard().missing(Spans([(5, 7), (10, 12)]), 5, SEED_LAST))
        self.assertEqual([[8, 9], [13, 20]], Shard().missing(Spans([(5, 7), (10, 12)]), 5, 20))

    def test_overlaps_are_refused(self):
        one, other = self.run_part(1, 2), self.run_part(2, 3)
        self.assertIn(f"{one} and {other} overlap: both ran the seeds 32..47", self.refused("merge", one, other))
        self.assertIn("overlap", self.refused("merge", one, one))

    def test_parts_of_different_campaigns_are_refused(self):
        one = self.run_part(1, 2)
        other = self.run_part(2, 2, *self.WORDS, "--cpus", "2")
        self.assertIn("cpus 4 there, 2 here", self.refused("merge", one, other))

    def test_reports(self):
        paths = [self.run_part(index, 2) for index in (1, 2)]
        files = ("--json", self.path("m.json"), "--html", self.path("m.html"))
        status, output, _ = self.sim("merge", *paths, *files)
        self.assertEqual(1, status)
        self.assertIn("FAILED panic: frame 3 was free", output)
        self.assertIn("reproduced 1 of 1", output)
        document = json.loads(Path(self.path("m.json")).read_text())
        self.assertEqual([3, 6], [one["case"]["seed"] for one in document["failures"]])
        self.assertIn("Campaign: kinds", Path(self.path("m.html")).read_text())


class SlurmArray(SimTest):
    """The script of a job array, with Slurm's variables set as Slurm sets them."""

    def run_task(self, id_: int, **changed: str) -> subprocess.CompletedProcess[str]:
        variables = {
            "SLURM_ARRAY_TASK_ID": str(id_),
            "SLURM_ARRAY_TASK_COUNT": "3",
            "SLURM_ARRAY_TASK_MIN": "4",
            "SLURM_ARRAY_TASK_MAX": "6",
            "SLURM_CPUS_PER_TASK": "2",
            "SLURM_SUBMIT_DIR": str(ARRAY.parents[2]),
        }
        words = ["kinds", "--seeds", "1..60", "--no-shrink", "--repeats", "0", "--simulator", SIMULATOR]
        environment = {name: value for name, value in (os.environ | variables | changed).items() if value}
        return subprocess.run(
            [str(ARRAY), self.path("states"), *words], env=environment, capture_output=True, text=True, check=False
        )

    def test_tasks_are_parts(self):
        for id_ in (4, 5, 6):
            done = self.run_task(id_)
            self.assertEqual(1, done.returncode, done.stderr)
        paths = [self.path(f"states/shard-{id_}.jsonl") for id_ in (4, 5, 6)]
        heads = [json.loads(Path(path).read_text().splitlines()[0])["shard"] for path in paths]
        self.assertEqual(["1/3", "2/3", "3/3"], heads)
        words = ("kinds", "--seeds", "1..60", "--no-shrink", "--repeats", "0", "--simulator", SIMULATOR)
        self.assertEqual(same(self.document(*words)) | {"ended": "merged"}, same(self.document("merge", *paths)))

    def test_outside_of_an_array(self):
        done = self.run_task(4, SLURM_ARRAY_TASK_ID="")
        self.assertEqual(64, done.returncode)
        self.assertIn("sbatch --array", done.stderr)

    def test_a_task_that_is_not_of_its_array(self):
        done = self.run_task(9)
        self.assertEqual(64, done.returncode)
        self.assertIn("task 9 is not one of 3 from 4 on", done.stderr)


if __name__ == "__main__":
    unittest.main()
