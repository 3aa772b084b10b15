"""The hosted kernel as a program: statuses, streams, signals, the terminal, and what it says when it fails.

    host_test.py PROGRAM [unittest's arguments]
"""

import json
import os
import pathlib
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time
import unittest

PROGRAM = pathlib.Path()
PATIENCE_S = 60
UNKNOWN_COMMAND = 3


def host(*options: str, **keywords) -> subprocess.CompletedProcess[str]:
    """Runs the program to its end; there is no input unless `input` gives some."""
    if "input" not in keywords:
        keywords.setdefault("stdin", subprocess.DEVNULL)
    keywords.setdefault("stdout", subprocess.PIPE)
    return subprocess.run(
        [str(PROGRAM), *options], stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S,
        check=False, **keywords,
    )  # fmt: skip


def wait_until(condition, what: str) -> None:
    """Waits for `condition()`; an event of the test itself, so that polling is no guess about time."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"never happened: {what}")
        select.select([], [], [], 0.01)


def sanitized() -> bool:
    """Whether the program carries AddressSanitizer, whose shadow no limit of address space admits."""
    return b"__asan_init" in PROGRAM.read_bytes()


class HostTest(unittest.TestCase):
    """What every test needs."""

    def expect(self, done: subprocess.CompletedProcess, status: int, line: str = "") -> None:
        """Checks the status; stderr is one line that matches `line`, or nothing."""
        self.assertEqual(done.returncode, status, f"{done.stdout}\n{done.stderr}")
        if line:
            self.assertRegex(done.stderr, f"^twofold-host: .*{line}")
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        else:
            self.assertEqual(done.stderr, "")


class Endings(HostTest):
    """Every way in which a run ends."""

    def test_commands_and_status(self) -> None:
        done = host("--command", "version; cpu; memmap; halt")
        self.expect(done, 0)
        self.assertTrue(done.stdout.startswith("Twofold "), done.stdout)
        self.expect(host("--command", "halt 5"), 5)
        self.expect(host("--command", "reset; halt 5"), 0)
        self.expect(host("--command", "no-such-command"), UNKNOWN_COMMAND)

    def test_piped_commands_end_with_the_input(self) -> None:
        done = host(input="version\nno-such-command\n")
        self.expect(done, UNKNOWN_COMMAND)
        self.assertEqual(len(done.stdout.splitlines()), 2, done.stdout)
        self.expect(host(input="no-such-command\nversion"), 0)
        self.expect(host(input=""), 0)
        self.expect(host(input="version\n\x04version\n"), 0)

    def test_script(self) -> None:
        with tempfile.NamedTemporaryFile("w") as script:
            script.write("version\nhalt 7")
            script.flush()
            self.expect(host("--script", script.name), 7)
        self.expect(host("--script", "/no/such/file"), 64, "there is no file")

    def test_panic(self) -> None:
        done = host("--command", "panic")
        self.expect(done, 70, "the kernel panicked: ")
        self.assertIn("KERNEL PANIC", done.stdout)
        self.assertIn("twofold::boot::", done.stdout)

    def test_panic_shows_the_edges(self) -> None:
        done = host("--command", "fault read")
        self.expect(done, 70, "the kernel panicked: #PF")
        self.assertRegex(
            done.stdout, r"last edges \(1 in all\):\n  tick \d+  fault refused  core/memory/space/"
        )

    def test_heap_without_checks_keeps_no_book(self) -> None:
        done = host("--command", "heap leaks")
        if done.returncode != 0:  # with checks: heap_checks_test.py
            self.expect(done, 1)
            self.assertIn("keeps no book of blocks (TWOFOLD_HEAP_CHECKS)", done.stdout)

    def test_little_memory(self) -> None:
        # The kernel carries its symbols, and those of a program with a sanitizer are megabytes.
        sanitized = b"__asan_init" in PROGRAM.read_bytes()
        for memory in ("8M",) if sanitized else ("4M", "8M"):
            with self.subTest(memory=memory):
                self.expect(host("--memory", memory, "--command", "mem; frames; heap; vm"), 0)

    def test_every_provoked_fault_is_the_kernels(self) -> None:
        for kind in ("read", "null", "write", "execute", "divide", "opcode", "stack"):
            done = host("--command", f"fault {kind}")
            self.expect(done, 70, "the kernel panicked: #")

    def test_json_and_results(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            results = pathlib.Path(folder) / "records.jsonl"
            done = host("--json", "--command", "version", "--results", str(results))
            self.expect(done, 0)
            self.assertEqual(json.loads(done.stdout)["status"], 0)
            records = [json.loads(line) for line in results.read_text().splitlines()]
        self.assertEqual(records[0]["type"], "hello")
        self.assertEqual(records[0]["machine"], "host")
        self.assertEqual(records[-1], {"type": "exit", "status": 0})

    def test_results_do_not_depend_on_the_window(self) -> None:
        outputs = {host("--window", str(window), "--command", "version; cpu").stdout for window in (0, 1, 47)}
        self.assertEqual(len(outputs), 1)

    def test_version_and_help(self) -> None:
        for option, text in (("--version", "0."), ("--help", "--command")):
            done = host(option)
            self.assertEqual(done.returncode, 0)
            self.assertIn(text, done.stdout)


class Processors(HostTest):
    """Processors that do not come, and how many are asked for."""

    def test_dead_processors_are_named_and_nobody_waits_for_them(self) -> None:
        done = host(
            "--cpus", "4", "--dead-processors", "2", "--timeout", "50", "--command", "ipi-bench 5; cpus; log",
        )  # fmt: skip
        self.expect(done, 0)
        pairs = re.findall(r"^ *(\d) +(\d) +5 ", done.stdout, re.MULTILINE)
        self.assertEqual(pairs, [(a, b) for a in "013" for b in "013"], done.stdout)
        self.assertRegex(done.stdout, r"(?m)^ +2 +2  uniform +0  timed_out +0 +0 ")
        self.assertIn("3 of 4 processors run", done.stdout)
        self.assertIn("processor 2 (hardware id 2) does not run: timed_out", done.stdout)

    def test_the_boot_processor_alone_answers(self) -> None:
        done = host("--cpus", "3", "--dead-processors", "1", "--timeout", "50", "--command", "ps; sched; threads; top")
        self.expect(done, 0)
        self.assertIn("idle-2", done.stdout)
        self.assertNotIn("idle-1", done.stdout)
        done = host("--cpus", "3", "--dead-processors", "1,2", "--timeout", "50", "--command", "cpus; vm")
        self.expect(done, 0)
        self.assertIn("1 of 3 processors run", done.stdout)

    def test_as_many_as_the_kernel_is_told(self) -> None:
        for option, processors, complaint in (
            ("cpus=2", "2 of 2", ""),
            ("cpus=1000", "4 of 4", ""),
            ("cpus=0", "4 of 4", "kernel command line: 'cpus': a number of processors, 1 at least"),
            ("cpus=x", "4 of 4", "kernel command line: 'cpus': a number of processors, 1 at least"),
        ):  # fmt: skip
            with self.subTest(option=option):
                done = host("--cpus", "4", "--append", option, "--command", "cpus; log")
                self.expect(done, 0)
                self.assertIn(f"{processors} processors run", done.stdout)
                self.assertIn(complaint, done.stdout)


class BadInput(HostTest):
    """One clear line that names what is wrong, and a status that is not zero."""

    def test_options(self) -> None:
        for options, line in (
            (["--no-such-option"], "no-such-option"),
            (["--memory", "0"], "needs some memory"),
            (["--memory", "900T"], "more than this host has"),
            (["--memory", "4097"], "not a multiple of 4K"),
            (["--memory", "1M"], "at least 4 MiB"),
            (["--memory", "lots"], "not a size"),
            (["--cpus", "1000"], "1 to 64 processors"),
            (["--core-classes", "P,X"], "list of core classes"),
            (["--dead-processors", "0"], "list of processors"),
            (["--cpus", "0"], "number of processors"),
            (["--cpus", "x"], "'x' is not a number of processors"),
            (["--cpus", "-1"], "'-1' is not a number of processors"),
            (["--cpus", "65"], "1 to 64 processors"),
            (["--dead-processors", "64"], "list of processors"),
            (["--dead-processors", "4", "--cpus", "4"], "processor 4 cannot be dead: .* there are 4"),
            (["--window", "99"], "window"),
            # A build that flips nothing has no such option, and one that does knows its operations.
            (["--mutant", "no_such_operation"], "mutant"),
            (["--timeout", "0"], "number of seconds"),
        ):  # fmt: skip
            with self.subTest(options=options):
                self.expect(host("--command", "version", *options), 64, line)

    def test_closed_streams(self) -> None:
        closes = {0: "<&-", 1: ">&-"}
        for number, status in ((0, 64), (1, 74)):
            command = ["sh", "-c", f'exec "$0" "$@" {closes[number]}', str(PROGRAM)]
            arguments = [] if number == 0 else ["--command", "version"]
            done = subprocess.run(
                [*command, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                timeout=PATIENCE_S, check=False,
            )  # fmt: skip
            self.expect(done, status, "is closed")

    def test_full_disk_and_closed_pipe(self) -> None:
        with open("/dev/full", "w") as full:
            self.expect(host("--command", "version", stdout=full), 74, "No space left on device")
        reader, writer = os.pipe()
        os.close(reader)
        with open(writer, "w") as pipe:
            self.expect(host("--command", "version", stdout=pipe), 74, "nobody reads standard output")

    def test_unwritable_results(self) -> None:
        self.expect(host("--command", "version", "--results", "/proc/no/such"), 74, "--results")
        self.expect(host("--command", "version", "--results", "/dev/full"), 74, "--results")

    def test_input_that_cannot_be_read(self) -> None:
        folder = os.open("/", os.O_RDONLY)
        try:
            self.expect(host(stdin=folder), 74, "cannot read standard input")
        finally:
            os.close(folder)

    def test_too_little_address_space(self) -> None:
        if sanitized():
            self.skipTest("a sanitized program does not start with so little")
        limit = 4 << 30
        done = host(
            "--command", "version",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        )  # fmt: skip
        self.expect(done, 64, "cannot reserve address space")


class Timeouts(HostTest):
    """A run that takes too long is ended, and says where it was."""

    def test_waiting_for_input(self) -> None:
        process = subprocess.Popen(
            [str(PROGRAM), "--timeout", "0.3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.assertEqual(process.wait(PATIENCE_S), 124)
        _, messages = process.communicate()
        self.assertRegex(messages, r"^twofold-host: no end after 0\.3 s; start-up was complete")
        # Who waits sleeps, so what the processor does is to idle.
        self.assertIn("twofold::boot::run_idle", messages)

    def test_blocked_output(self) -> None:
        reader, writer = os.pipe()
        with open(writer, "w") as pipe:
            done = host("--timeout", "0.5", stdout=pipe, input="help\n" * 2000)
        os.close(reader)
        self.assertEqual(done.returncode, 124, done.stderr)
        self.assertIn("kernel stack", done.stderr)

    def test_in_time(self) -> None:
        self.expect(host("--timeout", "50", "--command", "version"), 0)


class Terminal(HostTest):
    """A person's terminal: raw while the kernel runs, as it was afterwards, however that comes."""

    def setUp(self) -> None:
        self.leader, self.follower = pty.openpty()
        self.addCleanup(os.close, self.leader)
        self.addCleanup(os.close, self.follower)
        self.before = termios.tcgetattr(self.follower)
        self.seen = b""

    def start(self, *options: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [str(PROGRAM), *options], stdin=self.follower, stdout=self.follower, stderr=subprocess.PIPE,
            process_group=0,
        )  # fmt: skip
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_until(self.prompted, "a prompt")
        self.assertFalse(self.local_modes() & (termios.ECHO | termios.ICANON | termios.ISIG))
        return process

    def local_modes(self) -> int:
        return termios.tcgetattr(self.follower)[3]

    def prompted(self) -> bool:
        self.read()
        return b"twofold> " in self.seen

    def read(self) -> None:
        while select.select([self.leader], [], [], 0)[0]:
            self.seen += os.read(self.leader, 65536)

    def type(self, keys: bytes) -> None:
        os.write(self.leader, keys)

    def expect_end(self, process: subprocess.Popen, status: int) -> None:
        def ended() -> bool:
            self.read()  # or a full terminal would keep it
            return process.poll() is not None

        wait_until(ended, "the end of the program")
        self.messages = process.stderr.read().decode()
        self.assertEqual(process.returncode, status, self.messages)
        self.assertEqual(termios.tcgetattr(self.follower), self.before)

    def test_halt(self) -> None:
        process = self.start()
        self.type(b"halt 3\r")
        self.expect_end(process, 3)

    def test_end_of_input(self) -> None:
        process = self.start()
        self.type(b"\x04")
        self.expect_end(process, 0)

    def test_keys_of_the_program(self) -> None:
        process = self.start()
        self.type(b"abc\x03\x01h")
        wait_until(lambda: self.read() or b"ctrl-A x" in self.seen, "the help")
        self.type(b"\x01x")
        self.expect_end(process, 130)

    def test_panic(self) -> None:
        process = self.start()
        self.type(b"panic\r")
        self.expect_end(process, 70)

    def test_timeout(self) -> None:
        self.expect_end(self.start("--timeout", "0.5"), 124)

    def test_ending_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(number=number):
                self.seen = b""
                process = self.start()
                process.send_signal(number)
                self.expect_end(process, -number)

    def test_crashing_signals(self) -> None:
        for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE):
            with self.subTest(number=number):
                self.seen = b""
                process = self.start()
                process.send_signal(number)
                self.expect_end(process, 71)
                self.assertIn(f"the machine crashed: {number.name}", self.messages)

    def test_stopped_and_continued(self) -> None:
        process = self.start()
        raw = termios.tcgetattr(self.follower)
        process.send_signal(signal.SIGTSTP)
        wait_until(
            lambda: pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")")[1].split()[0] == "T",
            "the stop",
        )
        self.assertEqual(termios.tcgetattr(self.follower), self.before)
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: termios.tcgetattr(self.follower) == raw, "raw mode again")
        self.type(b"halt 4\r")
        self.expect_end(process, 4)


if __name__ == "__main__":
    PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
