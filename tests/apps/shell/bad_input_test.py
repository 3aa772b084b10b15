"""Bad input at a terminal: ctrl-C and ctrl-D in the middle of anything, keys faster than anybody reads them, bytes that
are no text, a terminal of one cell. It is handled, said, and the prompt answers afterwards.

    bad_input_test.py [--name=COMMAND...] [unittest's arguments]

Each COMMAND starts a machine at a terminal, as for person_test.py.
"""

import fcntl
import random
import struct
import subprocess
import termios
import time
import unittest

import person_test
from person_test import ESCAPES, PROMPT, Person, SessionTest

QUEUE_BYTES = 4096  # that the session keeps until somebody reads them (byte_queue.hpp)
CTRL_C, CTRL_D = b"\x03", b"\x04"
EMULATED = ("q35", "microvm")

# What is typed, what shows that its middle is reached, and which machines never are there: on a simulated one time
# flies while a command sleeps.
MIDDLES = {
    "a command": (b"echo on; sleep 1000\r", b"\non\r\n", ("sim",)),
    "a pipe": (b"echo on; sleep 1000 | count\r", b"\non\r\n", ("sim",)),
    "a timed command": (b"time 'echo on; sleep 1000'\r", b"\non\r\n", ("sim",)),
    "a wait": (b"sleep 1000 &\recho on; wait 1\r", b"\non\r\n", ("sim",)),
    "the pager": (b"help | page\r", b"(q: quit", ()),
    "a search in the pager": (b"help | page\r/abc", b"/abc", ()),
    "watch": (b"watch 1s echo hi\r", b"hi", ()),
    "top": (b"top\r", b"memory", ()),
    "a list of completions": (b"h\t\t", b"powers off", ()),
    "a search in the history": (b"echo found\r\x12foun", b"`foun'", ()),
    "a quote": (b"echo 'a\r", b"... ", ()),
    "a pipe without an end": (b"ps |\r", b"... ", ()),
    "an escape sequence": (b"echo seen\x1b[", b"echo seen", ()),
    "a letter of several bytes": (b"echo seen\xe4\xb8", b"echo seen", ()),
    "lines typed ahead": (b"echo on; sleep 1000\runset", b"\non\r\n", ("sim",)),
}


