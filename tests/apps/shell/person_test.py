"""The shell as a person meets it, on a terminal: prompt, keys, jobs, bad input, and the way out.

    person_test.py [--name=COMMAND...] [unittest's arguments]

Each COMMAND starts a machine at a terminal: the same session is typed at each of them.
"""

import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import termios
import time
import unittest

PATIENCE_S = int(os.environ.get("PATIENCE", "60"))
PROMPT = b"twofold> "
USUALLY_ON = {b"7", b"25"}  # rows that wrap, the cursor
MACHINES: dict[str, list[str]] = {}
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")


def modes_left_on(output: bytes) -> set[bytes]:
    """The private modes that are not as terminals have them after `output`."""
    changed: set[bytes] = set()
    for number, end in re.findall(rb"\x1b\[\?([0-9]+)([hl])", output):
        (changed.discard if (end == b"h") == (number in USUALLY_ON) else changed.add)(number)
    return changed


class Person:
    """A terminal with a machine at it."""

    def __init__(
        self, command: list[str], environment: dict[str, str] | None = None, size: tuple[int, int] | None = None
    ) -> None:
        self.leader, self.follower = pty.openpty()
        if size is not None:
            termios.tcsetwinsize(self.leader, size)
        self.before = termios.tcgetattr(self.follower)
        self.process = subprocess.Popen(
            command, stdin=self.follower, stdout=self.follower, stderr=subprocess.PIPE, start_new_session=True,
            env=environment,
        )  # fmt: skip
        self.seen = b""
        self.read_from = 0

    def __enter__(self) -> "Person":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        os.close(self.leader)
        os.close(self.follower)

    def read(self, wait_s: float = 0.05) -> bool:
        """Whether there was something."""
        is_there = bool(select.select([self.leader], [], [], wait_s)[0])
        if is_there:
            self.seen += os.read(self.leader, 65536)
        return is_there

    def new_text(self) -> bytes:
        """What has come since the last expectation, without control sequences."""
        return ESCAPES.sub(b"", self.seen[self.read_from :])

    def expect(self, text: bytes, *, raw: bool = False) -> bytes:
        """Waits for `text`, in what has come with control sequences or without; what has come until then."""
        end = time.monotonic() + PATIENCE_S
        while text not in (self.seen[self.read_from :] if raw else self.new_text()):
            has_ended = self.process.poll() is not None
            has_more = self.read()
            if time.monotonic() > end or (has_ended and not has_more):
                raise AssertionError(f"{text!r} did not come; there was {self.new_text()!r}")
        found = self.new_text()
        self.read_from = len(self.seen)
        return found

    def type(self, keys: bytes) -> None:
        while keys:
            self.read(0)  # or a full terminal would keep both from going on
            if select.select([], [self.leader], [], 0.05)[1]:
                keys = keys[os.write(self.leader, keys[:1024]) :]

    def resize(self, rows: int, columns: int) -> None:
        termios.tcsetwinsize(self.leader, (rows, columns))
        self.process.send_signal(signal.SIGWINCH)  # as the terminal's own process would get it

    def run(self, line: bytes, answer: bytes) -> bytes:
        self.type(line + b"\r")
        return self.expect(answer)

    def end(self) -> int:
        """The status, once the machine has ended; the terminal is as it was."""
        end = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError(f"it does not end; there was {self.new_text()!r}")
            self.read()
        while select.select([self.leader], [], [], 0)[0]:
            self.read()  # its last words
        if termios.tcgetattr(self.follower) != self.before:
            raise AssertionError("the terminal is not as it was")
        if left := modes_left_on(self.seen):
            raise AssertionError(f"the terminal was left with {left}")
        return self.process.returncode


class SessionTest(unittest.TestCase):
    """What every test of sessions needs."""

    def at_each(self, act, *, but: tuple[str, ...] = (), size: tuple[int, int] | None = None) -> None:
        """Calls act(person) at each machine but those named, once there is a prompt; the terminal has rows and
        columns, or does not know how many."""
        for name, command in MACHINES.items():
            if name in but:
                continue
            with self.subTest(machine=name), Person(command, size=size) as person:
                person.expect(PROMPT)
                act(person)


