"""The laboratory as a program: reports, traces, pictures, and what it says when something is wrong.

    sched_test.py PROGRAM DATA [unittest's arguments]
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))
from tests.support.protobuf import fields  # noqa: E402

PROGRAM = pathlib.Path()
DATA = pathlib.Path()
PATIENCE_S = 120
USAGE, IO = 64, 74


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), *options], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip


class LabTest(unittest.TestCase):
    def report(self, *options: str) -> dict:
        done = run(*options, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def expect_refused(self, done: subprocess.CompletedProcess, status: int, text: str) -> None:
        """The status, and one line on stderr that says what is wrong."""
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertIn(text, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertEqual(done.stdout, "")


class Reports(LabTest):
    def test_list(self) -> None:
        done = run("--list")
        self.assertEqual(done.returncode, 0)
        for name in ("interactive", "server", "periodic", "convoy", "messaging", "inference", "offload", "mixed"):
            self.assertRegex(done.stdout, rf"(?m)^  {name} +\w")
        for name in ("edf", "fifo", "rr", "stride", "eevdf", "inference", "batch"):
            self.assertRegex(done.stdout, rf"(?m)^  {name}$")

    def test_every_generated_workload_runs_under_every_policy(self) -> None:
        for name in ("interactive", "server", "periodic", "convoy", "messaging", "inference", "offload", "mixed"):
            policies = "edf,fifo,rr,stride,eevdf,inference,batch"
            report = self.report("--workload", name, "--seconds", "0.3", "--compare", policies)
            self.assertEqual(len(report["runs"]), 7)
            for one in report["runs"]:
                self.assertIsNone(one["stuck"])
                self.assertIsNone(one["violation"])
                for cpu in one["cpus"]:
                    self.assertEqual(cpu["busy_ns"] + cpu["idle_ns"], 300_000_000)
                self.assertEqual(
                    sum(cpu["busy_ns"] for cpu in one["cpus"]), sum(thread["ran_ns"] for thread in one["threads"])
                )

    def test_the_same_seed_gives_the_same_report(self) -> None:
        options = ("--workload", "server", "--seconds", "0.5", "--json")
        self.assertEqual(run(*options, "--seed", "7").stdout, run(*options, "--seed", "7").stdout)
        self.assertNotEqual(run(*options, "--seed", "7").stdout, run(*options, "--seed", "8").stdout)

    def test_a_tenth_of_a_processor(self) -> None:
        report = self.report("--workload", str(DATA / "tenth.json"), "--cpus", "1")
        (one,) = report["runs"]
        (thread,) = one["threads"]
        self.assertEqual(report["duration_ns"], 2_000_000_000)
        self.assertEqual(thread["ran_ns"], 200_000_000)
        self.assertEqual((thread["jobs"], thread["late"], thread["wakes"]), (20, 0, 21))
        self.assertEqual(thread["response_ns"]["max"], 10_000_000)
        self.assertEqual(thread["wake_latency_ns"]["max"], 0)

    def test_a_wanderer_uses_its_processors_evenly(self) -> None:
        (one,) = self.report("--workload", str(DATA / "wanderer.json"))["runs"]
        busy = [cpu["busy_ns"] for cpu in one["cpus"]]
        self.assertEqual(busy[3], 0)
        self.assertLessEqual(max(busy[:3]) - min(busy[:3]), 1_500_000)
        self.assertEqual(sum(busy), 2_000_000_000)

    def test_a_player_keeps_its_rhythm(self) -> None:
        (one,) = self.report("--workload", str(DATA / "player.json"))["runs"]
        threads = {thread["name"]: thread for thread in one["threads"]}
        self.assertEqual(threads["tick"]["wakes"], 1001)
        # Every 30 ms, 5 ms of output, 300 us of the track, 1,150 of the decoder and 300 of its helper.
        self.assertEqual(threads["output"]["ran_ns"], 200 * 5_000_000)
        self.assertEqual(threads["track"]["ran_ns"], 200 * 300_000)
        self.assertEqual(threads["decoder"]["ran_ns"], 200 * 1_150_000)
        self.assertEqual(threads["helper"]["ran_ns"], 200 * 300_000)

    def test_recordings_are_replayed(self) -> None:
        for name, threads in (("storm.perf.txt", 2), ("storm.trace-cmd.txt", 2)):
            report = self.report("--workload", str(DATA / name), "--compare", "eevdf,rr")
            self.assertEqual(report["cpus"], 2)
            for one in report["runs"]:
                names = [thread["name"].split(":")[0] for thread in one["threads"]]
                self.assertEqual(names.count("hog"), threads)
                for name in ("ticker", "ping", "pong"):
                    self.assertIn(name, names)

    def test_edf_misses_no_deadline_of_what_it_admits(self) -> None:
        for seed in ("1", "2", "3"):
            report = self.report("--workload", "periodic", "--compare", "edf,eevdf", "--seed", seed, "--seconds", "2")
            edf, eevdf = ([thread["late"] for thread in one["threads"]] for one in report["runs"])
            self.assertEqual(sum(edf), 0)
            self.assertEqual(len(eevdf), 10)

    def test_energy_of_mixed_processors(self) -> None:
        (one,) = self.report("--workload", "mixed", "--seconds", "1")["runs"]
        fast, slow = (cpu["busy_ns"] for cpu in one["cpus"])
        expected = (fast * 1500 + (10**9 - fast) * 60 + slow * 300 + (10**9 - slow) * 15) / 1e9
        self.assertAlmostEqual(one["energy_mj"], expected, places=6)

    def test_switches_cost_what_was_measured(self) -> None:
        options = ("--workload", "server", "--seconds", "0.2")
        report = self.report(*options, "--compare", "rr,edf", "--switch-cost", "measured")
        self.assertTrue(report["switch_cost_measured"])
        for one in report["runs"]:
            self.assertGreater(one["switch_cost_ns"], 0)
            for cpu in one["cpus"]:
                self.assertLessEqual(cpu["overhead_ns"], cpu["switches"] * one["switch_cost_ns"])
        (one,) = self.report(*options, "--switch-cost", "40")["runs"]
        self.assertEqual(one["switch_cost_ns"], 40)

    def test_tables(self) -> None:
        done = run("--workload", "interactive", "--seconds", "0.2", "--each")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"(?m)^batch 3 ")
        self.assertRegex(done.stdout, r"(?m)^= ordinary x12 ")
        done = run("--workload", "interactive", "--seconds", "0.2", "--compare", "rr,stride")
        self.assertRegex(done.stdout, r"(?m)^ +rr +stride$")
        self.assertRegex(done.stdout, r"(?m)^latency p99 us +[\d.]+ +[\d.]+$")


class Files(LabTest):
    def setUp(self) -> None:
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)

    def tearDown(self) -> None:
        self.temporary.cleanup()

    def test_a_trace_has_tracks_slices_and_arrows(self) -> None:
        path = self.folder / "out.pftrace"
        done = run("--workload", str(DATA / "player.json"), "--compare", "eevdf,rr", "--trace", str(path))
        self.assertEqual(done.returncode, 0, done.stderr)
        tracks: dict[int, str] = {}
        depth: dict[int, int] = {}
        flows: dict[int, list[int]] = {}
        slices = 0
        last: dict[int, int] = {}
        for number, packet in fields(path.read_bytes()):
            self.assertEqual(number, 1)
            members = dict(fields(packet))
            if 60 in members:
                track = dict(fields(members[60]))
                self.assertNotIn(track[1], tracks)
                tracks[track[1]] = track[2].decode()
                continue
            event = dict(fields(members[11]))
            self.assertIn(event[11], tracks)
            self.assertGreaterEqual(members[8], last.get(members[10], 0))
            last[members[10]] = members[8]
            if event[9] == 1:
                slices += 1
                depth[event[11]] = depth.get(event[11], 0) + 1
                self.assertEqual(depth[event[11]], 1)
            elif event[9] == 2:
                depth[event[11]] -= 1
                self.assertEqual(depth[event[11]], 0)
            for field in (47, 48):
                if field in event:
                    flows.setdefault(event[field], []).append(field)
        # For each policy two groups, two processors and five threads.
        self.assertEqual(len(tracks), 2 * (2 + 2 + 5))
        self.assertEqual(sorted(set(tracks.values()) & {"cpu 0", "cpu 1", "tick"}), ["cpu 0", "cpu 1", "tick"])
        self.assertGreater(slices, 4000)
        self.assertEqual(set(depth.values()), {0})
        ended = [kinds for kinds in flows.values() if kinds == [47, 48]]
        self.assertGreater(len(ended), 4000)
        self.assertLessEqual(len(flows) - len(ended), 4)  # who has not got there at the end
        self.assertEqual(set(last), {1, 2})

    def test_a_picture(self) -> None:
        path = self.folder / "out.svg"
        done = run("--workload", "server", "--compare", "stride,eevdf,rr", "--seconds", "1", "--plot", str(path))
        self.assertEqual(done.returncode, 0, done.stderr)
        root = xml.etree.ElementTree.parse(path).getroot()
        name = "{http://www.w3.org/2000/svg}"
        texts = [text.text for text in root.iter(f"{name}text")]
        for policy in ("stride", "eevdf", "rr"):
            self.assertEqual(texts.count(policy), 2)
        self.assertEqual(texts.count("cpu 1"), 3)
        self.assertEqual(len(list(root.iter(f"{name}polyline"))), 3)
        self.assertGreater(len(list(root.iter(f"{name}rect"))), 100)

    def test_files_that_cannot_be_written(self) -> None:
        for option in ("--trace", "--plot"):
            done = run("--workload", "periodic", "--seconds", "0.1", option, "/nonexistent/file")
            self.expect_refused(done, IO, "'/nonexistent/file' cannot be written")
            done = run("--workload", "periodic", "--seconds", "0.1", option, "/dev/full")
            self.expect_refused(done, IO, "'/dev/full' cannot be written")

    def write(self, text: str) -> str:
        path = self.folder / "workload"
        path.write_text(text)
        return str(path)

    def test_an_impossible_set_is_refused_with_the_reason(self) -> None:
        thread = '{"policy": "SCHED_DEADLINE", "dl-runtime": 6000, "dl-period": 10000, "run": 1}'
        path = self.write('{"tasks": {"a": %s, "b": %s}}' % (thread, thread))
        done = run("--workload", path, "--cpus", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("refused by admission control: thread 'b': ", done.stdout)
        self.assertIn("0.600 of a processor, cannot be guaranteed", done.stdout)
        done = run("--workload", path, "--cpus", "1", "--json")
        self.assertEqual(done.returncode, 1)
        (one,) = json.loads(done.stdout)["runs"]
        self.assertEqual((one["refused"]["thread"], one["refused"]["error"]), ("b", "no_space"))
        self.assertEqual(run("--workload", path, "--cpus", "2").returncode, 0)

    def test_a_thread_that_never_takes_time(self) -> None:
        done = run("--workload", self.write('{"tasks": {"spinner": {"yield": ""}}}'))
        self.assertEqual(done.returncode, 1)
        self.assertIn("thread 'spinner' goes round and never takes time", done.stdout)

    def test_processors_that_a_thread_may_not_run_on(self) -> None:
        path = self.write('{"machine": {"cpus": 2}, "tasks": {"t": {"cpus": [1], "run": 1}}}')
        self.assertEqual(run("--workload", path).returncode, 0)
        self.expect_refused(run("--workload", path, "--cpus", "1"), USAGE, "a thread may run on none of 1 processors")

    def test_files_that_are_no_workloads(self) -> None:
        self.expect_refused(run("--workload", "/nonexistent"), USAGE, "'/nonexistent' is no generated workload")
        self.expect_refused(run("--workload", self.write("hello\n")), USAGE, "this is neither JSON nor the text of")
        self.expect_refused(run("--workload", self.write("")), USAGE, "this is neither JSON nor the text of")
        self.expect_refused(run("--workload", self.write('{"tasks": [')), USAGE, "workload:1: ")
        self.expect_refused(
            run("--workload", self.write('{"tasks":\n {"t": {"rum": 1}}}')), USAGE,
            "workload:2: tasks.t.rum: the key 'rum' is unknown",
        )  # fmt: skip
        text = (DATA / "storm.perf.txt").read_text() + "and then\n"
        self.expect_refused(run("--workload", self.write(text)), USAGE, "this is no line of `perf sched script`")


class BadOptions(LabTest):
    def test_options(self) -> None:
        self.expect_refused(run(), USAGE, "--workload is required")
        self.expect_refused(run("--workload", "server", "--policy", "fair"), USAGE, "'fair' is none of edf, fifo")
        self.expect_refused(run("--workload", "server", "--policy", "rr,fifo"), USAGE, "--compare takes these")
        self.expect_refused(run("--workload", "server", "--compare", "rr,"), USAGE, "'' is none of")
        self.expect_refused(run("--workload", "server", "--policy", "rr", "--compare", "fifo"), USAGE, "--compare")
        self.expect_refused(run("--workload", "server", "--seconds", "0"), USAGE, "is not a number of seconds")
        self.expect_refused(run("--workload", "server", "--seconds", "nan"), USAGE, "is not a number of seconds")
        self.expect_refused(run("--workload", "server", "--cpus", "65"), USAGE, "--cpus")
        self.expect_refused(run("--workload", "server", "--switch-cost", "-1"), USAGE, "--switch-cost")
        self.expect_refused(run("--workload", "server", "--switch-cost", "guessed"), USAGE, "--switch-cost")
        self.expect_refused(run("--workload", "server", "--machine", "emulator"), USAGE,
                            "'emulator' is none of host, live, live-sim, metal, process, sim")
        self.expect_refused(run("--workload", "server", "--timeout", "0"), USAGE, "--timeout")


if __name__ == "__main__":
    PROGRAM, DATA = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
