"""The laboratory inside of kernels: the same schedules as in the process, and what is said when they
are not.

    machines_test.py BUILD MACHINE DATA MUTANTS [unittest's arguments]
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path()
MACHINE = ""
DATA = pathlib.Path()
MUTANTS = ""
PATIENCE_S = 240
USAGE, UNAVAILABLE, IO, TIMEOUT = 64, 69, 74, 124
GENERATED = ("interactive", "server", "periodic", "convoy", "messaging", "inference", "offload", "mixed")
POLICIES = "edf,fifo,rr,stride,eevdf,inference,batch"


def run(*options: str, program: pathlib.Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program or BUILD / "apps/sched/twofold-sched"), *options], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


class MachineTest(unittest.TestCase):
    def setUp(self) -> None:
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)

    def tearDown(self) -> None:
        self.temporary.cleanup()

    def expect_refused(self, done: subprocess.CompletedProcess, status: int, text: str) -> None:
        """The status, and one line on stderr that says what is wrong."""
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertIn(text, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertEqual(done.stdout, "")

    def write(self, text: str) -> str:
        path = self.folder / "workload"
        path.write_text(text)
        return str(path)


class Equal(MachineTest):
    def expect_equal(self, *options: str) -> dict:
        """The report of the machine is that of the process."""
        process = run(*options, "--json")
        machine = run(*options, "--json", "--machine", MACHINE)
        self.assertEqual(machine.returncode, process.returncode, machine.stderr)
        self.assertEqual(machine.stderr, "")
        report = json.loads(machine.stdout)
        self.assertEqual(report["machine"], MACHINE)
        self.assertEqual(report | {"machine": "process"}, json.loads(process.stdout))
        return report

    def test_every_generated_workload(self) -> None:
        for name in GENERATED:
            seconds = "0.02" if name == "messaging" else "0.2"
            report = self.expect_equal("--workload", name, "--seconds", seconds, "--compare", POLICIES)
            self.assertEqual(len(report["runs"]), 7)
            for one in report["runs"]:
                self.assertGreater(one["happenings"], 20)

    def test_examples_of_rt_app_and_recordings(self) -> None:
        for name in ("tenth.json", "wanderer.json", "player.json", "storm.perf.txt", "storm.trace-cmd.txt"):
            self.expect_equal("--workload", str(DATA / name), "--seconds", "0.5", "--compare", "eevdf,rr")

    def test_every_event_of_rt_app(self) -> None:
        events = (
            '"lock": "m", "run0": 50, "wait": {"ref": "c", "mutex": "m"}, "unlock": "m", "barrier": "b", "yield": ""',
            '"run0": 200, "lock": "m", "signal": "c", "unlock": "m", "runtime": 30, "barrier": "b", "suspend": "s"',
            '"run0": 300, "broad": "c", "sleep": 70, "barrier": "b", "resume": "s", "sleep1": 900, '
            '"timer": {"ref": "t", "period": 5000, "mode": "absolute"}',
        )
        tasks = ", ".join(f'"t{i}": {{"loop": 20, {events[i]}}}' for i in range(3))
        path = self.write('{"global": {"pi_enabled": true, "duration": 1}, "tasks": {%s}}' % tasks)
        report = self.expect_equal("--workload", path, "--cpus", "1", "--compare", POLICIES, "--switch-cost", "700")
        for one in report["runs"]:
            self.assertEqual(one["switch_cost_ns"], 700)
            self.assertGreater(one["cpus"][0]["overhead_ns"], 0)

    def test_many_threads_on_many_processors(self) -> None:
        task = '{"instance": 1500, "loop": 2, "run": 10, "sleep": 200}'
        path = self.write('{"tasks": {"t": %s}}' % task)
        self.expect_equal("--workload", path, "--cpus", "64", "--nodes", "4", "--seconds", "0.01")

    def test_a_refusal_and_a_thread_that_goes_round(self) -> None:
        thread = '{"policy": "SCHED_DEADLINE", "dl-runtime": 6000, "dl-period": 10000, "run": 1}'
        path = self.write('{"tasks": {"a": %s, "b": %s}}' % (thread, thread))
        (one,) = self.expect_equal("--workload", path, "--cpus", "1")["runs"]
        self.assertEqual((one["refused"]["thread"], one["refused"]["error"]), ("b", "no_space"))
        self.assertIn("0.600 of a processor", one["refused"]["reason"])
        (one,) = self.expect_equal("--workload", self.write('{"tasks": {"spinner": {"yield": ""}}}'))["runs"]
        self.assertEqual(one["stuck"], "spinner")

    def test_traces_and_pictures_are_the_same(self) -> None:
        for suffix, option in (("pftrace", "--trace"), ("svg", "--plot")):
            made = []
            for machine in ("process", MACHINE):
                path = self.folder / f"{machine}.{suffix}"
                done = run("--workload", str(DATA / "player.json"), "--seconds", "0.5", "--machine", machine,
                           option, str(path))  # fmt: skip
                self.assertEqual(done.returncode, 0, done.stderr)
                made.append(path.read_bytes())
            self.assertEqual(made[0], made[1])

    def test_a_table_names_the_machine(self) -> None:
        done = run("--workload", "convoy", "--seconds", "0.1", "--machine", MACHINE, "--switch-cost", "measured")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, rf"(?m)^machine +{MACHINE}$")
        self.assertRegex(done.stdout, r"(?m)^policy +eevdf, [1-9]\d* ns a switch \(measured\)$")
        self.assertRegex(done.stdout, r"(?m)^schedule +\d+ happenings, checksum [0-9a-f]{8}$")


class Different(MachineTest):
    """A machine's program that is not what it should be stands beside a copy of the laboratory."""

    def impostor(self, body: str) -> pathlib.Path:
        """`body` is a shell script; `$real` in it is the machine's own program."""
        name = "twofold-boot" if MACHINE == "metal" else f"twofold-sched-{MACHINE}"
        real = BUILD / ("apps/launch" if MACHINE == "metal" else "apps/host") / name
        shutil.copy(BUILD / "apps/sched/twofold-sched", self.folder)
        script = self.folder / name
        script.write_text(f"#!/bin/bash\nreal={real}\n{body}\n")
        script.chmod(0o755)
        return self.folder / "twofold-sched"

    def run_with(self, body: str, *options: str) -> subprocess.CompletedProcess[str]:
        chosen = options or ("--workload", "convoy", "--seconds", "0.1", "--policy", "rr")
        return run(*chosen, "--machine", MACHINE, program=self.impostor(body))

    def test_another_schedule_is_noticed_and_its_first_happening_named(self) -> None:
        done = self.run_with('exec "$real" "${@/sched-run rr 0;/sched-run rr 900;}"')
        self.expect_refused(done, 1, f"{MACHINE}: the schedule under 'rr' is not the one of this process: happening ")
        self.assertRegex(done.stderr, r"happening \d+: .* at \d+ ns, and not: .* at \d+ ns\n$")

    def test_a_changed_record_is_noticed(self) -> None:
        body = """
            "$real" "$@" || exit
            while [[ $1 != --results ]]; do shift; done
            sed -i -E '/"name":"0"/s/"bytes":"../"bytes":"22/' "$2" """
        self.expect_refused(self.run_with(body), IO, "under 'rr' is not whole: its checksum is another")
        body = body.replace("s/\"bytes\":\"../\"bytes\":\"22/", "d")
        self.expect_refused(self.run_with(body), IO, "under 'rr' is not whole: there is no value '0'")
        body = body.replace("sed -i -E '/\"name\":\"0\"/d'", "sed -i 's/sched rr/sched fifo/'")
        self.expect_refused(self.run_with(body), IO, f"{MACHINE}: nothing under 'rr' was recorded")

    def test_a_changed_workload_is_noticed(self) -> None:
        body = """
            arguments=("$@")
            while [[ $1 != --module ]]; do shift; done
            printf 'XX' | dd of="$2" bs=1 seek=60 conv=notrunc status=none
            exec "$real" "${arguments[@]}" """
        self.expect_refused(
            self.run_with(body), UNAVAILABLE,
            f"{MACHINE}: sched-run: the workload is refused: it is none, or was changed",
        )  # fmt: skip
        body = body.replace("printf 'XX' | dd of=\"$2\" bs=1 seek=60 conv=notrunc status=none", 'truncate -s 90 "$2"')
        self.expect_refused(self.run_with(body), UNAVAILABLE, "the workload is refused: it ends too early")

    def test_too_little_memory_is_said(self) -> None:
        path = self.write('{"tasks": {"t": {"instance": 60000, "loop": 1, "run": 1}}}')
        done = self.run_with('exec "$real" "${@/%[0-9]*M/48M}"', "--workload", path)
        self.expect_refused(done, UNAVAILABLE, "the workload is refused: it does not fit into the kernel's memory")

    def test_a_mutant_of_the_dispatcher_is_noticed(self) -> None:
        if MUTANTS != "selected" or MACHINE != "host":
            self.skipTest("this build has no mutants")
        chosen = ("--workload", "convoy", "--seconds", "0.1", "--policy", "stride")
        done = self.run_with('exec "$real" "$@" --mutant schedule_preempts', *chosen)
        self.expect_refused(done, 1, "the schedule under 'stride' is not the one of this process: happening ")

    def test_programs_that_do_not_answer(self) -> None:
        self.expect_refused(self.run_with("echo it is no use >&2; exit 3"), UNAVAILABLE, f"{MACHINE}: it is no use")
        self.expect_refused(self.run_with("kill -9 $$"), 71, f"{MACHINE}: ")
        self.expect_refused(self.run_with("exit 0"), IO, "nothing under 'rr' was recorded")
        program = self.impostor("")
        for name in ("twofold-boot", "twofold-sched-host", "twofold-sched-sim"):
            if (self.folder / name).exists():
                os.remove(self.folder / name)
        done = run("--workload", "convoy", "--machine", MACHINE, program=program)
        self.expect_refused(done, UNAVAILABLE, "is not beside this one")

    def test_an_interrupt_is_the_end_of_both(self) -> None:
        program = self.impostor(": >started; exec sleep 60")
        temporary = self.folder / "temporary"
        temporary.mkdir()
        with subprocess.Popen(
            [str(program), "--workload", "convoy", "--machine", MACHINE], cwd=self.folder, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"TMPDIR": str(temporary)},
        ) as started:  # fmt: skip
            while not (self.folder / "started").exists():
                self.assertIsNone(started.poll())
            os.killpg(started.pid, signal.SIGINT)
            self.assertEqual(started.wait(PATIENCE_S), 130)
        self.assertEqual(list(temporary.iterdir()), [])

    def test_time_that_runs_out(self) -> None:
        done = run("--workload", "interactive", "--seconds", "1000", "--machine", MACHINE, "--timeout", "0.3")
        self.expect_refused(done, TIMEOUT, f"{MACHINE}: ")