class Session(SessionTest):
    def test_lines_typed_at_once_are_answered(self) -> None:
        def act(person: Person) -> None:
            person.run(b"version", b"full image")
            person.run(b"echo one; echo two", b"two")
            person.type(b"exit 5\r")
            self.assertEqual(person.end(), 5)

        for _ in range(4):  # keys meet the kernel's sleep elsewhere each time
            self.at_each(act)

    def test_editing_and_completion(self) -> None:
        def act(person: Person) -> None:
            person.run(b"exho\x1b[D\x1b[D\x7fc\x05 hello", b"hello\r\n")
            person.type(b"unseX\x7ft\x15" + b"ech\tdone\r")
            person.expect(b"\ndone\r\n")
            person.run(b"\x1b[A", b"done\r\n")  # the last line once more
            person.type(b"\x04")
            self.assertEqual(person.end(), 0)

        self.at_each(act)

    def test_a_command_is_interrupted_and_sent_to_the_background(self) -> None:
        def act(person: Person) -> None:
            person.run(b"echo gone; sleep 1000", b"\ngone\r\n")  # so it runs
            person.type(b"\x03")
            person.expect(PROMPT)
            person.run(b"echo away; sleep 1000", b"\naway\r\n")
            person.type(b"\x1a")
            person.expect(b"in the background")
            person.run(b"jobs | select state line", b"runs")
            person.run(b"kill 1", PROMPT)
            person.type(b"exit 0\r")
            self.assertEqual(person.end(), 0)

        # A simulated machine hears of keys when it rests; a thousand seconds pass before that.
        self.at_each(act, but=("sim",))

    def test_variables_are_listed_and_completed_without_a_deadlock(self) -> None:
        def act(person: Person) -> None:
            person.run(b"number=4711; vars", b"4711")
            person.run(b"echo $num\t!", b"4711 !")
            found = person.run(b"log | where level = error | count; echo looked", b"\nlooked")
            self.assertRegex(found, rb"count\s+0\s")
            person.type(b"exit 0\r")
            self.assertEqual(person.end(), 0)

        self.at_each(act)

    def test_behind_a_pipe_filters_and_their_columns_are_completed(self) -> None:
        def act(person: Person) -> None:
            person.run(b"ps | coun\t", b"count")  # of commands nothing begins so
            person.run(b"ps | ech\t\x15echo begun", b"\nbegun\r\n")  # and nothing is taken from these
            person.run(b"sor\tx", b"unknown command 'sorx'")
            found = person.run(b"ps | sel\tna\tsta\t| head 1; echo seen", b"\nseen\r\n")
            self.assertIn(b"select name state | head", found)
            found = person.run(b"ps | select state name | sort st\t--reverse; echo over", b"\nover\r\n")
            self.assertIn(b"| sort state --reverse", found)
            person.type(b"exit 0\r")
            self.assertEqual(person.end(), 0)

        self.at_each(act)

    def test_layouts_are_listed_completed_and_chosen(self) -> None:
        def act(person: Person) -> None:
            person.run(b"layout d\t; input", b"layout de")
            found = person.run(b"layout; echo all", b"\nall\r\n")
            self.assertRegex(found, rb"de +yes\s+us +no")
            person.run(b"layout dee", b"layout: there is no layout 'dee'; did you mean 'de'? (there are: de, us)")
            person.run(b"theme", b"theme: there is no screen")
            person.type(b"exit\r")
            self.assertEqual(person.end(), 1)

        self.at_each(act, but=("microvm",))  # which has no keyboard

    def test_exit_takes_the_status_of_what_ran_before_it(self) -> None:
        def act(person: Person) -> None:
            person.type(b"echo well; nosuchcommand; exit\r")
            self.assertEqual(person.end(), 3)

        self.at_each(act)

    def test_a_list_goes_to_the_background_whole(self) -> None:
        def act(person: Person) -> None:
            person.run(b"sleep 1000 && echo late & echo at once", b"\nat once\r\n")
            person.run(b"jobs | select state line", b"runs")
            person.run(b"nosuchcommand || echo other & wait 2; echo waited", b"\nwaited\r\n")
            person.type(b"exit 0\r")
            self.assertEqual(person.end(), 0)

        # In a simulated machine that rests a thousand seconds are no time.
        self.at_each(act, but=("sim",))

    def test_bad_input_is_said(self) -> None:
        def act(person: Person) -> None:
            person.run(b"verson", b"did you mean 'version'?")
            person.run(b"ps | sort nothing", b"no column 'nothing'")
            person.run(b"echo \xff\xfe done", b" done\r\n")
            person.run(b"ps |", b"... ")  # it goes on in the next row
            person.run(b"count", b"count\r\n")
            person.type(b"exit 0\r")
            self.assertEqual(person.end(), 0)

        self.at_each(act)

    def test_a_line_of_a_mebibyte_is_refused_whole(self) -> None:
        def act(person: Person) -> None:
            person.type(b"echo " + b"x" * (1 << 20) + b"\r")
            person.expect(b"longer than 65536 bytes")
            person.run(b"echo still here", b"still here\r\n")
            person.type(b"\x04")
            self.assertEqual(person.end(), 0)

        self.at_each(act, but=("q35", "microvm"))  # a serial line takes minutes

    def test_an_interrupt_behind_enter_is_for_what_was_entered(self) -> None:
        def act(person: Person) -> None:
            # At once: the keys are there before the command has begun.
            person.type(b"sleep 1001\r\x03")
            person.expect(b"^C\r\n" + PROMPT)
            person.type(b"echo two; sleep 1002\r\x1a")
            person.expect(b"in the background")
            person.run(b"echo three", b"\nthree\r\n")
            person.type(b"exit 0\r")
            self.assertEqual(person.end(), 0)

        for _ in range(4):  # it is a matter of moments
            self.at_each(act)

    def test_the_size_of_the_terminal_is_known(self) -> None:
        def widest(person: Person) -> int:
            """Of the rows of a table that is far wider than any of these terminals."""
            rows = person.run(b"help | head 8; echo end", b"\nend\r\n").splitlines()
            return max(len(row.decode()) for row in rows[1:])

        def is_soon(person: Person, columns: int) -> bool:
            end = time.monotonic() + PATIENCE_S
            while not columns - 8 < widest(person) <= columns:  # words are cut, and columns, not rows
                if time.monotonic() > end:
                    return False
            return True

        def act(person: Person) -> None:
            self.assertTrue(is_soon(person, 40))
            person.resize(30, 60)
            self.assertTrue(is_soon(person, 60))
            person.resize(1, 1)
            person.run(b"echo small", b"small")
            person.resize(24, 50)
            self.assertTrue(is_soon(person, 50))
            person.type(b"exit 0\r")
            self.assertEqual(person.end(), 0)

        self.at_each(act, size=(24, 40))

    def test_the_terminal_is_restored_however_it_ends(self) -> None:
        def by_signal(person: Person) -> None:
            person.type(b"top\r")
            person.expect(b"interrupts")
            person.process.send_signal(signal.SIGTERM)
            self.assertNotEqual(person.end(), 0)

        def by_keys(person: Person) -> None:
            person.type(b"help | page\r")
            person.expect(b"describes the processor")
            person.type(b"\x01x")
            self.assertNotEqual(person.end(), 0)

        def by_panic(person: Person) -> None:
            person.type(b"fault write\r")
            self.assertEqual(person.end(), 70)

        for act in (by_signal, by_keys, by_panic):
            self.at_each(act)


def main() -> None:
    rest = [sys.argv[0]]
    for word in sys.argv[1:]:
        name, equals, command = word.removeprefix("--").partition("=")
        if word.startswith("--") and equals:
            MACHINES[name] = shlex.split(command)
        else:
            rest.append(word)
    unittest.main(argv=rest)


if __name__ == "__main__":
    main()