class Interruptions(SessionTest):
    def expect_alive(self, person: Person) -> None:
        person.type(b"echo ali've'\r")  # as typed it is not what is printed
        person.expect(b"\nalive\r\n")

    def test_ctrl_c_in_the_middle_of_anything(self) -> None:
        for name, (keys, sign, but) in MIDDLES.items():

            def act(person: Person, keys=keys, sign=sign) -> None:
                person.type(keys)
                person.expect(sign)
                person.type(CTRL_C)
                person.expect(PROMPT)
                if b"unset" in keys:  # it is on the next line then, and nothing of it has run
                    person.type(CTRL_C)
                    person.expect(PROMPT)
                self.expect_alive(person)
                person.type(b"kill 1\rexit 4\r" if b"&" in keys else b"exit 4\r")
                self.assertEqual(person.end(), 4)

            with self.subTest(middle=name):
                self.at_each(act, but=(*but, "q35"))

    def test_ctrl_c_as_a_wait_begins(self) -> None:
        """It reaches who waits and what is waited for, whichever of the two is in the foreground just then."""

        def act(person: Person) -> None:
            for number in range(60):
                person.run(b"echo on; sleep 1000 & wait 1", b"\non\r\n")
                time.sleep(number * 50e-6)
                person.type(CTRL_C)
                person.expect(PROMPT)
                person.type(b"kill 1\r")
                person.expect(PROMPT)
            person.type(b"exit 4\r")
            self.assertEqual(person.end(), 4)

        self.at_each(act, but=("sim", "q35"))

    def test_ctrl_c_reaches_a_job_that_another_one_has_begun_at_once(self) -> None:
        """The inner one may be in the foreground before the shell has come to wait for the outer one, which is seldom
        but in a machine that has just begun."""

        def act(person: Person) -> None:
            person.type(b"sleep 1000 &\recho on; wait 1\r")
            person.expect(b"\non\r\n")
            person.type(CTRL_C)
            person.expect(PROMPT)
            person.type(b"exit 4\r")
            self.assertEqual(person.end(), 4)

        for _ in range(40):
            self.at_each(act, but=("sim", *EMULATED))

    def test_ctrl_c_ends_who_begins_jobs_again_and_again(self) -> None:
        """Also where the one that it finds is about to end by itself."""

        def act(person: Person) -> None:
            for number in range(60):
                person.run(b"watch 5ms echo hi", b"\nhi\r\n")
                time.sleep(number * 50e-6)
                person.type(CTRL_C)
                person.expect(PROMPT)
            person.run(b"time 'echo on; sleep 1000'; echo never", b"\non\r\n")
            person.type(CTRL_C + b"echo next\r")
            self.assertNotIn(b"\nnever\r\n", person.expect(b"\nnext\r\n"))
            person.type(b"exit 4\r")
            self.assertEqual(person.end(), 4)

        self.at_each(act, but=("sim", "q35"))

    def test_ctrl_z_leaves_nothing_in_the_foreground(self) -> None:
        """Not even for what a job begins just then: the next job is the one that ctrl-C ends."""

        def act(person: Person) -> None:
            for number in range(40):
                person.run(b"time 'time \"echo on; sleep 1000\"'", b"\non\r\n")
                time.sleep(number * 50e-6)
                person.type(b"\x1a")
                person.expect(PROMPT)
                person.run(b"echo off; sleep 1000", b"\noff\r\n")
                person.type(CTRL_C)
                person.expect(PROMPT)
                person.run(b"kill 1; wait 1", PROMPT)
            self.expect_alive(person)
            person.type(b"exit 4\r")
            self.assertEqual(person.end(), 4)

        self.at_each(act, but=("sim", *EMULATED))

    def test_ctrl_c_ends_what_runs_and_no_more(self) -> None:
        def act(person: Person) -> None:
            person.type(b"echo on; sleep 1000; echo never\recho next\r")
            person.expect(b"\non\r\n")
            person.type(CTRL_C)
            found = person.expect(b"\nnext\r\n")
            self.assertNotIn(b"\nnever\r\n", found)
            person.type(CTRL_D)
            self.assertEqual(person.end(), 0)

        self.at_each(act, but=("sim", "q35"))

    def test_what_is_typed_behind_ctrl_c_is_a_line(self) -> None:
        def act(person: Person) -> None:
            for keys, sign in ((b"help | page\r", b"(q: quit"), (b"top\r", b"memory")):
                person.type(keys)
                person.expect(sign)
                person.type(CTRL_C + b"echo wh'ole'\r")
                person.expect(b"\nwhole\r\n")
            person.type(b"exit 4\r")
            self.assertEqual(person.end(), 4)

        for _ in range(4):  # it is a matter of moments
            self.at_each(act, but=("q35",))

    def test_ctrl_d_in_the_middle_is_not_the_end(self) -> None:
        def act(person: Person) -> None:
            person.run(b"echo abX\x1b[D" + CTRL_D + b"c" + CTRL_D * 3, b"\nabc\r\n")
            person.run(b"echo 'a\r" + CTRL_D + b"b'", b"\na\r\nb\r\n")
            person.type(b"help | page\r")
            person.expect(b"(q: quit")
            person.type(CTRL_D + b"q")  # half a screen on
            self.expect_alive(person)
            person.type(b"top\r")
            person.expect(b"memory")
            person.type(CTRL_D + b"q")
            self.expect_alive(person)
            person.type(b"false-command; sleep 1ms\r" + CTRL_D)  # typed ahead, it is the end once it is its turn
            self.assertEqual(person.end(), 0)

        self.at_each(act, but=("q35",))


class Storms(SessionTest):
    def test_what_is_typed_ahead_is_kept_as_far_as_there_is_room(self) -> None:
        lost = 10_000
        text = b"echo " + b" ".join(b"%04d" % number for number in range(3000))
        text = text[: QUEUE_BYTES + lost]

        def act(person: Person) -> None:
            person.run(b"echo on; sleep 1000", b"\non\r\n")
            began = time.monotonic()
            person.type(text + CTRL_C)  # which is heard before what waits
            person.expect(text[QUEUE_BYTES - 4 : QUEUE_BYTES])  # the end of the line, which is longer than the screen
            self.assertLess(time.monotonic() - began, 40, "what is lost was waited for, one by one")
            person.type(b"\r")
            found = person.expect(b"\r\n" + PROMPT)
            printed = found.rsplit(b"\r\n", 2)[1]
            self.assertEqual(printed, text[len(b"echo ") : QUEUE_BYTES])
            self.assertIn(b"\a", person.seen, "it rings where something is lost")
            person.type(b"exit 4\r")
            self.assertEqual(person.end(), 4)

        self.at_each(act, but=("sim", "q35"))

    def test_a_storm_of_random_keys(self) -> None:
        # Whatever a keyboard can send but enter, since nobody knows what would run, ctrl-D, and the launcher's ctrl-A.
        keys = [bytes([byte]) for byte in range(256) if byte not in (0x01, 0x04, 0x0A, 0x0D, 0x0F)]
        keys += [b"\x1b[A", b"\x1b[B", b"\x1b[1;5D", b"\x1b[3~", b"\x1bd", b"\x1b[48;10;30;0;0t", "\u4e16".encode()]

        def act(person: Person) -> None:
            chance = random.Random(7)
            person.type(b"".join(chance.choices(keys, k=5000)))
            person.type(b"\x1b[201~\x07\x03\x03\x1b[48;24;80;0;0t")
            self.person_is_alive(person)
            person.type(b"exit 4\r")
            self.assertEqual(person.end(), 4)

        self.at_each(act, but=("q35",))

    def person_is_alive(self, person: Person) -> None:
        person.type(b"echo ali've'\r")
        person.expect(b"\nalive\r\n")


