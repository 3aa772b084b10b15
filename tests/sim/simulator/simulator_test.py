"""What the program twofold-simulator says, keeps and refuses, and how it ends; also through `./twofold sim`.

    simulator_test.py PROGRAM [unittest's arguments]
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))
from tests.support.protobuf import fields  # noqa: E402

PROGRAM = ""
PATIENCE_S = 120
USAGE, IO = 64, 74
FRONT_USAGE = 64
SCHEDULE = "twofold-schedule 1 own-times\n"


def run(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *words], input=text, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def front(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "tools/sim/sim.py"), *words], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=PATIENCE_S, check=False, env={**os.environ, "TWOFOLD_SIMULATOR": PROGRAM},
    )  # fmt: skip


def hash_of(said: str) -> str:
    return re.findall(r"hash ([0-9a-f]{16})", said)[-1]


class Files(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name: str) -> str:
        return str(pathlib.Path(self.folder.name) / name)

    def passes(self, *words: str) -> str:
        done = run(*words)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def refused(self, text: str, *words: str, status: int = USAGE) -> None:
        done = run(*words)
        self.assertEqual(done.returncode, status, done.stderr + done.stdout)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(text, done.stderr)


class Runs(Files):
    def test_a_run_says_what_it_was(self) -> None:
        said = self.passes("run", "heap", "--seed", "3")
        line = r"^heap seed 3: passed, \d+ events, 0\.\d{9} s of virtual time in \d+\.\d ms, hash [0-9a-f]{16}\n"
        self.assertRegex(said, line)
        self.assertRegex(said, r"\n  points that could not fail: \d+ were reached\n$")
        self.assertEqual(hash_of(self.passes("run", "heap", "--seed", "3")), hash_of(said))
        self.assertNotEqual(hash_of(self.passes("run", "heap", "--seed", "4")), hash_of(said))

    def test_points_that_can_fail_are_shown(self) -> None:
        said = self.passes("run", "heap", "--seed", "3", "--fault", "points.heap.allocate:at=3")
        self.assertRegex(said, r"\n  point heap.allocate: reached \d+ times, failed 1\n  points that could not fail: ")
        said = self.passes("run", "calls", "--seed", "3", "--fault", "message.late:at=1")
        self.assertRegex(said, r"\n  fault message.late: 1 of \d+ occurrences\n  points that could not fail: ")

    def test_json_is_an_outcome(self) -> None:
        outcome = json.loads(self.passes("run", "heap", "--seed", "3", "--json"))
        self.assertEqual(outcome["outcome"], "passed")
        self.assertEqual(outcome["hash"], hash_of(self.passes("run", "heap", "--seed", "3")))

    def test_a_plan_is_read(self) -> None:
        plan = self.path("plan.toml")
        pathlib.Path(plan).write_text('[[fault]]\nname = "message.late"\nprobability = 0.5\n')
        said = self.passes("run", "calls", "--seed", "7", "--faults", plan)
        self.assertIn("fault message.late: ", said)
        record = self.path("r.tfr")
        self.passes("run", "calls", "--seed", "7", "--faults", plan, "--record", record)
        self.assertEqual(hash_of(self.passes("run", "--replay", record)), hash_of(said))

    def test_several_machines(self) -> None:
        words = ("run", "register", "--seed", "3", "--fault", "link.lost:probability=0.1")
        said = self.passes(*words, "--output")
        for machine in range(3):
            self.assertIn(f"{machine}| register: 10 operations\n", said)
        self.assertRegex(said, r"\n  fault link.lost: [1-9]\d* of \d+ occurrences\n")
        self.assertEqual(hash_of(self.passes(*words)), hash_of(said))
        self.assertEqual(len(json.loads(self.passes(*words, "--json"))["operations"]), 1)
        for more in (
            ("--record", self.path("r")),
            ("--trace", self.path("t")),
            ("--save-schedule", self.path("s")),
            ("--follow-schedule", self.path("s")),
            ("--until-event", "5"),
        ):
            self.refused("the case has 3 machines: recordings, traces, schedules in files", *words, *more)
        record = self.path("r")
        self.passes("run", "register", "--seed", "3", "--machines", "1", "--record", record)
        self.passes("run", "--replay", record)

    def test_bad_options_are_refused(self) -> None:
        for text, words in (
            ("which workload?", ()),
            ("the workload 'hep' is unknown", ("hep",)),
            ("--seed", ("heap", "--seed", "soon")),
            ("--keep '9-3' is no set of operations", ("heap", "--keep", "9-3")),
            ("schedule", ("heap", "--schedule", "fair")),
            ("the fault 'interrupt.lat' is unknown", ("heap", "--fault", "interrupt.lat:at=1")),
            ("probability", ("heap", "--fault", "interrupt.late:at=1:probability=0.5")),
            ("costs", ("heap", "--costs", "free")),
            ("the mutant 'x' is ", ("heap", "--mutant", "x")),
            ("--record is of a whole run", ("heap", "--record", self.path("r"), "--until-event", "5")),
            ("--save-schedule is of a whole run", ("heap", "--save-schedule", self.path("r"), "--until-event", "5")),
            ("--debugger: give --until-event", ("heap", "--debugger")),
            ("--until-event", ("heap", "--until-event", "0")),
        ):
            with self.subTest(words):
                self.refused(text, "run", *words)
        self.assertFalse(pathlib.Path(self.path("r")).exists())

    def test_bad_plans_are_refused(self) -> None:
        plan = pathlib.Path(self.path("plan.toml"))
        for text, content in (
            ("'interrupt.lots' is unknown", '[[fault]]\nname = "interrupt.lots"\nprobability = 0.5\n'),
            ("plan.toml", '[[fault]]\nname = "interrupt.late"\nprobability = 0.5\nat = [3]\n'),
            ("plan.toml", "[[fault\n"),
            ("plan.toml", "\0\1\2"),
        ):
            with self.subTest(content):
                plan.write_text(content)
                self.refused(text, "run", "heap", "--faults", str(plan))
        self.refused("No such file", "run", "heap", "--faults", self.path("none"), status=IO)

    def test_an_exploration_says_how_many(self) -> None:
        said = self.passes("run", "locks", "--seed", "1", "--operations", "1", "--schedule", "exhaustive:0")
        self.assertRegex(said, r"^1 schedule, all there are\nlocks seed 1: passed, ")
        record, trace, schedule = self.path("r.tfr"), self.path("t"), self.path("s.txt")
        words = ("run", "locks", "--seed", "1", "--operations", "1", "--schedule", "exhaustive:1")
        whole = hash_of(self.passes(*words))
        said = self.passes(*words, "--record", record, "--trace", trace, "--save-schedule", schedule)
        self.assertEqual(hash_of(said), whole)
        self.assertEqual(hash_of(self.passes("run", "--replay", record)), whole)
        self.assertEqual(hash_of(self.passes(*words, "--follow-schedule", schedule)), whole)
        self.assertGreater(pathlib.Path(trace).stat().st_size, 0)

    def test_serves_and_describes(self) -> None:
        known = json.loads(self.passes("--describe"))
        notes = subprocess.run(["readelf", "-n", PROGRAM], capture_output=True, text=True, check=True).stdout
        self.assertIn(f"Build ID: {known['build']}\n", notes)
        cases = '{"id":1,"workload":"heap","seed":3}\n{"id":2,"workload":"none","seed":3}\nno case\n'
        answers = [json.loads(line) for line in run("--serve", text=cases).stdout.splitlines()]
        self.assertEqual([answer["id"] for answer in answers], [1, 2, None])
        self.assertEqual(answers[0]["hash"], hash_of(self.passes("run", "heap", "--seed", "3")))
        self.assertIn("'none' is unknown", answers[1]["error"])
        self.assertEqual(run("--nonsense").returncode, USAGE)
        self.assertEqual(run("diff", "a").returncode, USAGE)


class Travel(Files):
    def record(self, name: str, *words: str) -> str:
        self.passes("run", *words, "--record", self.path(name), "--copy-every", "1000")
        return self.path(name)

    def test_to_an_event_by_a_copy_and_from_the_begin(self) -> None:
        words = ("heap", "--seed", "3", "--operations", "400", "--fault", "interrupt.late:probability=0.1")
        record = self.record("r.tfr", *words)
        for event in ("1", "999", "1500", "2200"):
            by_copy = self.passes("run", "--replay", record, "--until-event", event)
            self.assertRegex(by_copy, rf"^stopped behind event {event}, at \d+ ns, hash \w+\nprocessor 0 ")
            self.assertEqual(self.passes("run", *words, "--until-event", event), by_copy)
        said = self.passes("run", "--replay", record, "--until-event", "99999999")
        self.assertIn("it ended before event 99999999\n", said)
        whole = hash_of(self.passes("run", *words))
        stopped = self.passes("run", "--replay", record, "--until-event", "1500", "--debugger")
        self.assertEqual(hash_of(stopped), whole)

    def test_a_run_with_a_schedule_of_ones_own(self) -> None:
        schedule = self.path("s.txt")
        size = ("--operations", "400")
        words = ("locks", "--seed", "5", *size, "--schedule", "pct:3")
        whole = hash_of(self.passes("run", *words, "--save-schedule", schedule))
        record = self.record("r.tfr", "locks", "--seed", "5", *size, "--follow-schedule", schedule)
        self.assertEqual(hash_of(self.passes("run", "--replay", record)), whole)
        at = self.passes("run", "--replay", record, "--until-event", "1500")
        self.assertEqual(self.passes("run", *words, "--until-event", "1500"), at)

    def test_schedules_that_do_not_fit(self) -> None:
        schedule = pathlib.Path(self.path("s.txt"))
        self.passes("run", "locks", "--seed", "5", "--save-schedule", str(schedule))
        lines = schedule.read_text().splitlines(keepends=True)
        schedule.write_text("".join(lines[:50]) + "end\n")
        done = run("run", "locks", "--seed", "5", "--follow-schedule", str(schedule))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("the saved schedule ends after 49 turns, the run does not", done.stdout)
        schedule.write_text("".join(lines[:50]))
        self.refused("s.txt:50: it is cut short", "run", "locks", "--follow-schedule", str(schedule))
        schedule.write_text(f"{SCHEDULE}0 1\nx\nend\n")
        self.refused("s.txt:3: a turn is", "run", "locks", "--follow-schedule", str(schedule))
        self.refused("it is empty", "run", "heap", "--follow-schedule", "/dev/null", status=IO)
        self.refused("No such file", "run", "heap", "--follow-schedule", self.path("none"), status=IO)

    def test_files_that_cannot_be_written(self) -> None:
        for option, what in (("--record", "recording"), ("--trace", "trace"), ("--save-schedule", "schedule")):
            for path, why in (
                ("/dev/full", "No space left on device"),
                (self.path("no/folder"), "No such file or directory"),
                (self.folder.name, "Is a directory"),
            ):
                with self.subTest((option, path)):
                    self.refused(f"cannot write the {what} {path}: {why}", "run", "heap", option, path, status=IO)

    def test_files_that_are_no_recordings(self) -> None:
        garbage = self.path("garbage")
        pathlib.Path(garbage).write_bytes(bytes(range(256)) * 20)
        for path in (garbage, "/dev/null"):
            self.refused(f"{path}: it is no recording", "run", "--replay", path)
            self.refused(f"{path}: it is no recording", "diff", path, path)
        self.refused("No such file", "run", "--replay", self.path("none"), status=IO)
        record = pathlib.Path(self.record("r.tfr", "heap", "--seed", "3"))
        whole = record.read_bytes()
        record.write_bytes(whole[:-1])
        self.refused("it is truncated", "run", "--replay", str(record))
        record.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
        self.refused("it is damaged: the checksum of the chunk at 20 is wrong", "run", "--replay", str(record))
        record.write_bytes(whole)
        for words in (("heap",), ("--seed", "4"), ("--cpus", "1"), ("--follow-schedule", "x"), ("--record", "x")):
            with self.subTest(words):
                self.refused("--replay", "run", "--replay", str(record), *words)

    def test_a_recording_of_another_build(self) -> None:
        record = self.record("r.tfr", "heap", "--seed", "3")
        other = pathlib.Path(self.path("other"))
        build = json.loads(self.passes("--describe"))["build"]
        program = pathlib.Path(PROGRAM).read_bytes()
        self.assertEqual(program.count(bytes.fromhex(build)), 1)
        other.write_bytes(program.replace(bytes.fromhex(build), bytes(20)))
        other.chmod(0o755)
        done = subprocess.run([other, "run", "--replay", record], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn(f"it is of build {build}, this program is build {'0' * 40}", done.stderr)

    def test_an_interrupted_recording_is_not_whole(self) -> None:
        pipe, record = self.path("pipe"), pathlib.Path(self.path("r.tfr"))
        os.mkfifo(pipe)
        words = ["heap", "--operations", "2000", "--record", pipe, "--copy-every", "1000"]
        with subprocess.Popen([PROGRAM, "run", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            with open(pipe, "rb") as reader:
                head = reader.read(10_000)  # and it waits, with more than a pipe holds before it
                process.send_signal(signal.SIGINT)
                record.write_bytes(head + reader.read())
            process.communicate(timeout=PATIENCE_S)
        self.assertEqual(process.returncode, -signal.SIGINT)
        self.refused("it is truncated", "run", "--replay", str(record))

    def test_a_trace_is_a_sound_one(self) -> None:
        trace = pathlib.Path(self.path("t.pftrace"))
        said = self.passes("run", "calls", "--seed", "7", "--fault", "cpu.stalled:at=2", "--trace", str(trace))
        tracks, names = {}, []
        open_slices: dict[int, int] = {}
        last: dict[int, int] = {}
        for number, packet in fields(trace.read_bytes()):
            self.assertEqual(number, 1)
            members = dict(fields(packet))
            if 60 in members:
                track = dict(fields(members[60]))
                self.assertNotIn(track[1], tracks)
                tracks[track[1]] = track[2].decode()
                continue
            event = dict(fields(members[11]))
            self.assertIn(event[11], tracks)
            open_slices.setdefault(event[11], 0)
            open_slices[event[11]] += {1: 1, 2: -1, 3: 0}[event[9]]
            self.assertIn(open_slices[event[11]], (0, 1))
            if event[9] != 2:
                names.append(event[23].decode())
            if event[9] != 3:  # the turns of a processor follow each other
                self.assertGreaterEqual(members[8], last.get(event[11], 0))
                last[event[11]] = members[8]
        self.assertEqual(set(open_slices.values()), {0})
        for name in ("calls seed 7: processors", "cpu 0", "cpu 3"):
            self.assertIn(name, tracks.values())
        self.assertEqual(names.count("fault cpu.stalled"), 1)
        self.assertIn("turn: idle", names)
        self.assertIn("operation 0", names)
        self.assertEqual(len(names), int(re.search(r" (\d+) events", said)[1]))


class Differences(Files):
    def diff(self, one: tuple[str, ...], other: tuple[str, ...]) -> tuple[int, str]:
        for name, words in (("a", one), ("b", other)):
            self.passes("run", *words, "--record", self.path(name))
        done = run("diff", self.path("a"), self.path("b"))
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def marked(self, said: str) -> list[str]:
        return re.findall(r"^  > (.*)$", said, re.MULTILINE)

    def test_the_same(self) -> None:
        status, said = self.diff(("heap", "--seed", "3"), ("heap", "--seed", "3"))
        self.assertEqual(status, 0)
        self.assertRegex(said, r"^the runs are the same: \d+ events, hash [0-9a-f]{16}\n$")

    def test_two_seeds(self) -> None:
        status, said = self.diff(("heap", "--seed", "3"), ("heap", "--seed", "4"))
        self.assertEqual(status, 1)
        self.assertRegex(said, r"^the cases differ: seed: 3 / 4\nthe runs differ from event \d+ on\n")
        one, other = self.marked(said)
        self.assertNotEqual(one, other)

    def test_one_fault_is_the_difference(self) -> None:
        words = ("calls", "--seed", "7")
        status, said = self.diff(words, (*words, "--fault", "cpu.stalled:at=40"))
        self.assertEqual(status, 1)
        self.assertIn("the cases differ: faults: none / cpu.stalled:at=40", said)
        one, other = self.marked(said)
        self.assertRegex(other, r"^event \d+ at \d+ ns: processor \d: fault cpu.stalled$")
        event = int(re.search(r"from event (\d+) on", said)[1])
        for line in (one, other):
            self.assertIn(f"event {event} at", line)
        # Up to there the two are one run.
        before = str(event - 1)
        self.assertEqual(
            self.passes("run", "--replay", self.path("a"), "--until-event", before),
            self.passes("run", "--replay", self.path("b"), "--until-event", before),
        )

    def test_a_failure_at_a_point(self) -> None:
        words = ("heap", "--seed", "3", "--fault")
        status, said = self.diff((*words, "points.heap.allocate:at=300"), (*words, "points.heap.allocate:at=3000"))
        self.assertEqual(status, 1)
        self.assertIn(": fault points.heap.allocate", self.marked(said)[0])

    def test_another_number_of_operations(self) -> None:
        status, said = self.diff(("heap", "--operations", "80"), ("heap", "--operations", "20"))
        self.assertEqual(status, 1)
        self.assertIn("the cases differ: operations: 80 / 20\n", said)
        self.assertEqual(len(self.marked(said)), 2)

    def test_through_the_front(self) -> None:
        self.diff(("heap", "--seed", "3"), ("heap", "--seed", "4"))
        done = front("diff", self.path("a"), self.path("b"))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("the runs differ from event", done.stdout)
        done = front("diff", self.path("a"))
        self.assertEqual(done.returncode, FRONT_USAGE)
        done = front("--replay", self.path("a"), "--until-event", "1000")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^stopped behind event 1000, ")


if __name__ == "__main__":
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
