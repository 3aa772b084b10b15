"""The launcher of the metal machine, as a program: statuses, streams, signals, what is left behind.

    boot_test.py LAUNCHER GUEST [unittest's arguments]

GUEST is the test guest (tests/apps/launch/guest), whose commands end a run in every way there is.
"""

import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time
import unittest

LAUNCHER = pathlib.Path()
GUEST = pathlib.Path()
PATIENCE_S = 110


def command_line(*options: str, machine: str = "microvm") -> list[str]:
    """The launcher's command line, for the test guest unless the options name another image."""
    image = [] if "--image" in options else ["--image", str(GUEST)]
    limit = [] if "--timeout" in options else ["--timeout", "90"]
    return [str(LAUNCHER), *image, "--machine", machine, *limit, *options]


def boot(*options: str, machine: str = "microvm", **keywords) -> subprocess.CompletedProcess[str]:
    """Runs the launcher to its end; there is no input unless `input` gives some."""
    if "input" not in keywords:
        keywords.setdefault("stdin", subprocess.DEVNULL)
    keywords.setdefault("stdout", subprocess.PIPE)
    arguments = command_line(*options, machine=machine)
    return finish(arguments, stderr=subprocess.PIPE, **keywords)


def finish(arguments: list[str], **keywords) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end."""
    return subprocess.run(arguments, text=True, timeout=PATIENCE_S, check=False, **keywords)


def start(*options: str, **keywords) -> subprocess.Popen[str]:
    """Starts the launcher, without input, and leaves it running."""
    keywords.setdefault("stderr", subprocess.PIPE)
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **keywords}
    return subprocess.Popen(command_line(*options), text=True, **streams)


def children_of(process: int) -> list[int]:
    """The processes whose parent is `process`."""
    path = pathlib.Path(f"/proc/{process}/task/{process}/children")
    return [int(word) for word in path.read_text().split()]


def is_alive(process: int) -> bool:
    """Whether `process` exists and is no zombie."""
    try:
        stat = pathlib.Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def wait_until(condition, what: str) -> None:
    """Waits for an event; looks again and again, so that no time has to be guessed."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"never happened: {what}")
        select.select([], [], [], 0.01)