class Live(MachineTest):
    """Threads of the hosted kernel, in real time, or of the simulated one."""

    machine = {"host": "live", "sim": "live-sim"}.get(MACHINE, "")

    def setUp(self) -> None:
        super().setUp()
        if not self.machine:
            self.skipTest("live runs are the hosted kernel's, and the simulated one's")

    def live(self, *options: str) -> dict:
        done = run(*options, "--machine", self.machine, "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["machine"], self.machine)
        for one in report["runs"]:
            self.assertIsNone(one["switch_cost_ns"])
            self.assertIsNone(one["checksum"])
            self.assertIsNone(one["fairness"])
        return report

    def test_generated_workloads_under_all_policies(self) -> None:
        for name in ("interactive", "convoy", "messaging"):
            report = self.live("--workload", name, "--seconds", "0.05", "--compare", POLICIES)
            self.assertEqual(len(report["runs"]), 7)
            for one in report["runs"]:
                self.assertGreater(sum(thread["ran_ns"] for thread in one["threads"]), 0)
                for cpu in one["cpus"]:
                    self.assertGreaterEqual(cpu["idle_ns"], 0)

    def test_a_thread_computes_as_long_as_it_is_to(self) -> None:
        path = self.write('{"tasks": {"t": {"instance": 3, "loop": 4, "run": 2000, "sleep": 500}}}')
        (one,) = self.live("--workload", path, "--cpus", "2", "--seconds", "30")["runs"]
        for thread in one["threads"]:
            self.assertGreaterEqual(thread["ran_ns"], 8_000_000)
            self.assertEqual(thread["wakes"], 5)
            self.assertEqual(thread["wake_latency_ns"]["count"], 5)

    def test_examples_of_rt_app(self) -> None:
        for name, thread in (("tenth.json", "tenth"), ("wanderer.json", "wanderer"), ("player.json", "track")):
            (one,) = self.live("--workload", str(DATA / name), "--seconds", "0.3")["runs"]
            figures = {each["name"]: each for each in one["threads"]}
            self.assertGreater(figures[thread]["ran_ns"], 0)

    def test_a_refusal_by_admission_control(self) -> None:
        thread = '{"policy": "SCHED_DEADLINE", "dl-runtime": 6000, "dl-period": 10000, "run": 1}'
        path = self.write('{"tasks": {"a": %s, "b": %s}}' % (thread, thread))
        done = run("--workload", path, "--cpus", "1", "--machine", self.machine, "--seconds", "1")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("refused by admission control: thread 'b': ", done.stdout)

    def test_what_cannot_be_live_is_refused(self) -> None:
        live = ("--machine", self.machine, "--seconds", "0.1")
        reasons = {"offload": "the operation 'offload' needs a device", "mixed": "a processor is slower than others"}
        for workload, text in reasons.items():
            done = run("--workload", workload, *live)
            self.expect_refused(done, UNAVAILABLE, f"{self.machine}: sched-live: the workload is refused: {text}")
        locks = ", ".join(f'"lock{i}": "m{i}"' for i in range(9))
        done = run("--workload", self.write('{"tasks": {"t": {%s}}}' % locks), *live)
        self.expect_refused(done, UNAVAILABLE, "a thread takes more than 8 mutexes at one time")
        done = run("--workload", "server", *live, "--trace", str(self.folder / "trace"))
        self.expect_refused(done, USAGE, f"--machine {self.machine} records no schedule")
        done = run("--workload", "server", *live, "--switch-cost", "measured")
        self.expect_refused(done, USAGE, f"--machine {self.machine} excludes --switch-cost")

    def test_time_that_is_real_has_to_suffice(self) -> None:
        if self.machine != "live":
            self.skipTest("virtual time is not the host's")
        done = run("--workload", "server", "--machine", "live", "--seconds", "9", "--timeout", "9")
        self.expect_refused(done, USAGE, "--timeout is less than the runs take")

    def test_virtual_time_repeats(self) -> None:
        if self.machine != "live-sim":
            self.skipTest("real time does not")
        asked = ("--workload", "convoy", "--cpus", "2", "--seconds", "0.05", "--compare", "rr,eevdf")
        self.assertEqual(self.live(*asked), self.live(*asked))


class Kernel(MachineTest):
    """The kernel's own command, without the laboratory."""

    def command(self, *options: str) -> subprocess.CompletedProcess[str]:
        if MACHINE == "metal":
            return run("--image", "sched", *options, program=BUILD / "apps/launch/twofold-boot")
        return run(*options, program=BUILD / f"apps/host/twofold-sched-{MACHINE}")

    def test_bad_arguments_are_refused(self) -> None:
        for line, text, status in (
            ("sched-run", "sched-run: too few arguments", 2),
            ("sched-run rr", "sched-run: too few arguments", 2),
            ("sched-run fair 0", "sched-run: there is no policy 'fair'", 2),
            ("sched-run rr -1", "sched-run: '-1' is no number; NS is what a switch costs, in nanoseconds", 2),
            ("sched-run rr 1000000001", "is not a number of nanoseconds", 2),
            ("sched-run rr 0 0", "too many arguments", 2),
            ("sched-live", "sched-live: too few arguments", 2),
            ("sched-live fair", "sched-live: there is no policy 'fair'", 2),
            ("sched-live rr", "sched-live: the machine was given no workload as its module", 1),
            ("sched-run rr 0", "sched-run: the machine was given no workload as its module", 1),
        ):
            done = self.command("--command", line)
            self.assertEqual(done.returncode, status, line)
            self.assertIn(text, done.stdout)

    def test_a_module_that_is_no_workload(self) -> None:
        path = self.write("hello\n")
        done = self.command("--module", path, "--command", "sched-run rr 0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the workload is refused: it ends too early", done.stdout)


if __name__ == "__main__":
    BUILD, MACHINE, DATA, MUTANTS = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3]), sys.argv[4]
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]])
