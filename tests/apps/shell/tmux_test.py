"""The shell in a terminal that people use: a pane of tmux, with a shell in it that starts the machine. What the pane
shows is compared, row by row, and after each way out the pane is as it was.

    tmux_test.py [--name=COMMAND...] [unittest's arguments]

Each COMMAND starts a machine at a terminal. Skipped (77) where there is no tmux.
"""

import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import person_test
from person_test import MACHINES, PATIENCE_S

SKIPPED = 77
COLUMNS, ROWS = 80, 24
PANE_PROMPT = "pane$"
PROMPT = "twofold>"


class Pane:
    """A server of tmux with one pane, in which a shell of POSIX waits for lines."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.socket = str(pathlib.Path(self.folder.name) / "socket")
        shell = ["env", f"PS1={PANE_PROMPT} ", "ENV=", "sh", "-i"]
        self.tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "-c", self.folder.name, shlex.join(shell))
        self.lines_run = 0
        self.shell = int(self.ask("#{pane_pid}"))
        self.wait_for_prompt(PANE_PROMPT)
        self.run("ulimit -c 0")

    def close(self) -> None:
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], check=False, stderr=subprocess.DEVNULL)
        self.folder.cleanup()

    def tmux(self, *words: str) -> str:
        command = ["tmux", "-u", "-f", "/dev/null", "-S", self.socket, *words]
        done = subprocess.run(
            command, check=False, text=True, timeout=PATIENCE_S, env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        if done.returncode != 0:
            raise AssertionError(f"tmux {words}: {done.stderr}")
        return done.stdout

    def ask(self, what: str) -> str:
        return self.tmux("display-message", "-p", what).strip()

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-l", "--", text)

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def rows(self) -> list[str]:
        return [row.rstrip() for row in self.tmux("capture-pane", "-p").split("\n")[:ROWS]]

    def wait(self, condition, what: str) -> list[str]:
        """The rows, once condition(rows) holds."""
        end = time.monotonic() + PATIENCE_S
        while not condition(rows := self.rows()):
            if time.monotonic() > end:
                shown = "\n".join(rows)
                raise AssertionError(f"never seen: {what}; there was:\n{shown}")
            select.select([], [], [], 0.02)
        return rows

    def wait_for(self, text: str) -> list[str]:
        return self.wait(lambda rows: any(text in row for row in rows), repr(text))

    def wait_for_prompt(self, prompt: str = PROMPT) -> list[str]:
        """The last row that is not empty is a prompt with nothing behind it."""
        return self.wait(lambda rows: next((row for row in reversed(rows) if row), "") == prompt, prompt)

    def expect(self, rows: list[str]) -> None:
        """The screen shows these rows and nothing below them."""
        self.wait(lambda shown: shown == rows + [""] * (ROWS - len(rows)), "\n".join(rows))

    def run(self, line: str) -> None:
        """A line of the pane's own shell, which prints nothing."""
        self.lines_run += 1
        self.type(f"{line}; clear; echo line {self.lines_run}")
        self.press("C-j")  # what enter is to a pane that is raw, too
        self.expect([f"line {self.lines_run}", PANE_PROMPT])

    def run_for_text(self, line: str) -> str:
        file = pathlib.Path(self.folder.name) / "said"
        self.run(f"{line} >{file.name}")
        return file.read_text().strip()

    def read_settings(self) -> str:
        return self.run_for_text("stty -g")

    def read_status(self) -> int:
        """That of the line before."""
        return int(self.run_for_text("echo $?"))

    def pasted(self) -> str:
        """What a program that knows nothing of brackets gets when somebody pastes `text`."""
        file = pathlib.Path(self.folder.name) / "pasted"
        file.unlink(missing_ok=True)
        self.type(f"clear; read line; printf '%s' \"$line\" >{file.name}")
        self.press("Enter")
        self.wait(lambda rows: not any(rows), "an empty screen")
        self.tmux("set-buffer", "text\n")
        self.tmux("paste-buffer", "-p")
        self.wait_for_prompt(PANE_PROMPT)
        return file.read_text()

    def start(self, command: list[str]) -> int:
        """Starts a machine, waits for its prompt, and tells its process."""
        self.type(f"clear; {shlex.join(command)}")
        self.press("Enter")
        self.wait_for_prompt()
        (machine,) = children_of(self.shell)
        return machine


def children_of(process: int) -> list[int]:
    return [int(word) for word in pathlib.Path(f"/proc/{process}/task/{process}/children").read_text("ascii").split()]