class BootTest(unittest.TestCase):
    """What every test needs."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def expect(
        self, done: subprocess.CompletedProcess, status: int, out: str, line: str = ""
    ) -> None:
        """Checks status and output; a single line that matches `line` on stderr, or none."""
        self.assertEqual((done.returncode, done.stdout), (status, out), done.stderr)
        if line:
            self.assertRegex(done.stderr, f"^twofold-boot: {line}")
        else:
            self.assertEqual(done.stderr, "")

    def expect_line(self, done: subprocess.CompletedProcess, status: int, line: str) -> None:
        """As expect, without output, and stderr is one line in all."""
        self.expect(done, status, "", line)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)


class Endings(BootTest):
    """Every way in which a machine can end."""

    def test_status_of_the_last_command(self) -> None:
        for machine in ("microvm", "q35"):
            self.expect(boot("--command", "say hello; exit 5", machine=machine), 5, "hello\n")
        self.expect(boot("--command", "what"), 1, "unknown command: what\n")

    def test_quotes_and_backslashes_arrive(self) -> None:
        self.expect(boot("--command", r"say it's \ ok"), 0, "it's \\ ok\n")

    def test_panic(self) -> None:
        self.expect_line(boot("--command", "panic oh no"), 70, "the kernel panicked: oh no")
        self.expect_line(boot("--command", "die-panicking"), 70, "the machine died while .*: dying")

    def test_triple_fault_and_power_off(self) -> None:
        self.expect_line(boot("--command", "reset"), 71, "the machine reset")
        done = boot("--command", "poweroff", machine="q35")
        self.expect_line(done, 71, "the emulator ended by guest-shutdown")

    def test_record_and_device_must_agree(self) -> None:
        for command, line in (
            ("halt-record 3", "the exit record says 3, the emulator 0"),
            ("mute-exit 0", "the machine ended with 0 and no exit record"),
            ("mute-exit 70", "the machine ended with 70 and no exit record"),
        ):
            self.expect_line(boot("--command", command), 71, line)

    def test_images_own_start_fails(self) -> None:
        done = boot("--append", "stub-fails", "--command", "x")
        self.assertEqual((done.returncode, done.stdout), (70, ""))
        self.assertIn("the kernel never spoke", done.stderr)
        self.assertIn("stub: the payload is damaged", done.stderr)

    def test_emulator_killed(self) -> None:
        launcher = start("--command", "say up; hang")
        with launcher:
            self.assertEqual(launcher.stdout.readline(), "up\n")
            os.kill(children_of(launcher.pid)[0], signal.SIGKILL)
            self.assertIn("killed by signal 9", launcher.stderr.read())
        self.assertEqual(launcher.returncode, 71)


class Hanging(BootTest):
    """The launcher ends what hangs, and says where it hung."""

    def hang(self, *options: str) -> str:
        done = boot("--timeout", "1", *options)
        self.assertEqual(done.returncode, 124, done.stderr)
        return done.stderr

    def test_backtrace_names_the_functions(self) -> None:
        report = self.hang("--command", "say a; hang")
        self.assertIn("no end after 1 s; start-up was complete", report)
        self.assertIn("the last command that ended: 'say a'", report)
        frames = re.findall(r"#(\d+) +0x[0-9a-f]{16} (.+)\+0x", report)
        self.assertEqual([number for number, _ in frames], [str(n) for n in range(len(frames))])
        names = [name.replace("(anonymous namespace)::", "").split("(")[0] for _, name in frames]
        wanted = "spin_for_ever wait_for_nothing run run_and_record run_quoted guest_main start64"
        self.assertEqual(names, wanted.split())
        self.assertIn("RIP=", report)
        self.assertNotIn("XMM", report)

    def test_step_and_all_processors(self) -> None:
        report = self.hang("--cpus", "2", "--append", "step-hangs", "--command", "x")
        self.assertIn("the last start-up step was 'memory' (started)", report)
        self.assertIn("processor 0:", report)
        self.assertIn("processor 1:", report)

    def test_kernel_that_never_starts(self) -> None:
        self.assertIn("the kernel never started", self.hang("--append", "silent"))

    def test_debug_file_is_preferred(self) -> None:
        image = self.folder / "k.elf"
        image.write_bytes(GUEST.read_bytes())
        (self.folder / "k.debug.elf").write_bytes(b"not an ELF file")
        report = self.hang("--image", str(image), "--command", "hang")
        self.assertIn("the image has no symbols", report)


class Streams(BootTest):
    """Input, output and results."""

    def test_piped_input_ends_the_run(self) -> None:
        self.expect(boot(input="say one\nwhat\nsay two"), 0, "one\nunknown command: what\ntwo\n")
        self.expect(boot(input=""), 0, "")
        self.expect(boot(), 0, "")

    def test_long_input_is_not_lost(self) -> None:
        lines = [f"say {number}" for number in range(3000)]
        wanted = "".join(line[4:] + "\n" for line in lines)
        self.expect(boot(input="\n".join(lines)), 0, wanted)

    def test_script(self) -> None:
        script = self.folder / "script"
        script.write_text("say one\nexit 9\nsay two")
        self.expect(boot("--script", str(script)), 9, "one\n")

    def test_command_line_of_the_kernel(self) -> None:
        done = boot("--append", "show-command-line x=1", "--json")
        self.assertRegex(
            done.stdout, r"^nonce=[0-9a-f]{16} console=pipe json=on show-command-line x=1\n$"
        )

    def test_results_are_json_lines(self) -> None:
        results = self.folder / "results"
        done = boot("--command", "value x; noise; value y; exit 2", "--results", str(results))
        self.expect(done, 2, "")
        records = [json.loads(line) for line in results.read_text().splitlines()]
        self.assertEqual(records[0]["machine"], "metal")
        self.assertEqual(records[-1], {"type": "exit", "status": 2})
        values = [record for record in records if record["type"] == "value"]
        value = {"type": "value", "scenario": "guest", "bytes": "01ff"}
        self.assertEqual(values, [value | {"name": name} for name in "xy"])

    def test_full_disk(self) -> None:
        done = boot("--command", "exit 0", "--results", "/dev/full")
        self.expect_line(done, 74, "--results: cannot write '/dev/full': No space left")
        with open("/dev/full", "w", encoding="ascii") as full:
            done = boot("--command", "flood 10", stdout=full)
        self.assertEqual(done.returncode, 74)
        self.assertRegex(done.stderr, "^twofold-boot: cannot write to standard output: No .*\n$")

    def test_results_where_no_folder_can_be(self) -> None:
        (self.folder / "no").write_text("a file")
        done = boot("--command", "exit 0", "--results", str(self.folder / "no" / "file"))
        self.expect_line(done, 74, "--results: cannot create")

    def test_reader_that_goes_away(self) -> None:
        launcher = start("--command", "flood 100000000")
        with launcher:
            launcher.stdout.readline()
            launcher.stdout.close()
            self.assertIn("nobody reads standard output", launcher.stderr.read())
        self.assertEqual(launcher.returncode, 74)

    def test_reader_that_is_slow_still_gets_everything(self) -> None:
        launcher = start("--command", "flood 6000; say end", stderr=subprocess.DEVNULL)
        with launcher:
            launcher.stdout.readline()
            # Nothing is read until the guest has ended and the launcher alone holds the output.
            emulator = children_of(launcher.pid)[0]
            wait_until(lambda: not is_alive(emulator), "the end of the emulator")
            lines = launcher.stdout.read().splitlines()
        self.assertEqual((len(lines), lines[-1], launcher.returncode), (6000, "end", 0))

    def test_closed_streams(self) -> None:
        def run_with(redirection: str, *options: str) -> subprocess.CompletedProcess[str]:
            shell = ["sh", "-c", f'exec "$@" {redirection}', "sh"]
            return finish([*shell, *command_line(*options)], capture_output=True)

        self.expect_line(run_with("<&-"), 64, "standard input is closed")
        self.expect(run_with("<&-", "--command", "say hi"), 0, "hi\n")
        self.expect_line(run_with(">&-", "--command", "say hi"), 74, "standard output is closed")
        self.assertEqual(run_with("2>&-", "--command", "say hi").stdout, "hi\n")


class BadInput(BootTest):
    """One clear line and a status that is not 0."""

    def launch(self, *arguments: str, **keywords) -> subprocess.CompletedProcess[str]:
        streams = {"stdin": subprocess.DEVNULL, "capture_output": True}
        return finish([str(LAUNCHER), *arguments], **streams, **keywords)

    def test_images(self) -> None:
        whole = GUEST.read_bytes()
        image = self.folder / "k.elf"
        for content, wanted in (
            (b"", "is empty"),
            (b"#!/bin/sh\n", "is no kernel image"),
            (whole[:100], "is truncated"),
            (whole[:5000], "is truncated"),
            (whole.replace(b"Xen\0", b"xEN\0"), "has no PVH entry note"),
        ):
            image.write_bytes(content)
            done = self.launch("--image", str(image), "--command", "x")
            self.expect_line(done, 64, f"the image '{image}' {wanted}.*; build it again")
        done = self.launch("--image", str(self.folder / "none"), "--command", "x")
        self.expect_line(done, 69, "there is no image '")

    def test_missing_programs(self) -> None:
        environment = dict(os.environ, PATH=str(self.folder))
        done = self.launch("--image", str(GUEST), "--command", "x", env=environment)
        self.expect_line(done, 69, "qemu-system-x86_64 is not installed; install it with")

    def test_options(self) -> None:
        self.expect_line(boot("--memory", "0"), 64, "--memory: a machine needs some memory")
        for cpus in ("0", "x", "-1", "1025"):
            line = f"--cpus: '{cpus}' is not a number of processors from 1 to 1024"
            self.expect_line(boot("--cpus", cpus, "--command", "x"), 64, line)
        self.expect_line(boot("--colour"), 64, ".*--colour")
        self.expect_line(boot("--uefi"), 64, "--uefi needs --iso")
        self.expect_line(boot("--command", "a\nb"), 64, "--command: byte 1 is the control char")

    def test_what_the_emulator_refuses(self) -> None:
        done = boot("--cpus", "1000", "--command", "x")
        self.expect_line(done, 64, "the emulator refused to start: .*288")
        self.expect_line(boot("--qemu-arg", "-bogus", "--command", "x"), 64, ".*-bogus")

    def test_emulator_that_dies_at_once(self) -> None:
        program = self.folder / "qemu-system-x86_64"
        program.write_text("#!/bin/sh\nkill -SEGV $$\n")
        program.chmod(0o755)
        environment = dict(os.environ, PATH=f"{self.folder}:{os.environ['PATH']}")
        done = self.launch("--image", str(GUEST), "--command", "x", env=environment)
        self.expect_line(done, 71, "the emulator was killed by signal 11")


class Leaving(BootTest):
    """However the launcher ends, nothing is left running and the terminal is as it was."""

    def test_signals_end_the_emulator(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            launcher = start("--command", "say up; hang")
            with launcher:
                self.assertEqual(launcher.stdout.readline(), "up\n")
                emulator = children_of(launcher.pid)[0]
                launcher.send_signal(number)
                self.assertIn(f"ended by signal {int(number)}", launcher.stderr.read())
            self.assertEqual(launcher.returncode, 128 + number)
            self.assertFalse(is_alive(emulator))

    def test_emulator_dies_with_a_killed_launcher(self) -> None:
        launcher = start("--command", "say up; hang", stderr=subprocess.DEVNULL)
        with launcher:
            self.assertEqual(launcher.stdout.readline(), "up\n")
            emulator = children_of(launcher.pid)[0]
            launcher.kill()
        wait_until(lambda: not is_alive(emulator), "the end of the emulator")

    def talk(self, options: list[str], keys: bytes, after: bytes, during) -> tuple[int, bytes]:
        """Runs the launcher on a terminal; once it has printed `after`, calls `during` and types
        `keys`. Checks that the terminal is as it was. Returns status and output."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        before = termios.tcgetattr(slave)
        launcher = subprocess.Popen(
            command_line(*options), stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        output = b""
        typed = False
        while launcher.poll() is None or select.select([master], [], [], 0)[0]:
            if select.select([master], [], [], 0.05)[0]:
                output += os.read(master, 65536)
            if not typed and after in output:
                during(launcher, slave)
                os.write(master, keys)
                typed = True
        self.assertTrue(typed, output)
        self.assertEqual(termios.tcgetattr(slave), before)
        return launcher.returncode, output

    def expect_raw(self, _launcher: subprocess.Popen, slave: int) -> None:
        flags = termios.tcgetattr(slave)[3]
        self.assertEqual(flags & (termios.ECHO | termios.ICANON | termios.ISIG), 0)

    def test_terminal(self) -> None:
        show = ["--append", "show-command-line"]
        asked = b"console=interactive show-command-line"
        status, output = self.talk(show, b"say one\n\x04", asked, self.expect_raw)
        self.assertEqual((status, b"one\r\n" in output), (0, True), output)
        status, output = self.talk(show, b"\x01hexit 1\x01x", asked, self.expect_raw)
        self.assertEqual(status, 130)
        self.assertIn(b"end the machine", output)
        status, output = self.talk(show, b"hang\n\x01x", asked, self.expect_raw)
        self.assertEqual(status, 130)

    def test_terminal_is_restored_by_a_signal(self) -> None:
        def terminate(launcher: subprocess.Popen, slave: int) -> None:
            self.expect_raw(launcher, slave)
            launcher.terminate()

        show = ["--append", "show-command-line"]
        status, _ = self.talk(show, b"", b"console=interactive", terminate)
        self.assertEqual(status, 143)


class Debugging(BootTest):
    """A debugger can take over from the first instruction on."""

    def test_gdb_socket(self) -> None:
        environment = dict(os.environ, TMPDIR=str(self.folder))
        launcher = start("--gdb", "--command", "exit 4", env=environment)
        with launcher:
            line = launcher.stderr.readline()
            match = re.search(r"gdb -ex 'target remote ([^']+)' (\S+)", line)
            self.assertIsNotNone(match, line)
            self.assertEqual(match[2], str(GUEST))
            wait_until(lambda: os.path.exists(match[1]), "the debugger's socket")
            self.assertIsNone(launcher.poll())
            launcher.terminate()
        self.assertEqual(launcher.returncode, 143)
        self.assertEqual(list(self.folder.iterdir()), [])


class Accelerators(BootTest):
    """The choice between TCG and KVM is measured once and remembered."""

    def test_remembered_choice_is_taken(self) -> None:
        environment = dict(os.environ, XDG_CACHE_HOME=str(self.folder))
        if not os.access("/dev/kvm", os.R_OK | os.W_OK):
            self.skipTest("this host has no /dev/kvm to choose")
        first = boot("--accel", "auto", "--verbose", "--command", "exit 0", env=environment)
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertRegex(first.stderr, r"tcg: status 0 after \d")
        self.assertIn("kvm: status ", first.stderr)
        files = list((self.folder / "twofold").iterdir())
        self.assertEqual(len(files), 1)
        self.assertIn(files[0].read_text(), ("kvm\n", "tcg\n"))
        files[0].write_text("tcg\n")
        second = boot("--accel", "auto", "--verbose", "--command", "exit 3", env=environment)
        self.assertEqual(second.returncode, 3)
        self.assertIn(f"tcg by {files[0]}", second.stderr)
        self.assertIn("-accel tcg", second.stderr)

    def test_counted_time_repeats(self) -> None:
        self.expect(boot("--icount", "--command", "say a; exit 6"), 6, "a\n")


if __name__ == "__main__":
    LAUNCHER, GUEST = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