class Text(SessionTest):
    def test_broken_utf_8_is_shown_as_such(self) -> None:
        broken = "\ufffd".encode()
        cases = {
            b"\xff\xfe": broken * 2,
            b"\xc0\x80": broken * 2,  # a zero, too long
            b"\xe4\xb8": broken,  # the end is missing
            b"\xed\xa0\x80": broken * 3,  # half a pair
            b"\xf4\x90\x80\x80": broken * 4,  # beyond the last
            b"a\x80b": b"a" + broken + b"b",
        }

        def act(person: Person) -> None:
            for typed, shown in cases.items():
                with self.subTest(typed=typed):
                    person.run(b"echo '" + typed + b"|'", b"\n" + shown + b"|\r\n")
            person.type(b"exit 4\r")
            self.assertEqual(person.end(), 4)

        self.at_each(act, but=("q35",))

    def test_a_long_line_of_a_program_is_refused_whole(self) -> None:
        for name, command in person_test.MACHINES.items():
            if name in EMULATED:
                continue  # a serial line takes minutes
            with self.subTest(machine=name):
                done = subprocess.run(
                    command, input=b"echo " + b"x" * (1 << 20) + b"\necho next\nexit 4\n", stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, timeout=person_test.PATIENCE_S, check=False,
                )  # fmt: skip
                self.assertEqual(done.returncode, 4, done.stderr)
                self.assertEqual(
                    done.stdout,
                    b"the line is too long, or there is no memory for it; nothing of it was run\nnext\n",
                )


class OneCell(SessionTest):
    """A terminal of 1x1: nothing can be seen there, and everything works."""

    def test_a_session(self) -> None:
        def act(person: Person) -> None:
            fcntl.ioctl(person.follower, termios.TIOCSWINSZ, struct.pack("HHHH", 1, 1, 0, 0))
            person.type(b"\x1b[48;1;1;0;0t")
            person.run(b"echo one cell", b"\none cell\r\n")
            person.run(b"verson", b"did you mean 'version'?")
            person.type(b"un\t\t" + CTRL_C)  # a list without room
            person.type(b"echo " + b"long " * 50 + b"\x01\x05\x1b[D\x14\x15")
            person.run(b"\x12one\x1b[C", b"\none cell\r\n")
            person.type(b"help | page\r")
            person.expect(b"\x1b[?1049h", raw=True)
            person.type(b" jkGg/echo\rnq")
            person.run(b"echo paged", b"\npaged\r\n")
            person.type(b"top\r")
            person.expect(b"\x1b[?1049h", raw=True)
            person.type(b"q")
            person.run(b"echo topped", b"\ntopped\r\n")
            person.type(b"\x1b[48;24;80;0;0t")
            person.run(b"echo as ever", b"\nas ever\r\n")
            person.type(b"exit 4\r")
            self.assertEqual(person.end(), 4)

        self.at_each(act, but=("q35",))

    def test_a_screen_of_one_cell_and_of_one_pixel(self) -> None:
        for name, command in person_test.MACHINES.items():
            if name in EMULATED:
                continue
            for size in ("8x16", "1x1"):
                on_screen = [*command, "--display", f"none,size={size}"]
                with self.subTest(machine=name, size=size), Person(on_screen) as person:
                    person.expect(PROMPT)
                    for line in ("echo one cell", "verson", "help | page"):
                        person.run(f'input type "{line}\r"'.encode(), PROMPT)
                    person.run(b'input type "qexit 5\r"', b"input type")
                    self.assertEqual(person.end(), 5)


class Modes(SessionTest):
    """Whatever way a session ends, what it asked of the terminal is taken back."""

    def test_nothing_is_left_on(self) -> None:
        for keys in (b"top\r", b"help | page\r", b"echo half a line"):

            def act(person: Person, keys=keys) -> None:
                person.type(keys)
                person.expect({b"t": b"memory", b"h": b"(q: quit"}.get(keys[:1], b"half a line"))
                person.process.terminate()
                self.assertNotIn(person.end(), (0, 71))
                while person.read():
                    pass
                for on, off in ((b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h"),
                                (b"\x1b[?2004h", b"\x1b[?2004l")):  # fmt: skip
                    self.assertLessEqual(person.seen.rfind(on), person.seen.rfind(off), (on, person.seen[-200:]))
                if keys.startswith(b"echo"):
                    self.assertTrue(ESCAPES.sub(b"", person.seen).endswith(b"\n"), "the next prompt begins a row")

            with self.subTest(keys=keys):
                self.at_each(act, but=("q35",))


if __name__ == "__main__":
    person_test.main()