def is_gone(process: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until_gone(process: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_gone(process):
        assert time.monotonic() < end, f"process {process} does not end"
        select.select([], [], [], 0.02)


class PaneTest(unittest.TestCase):
    def setUp(self) -> None:
        self.pane = Pane()
        self.addCleanup(self.pane.close)


class Typing(PaneTest):
    """What the pane shows of a session, row by row."""

    def at_each(self, act) -> None:
        for name, command in MACHINES.items():
            with self.subTest(machine=name):
                self.pane.start(command)
                self.pane.press("C-l")
                act()
                self.pane.press("C-u")
                self.pane.type("exit 0")
                self.pane.press("Enter")
                self.pane.wait_for_prompt(PANE_PROMPT)

    def test_editing_completion_and_history(self) -> None:
        def act() -> None:
            pane = self.pane
            pane.type("exho one two")
            pane.press("Home", "Right", "Right", "BSpace")
            pane.type("c")
            pane.press("Enter")
            rows = [f"{PROMPT} echo one two", "one two"]
            pane.expect([*rows, PROMPT])
            pane.type("he")
            pane.press("Tab", "Tab")  # two commands begin so
            pane.expect([
                *rows, f"{PROMPT} he", "heap  shows what the kernel's heap holds and wastes, or who holds it",
                "help  lists the commands, or explains one",
            ])  # fmt: skip
            pane.type("l")
            pane.press("Tab")
            pane.type("x")
            pane.press("Enter")
            rows += [f"{PROMPT} help x", "help: there is no command 'x'"]
            pane.expect([*rows, PROMPT])
            pane.press("Up", "Up")
            pane.expect([*rows, f"{PROMPT} echo one two"])
            pane.press("C-c", "C-r")
            rows += [f"{PROMPT} echo one two^C"]
            pane.type("elp")
            pane.expect([*rows, "(reverse-i-search)`elp': help x"])
            pane.press("C-g")
            pane.type("verson")
            pane.press("Enter")
            rows += [f"{PROMPT} verson", "unknown command 'verson'; did you mean 'version'?"]
            pane.expect([*rows, PROMPT])
            pane.type('echo "a')
            pane.press("Enter")
            pane.type("b\" | lines")
            pane.press("Enter")
            pane.expect([*rows, f'{PROMPT} echo "a', '... b" | lines', "line", "a", "b", PROMPT])

        self.at_each(act)

    def test_wide_letters_and_colours(self) -> None:
        def act() -> None:
            self.pane.type("echo gr\u00fc\u00dfe \u4e16\u754c e\u0301")
            self.pane.press("Enter")
            text = "gr\u00fc\u00dfe \u4e16\u754c e\u0301"
            self.pane.expect([f"{PROMPT} echo {text}", text, PROMPT])
            self.assertEqual(self.pane.ask("#{cursor_x} #{cursor_y}"), f"{len(PROMPT) + 1} 2")
            coloured = self.pane.tmux("capture-pane", "-p", "-e").split("\n")[2]
            self.assertIn("\x1b[1m\x1b[32mtwofold>", coloured)

        self.at_each(act)

    def test_a_pipe_into_the_pager(self) -> None:
        def act() -> None:
            pane = self.pane
            pane.type("help | sort command | select command | page")
            pane.press("Enter")
            rows = pane.wait_for("(q: quit, /: search)")
            self.assertEqual(rows[:2], ["command", "acpi"])
            self.assertEqual(rows[1:-1], sorted(rows[1:-1]))
            self.assertRegex(rows[-1], r"^lines 1-23 of \d+ ")
            self.assertEqual(pane.ask("#{alternate_on}"), "1")
            pane.press("G")
            rows = pane.wait(lambda shown: re.match(r"lines \d+-(\d+) of \1 ", shown[-1]), "the end")
            self.assertEqual(rows[:-1], sorted(rows[:-1]))
            pane.press("g")
            pane.type("/zzz")
            pane.press("Enter")
            pane.wait(lambda shown: shown[-1] == "not found" and shown[1] == "acpi", "that it is not there")
            pane.press("q")
            pane.expect([f"{PROMPT} help | sort command | select command | page", PROMPT])
            self.assertEqual(pane.ask("#{alternate_on} #{cursor_flag}"), "0 1")
            pane.type("ps | sort name | select name | where name ~ mai")
            pane.press("Enter")
            pane.wait(lambda shown: shown[3:5] == ["main", PROMPT], "a table of one row")

        self.at_each(act)

    def test_top_is_left(self) -> None:
        def act() -> None:
            for key in ("q", "C-c"):
                self.pane.type("top")
                self.pane.press("Enter")
                self.pane.wait_for("memory")
                self.assertEqual(self.pane.ask("#{alternate_on} #{cursor_flag}"), "1 0")
                self.pane.press(key)
                self.pane.wait_for_prompt()
                self.assertEqual(self.pane.ask("#{alternate_on} #{cursor_flag}"), "0 1")

        self.at_each(act)


class Leaving(PaneTest):
    """After each way out the pane's settings and modes are what they were, and the next run works."""

    def setUp(self) -> None:
        super().setUp()
        self.before = self.pane.read_settings()

    def at_each(self, act, *, but: tuple[str, ...] = ()) -> None:
        for name, command in MACHINES.items():
            if name not in but:
                with self.subTest(machine=name):
                    act(command)

    def expect_end(self, process: int, status: int) -> None:
        rows = self.pane.wait_for_prompt(PANE_PROMPT)
        self.assertEqual(self.pane.read_status(), status, "\n".join(rows))
        wait_until_gone(process)
        self.expect_usual()

    def expect_usual(self) -> None:
        self.assertEqual(self.pane.ask("#{alternate_on} #{cursor_flag} #{keypad_cursor_flag}"), "0 1 0")
        self.assertEqual(self.pane.read_settings(), self.before)
        self.assertEqual(self.pane.pasted(), "text")

    def test_by_its_own_commands(self) -> None:
        for line, status in (("halt 3", 3), ("exit 5", 5), ("reset", 0), ("panic", 70), ("fault write", 70)):

            def act(command: list[str], line=line, status=status) -> None:
                process = self.pane.start(command)
                self.pane.type(line)
                self.pane.press("Enter")
                self.expect_end(process, status)

            # The launcher of QEMU takes `reset` for the end of a machine that did not mean to (71 or 0): boot_test.py.
            self.at_each(act, but=("microvm",) if line == "reset" else ())

    def test_by_keys(self) -> None:
        for is_in_top, keys, status in ((False, ["C-d"], 0), (False, ["C-a", "x"], 130), (True, ["C-a", "x"], 130)):

            def act(command: list[str], is_in_top=is_in_top, keys=keys, status=status) -> None:
                process = self.pane.start(command)
                if is_in_top:
                    self.pane.type("top")
                    self.pane.press("Enter")
                    self.pane.wait_for("memory")
                self.pane.press(*keys)
                self.expect_end(process, status)

            self.at_each(act)

    def test_by_signals_at_a_prompt_and_in_full_screen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            def act(command: list[str], number=number) -> None:
                process = self.pane.start(command)
                if number == signal.SIGTERM:
                    self.pane.type("top")
                    self.pane.press("Enter")
                    self.pane.wait_for("memory")
                elif number == signal.SIGINT:
                    self.pane.type("help | page")
                    self.pane.press("Enter")
                    self.pane.wait_for("(q: quit")
                else:
                    self.pane.type("echo 'half a line")
                    self.pane.wait_for("half a line")
                os.kill(process, number)
                self.expect_end(process, 128 + number)

            self.at_each(act)

    def test_by_its_time(self) -> None:
        def act(command: list[str]) -> None:
            process = self.pane.start([*command, "--timeout", "4"])
            self.pane.type("top")
            self.pane.press("Enter")
            rows = self.pane.wait_for_prompt(PANE_PROMPT)
            self.assertIn("no end after 4 s", "\n".join(rows), "seen, since not on top's screen")
            self.expect_end(process, 124)

        self.at_each(act, but=("microvm",))

    def test_while_it_is_stopped(self) -> None:
        """Stopped from outside, the pane is the shell's; continued, it is the machine's again."""

        def act(command: list[str]) -> None:
            process = self.pane.start(command)
            self.pane.type("top")
            self.pane.press("Enter")
            self.pane.wait_for("memory")
            os.kill(process, signal.SIGTSTP)
            self.pane.wait_for_prompt(PANE_PROMPT)
            self.expect_usual()
            self.pane.type("fg")
            self.pane.press("Enter")
            self.pane.wait(lambda _: self.pane.ask("#{alternate_on}") == "1", "top's screen")
            self.pane.press("q")
            self.pane.wait(lambda _: self.pane.ask("#{alternate_on} #{cursor_flag}") == "0 1", "the usual screen")
            self.pane.press("C-d")
            self.expect_end(process, 0)

        self.at_each(act, but=("microvm", "q35"))  # the launcher of QEMU does not hear of being stopped

    def test_with_its_pane(self) -> None:
        """Somebody closes the pane: the machine ends, and so does whatever it started."""

        def act(command: list[str]) -> None:
            self.pane.tmux("new-window", "-d", "sleep 1000")  # the server lives on
            process = self.pane.start(command)
            started = children_of(process)
            self.pane.tmux("kill-pane", "-t", self.pane.ask("#{pane_id}"))
            for one in (process, *started):
                wait_until_gone(one)
            self.pane.close()
            self.pane = Pane()
            self.addCleanup(self.pane.close)

        self.at_each(act)

    def test_killed_outright_it_leaves_what_stty_mends(self) -> None:
        """Nobody can answer SIGKILL: the pane is raw then, until somebody sets it."""

        def act(command: list[str]) -> None:
            process = self.pane.start(command)
            os.kill(process, signal.SIGKILL)
            wait_until_gone(process)
            self.pane.wait_for("Killed")
            self.pane.run(f"stty {self.before}; printf '\\033[?2004l'")
            self.expect_usual()

        self.at_each(act)


def main() -> None:
    if shutil.which("tmux") is None:
        print("skipped: there is no tmux")
        sys.exit(SKIPPED)
    person_test.main()


if __name__ == "__main__":
    main()
