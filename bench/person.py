"""A person at a terminal, for figures of how soon a machine can be used: what it shows, and what is typed.

The machine's process has a terminal of its own, as one that a person starts has; its output is looked for as a
person sees it, without control sequences.
"""

import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import time

PROMPT = b"twofold> "
# What is typed differs from what it prints, so that the echo of the keys is not taken for the answer.
TYPED = b"echo us''able\r"
ANSWER = b"usable\r\n"
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")


class Unusable(Exception):
    """There was no prompt, or no answer; the text is for a person."""


class Person:
    """A process on a terminal; `with` ends it and waits for its end."""

    def __init__(self, command: list[str], patience_s: float) -> None:
        self.began = time.perf_counter()
        self.end = self.began + patience_s
        self.command = command
        self.leader, follower = pty.openpty()
        try:
            self.process = subprocess.Popen(
                command, stdin=follower, stdout=follower, stderr=subprocess.PIPE, start_new_session=True
            )
        except OSError:
            os.close(self.leader)
            raise
        finally:
            os.close(follower)
        self.unread = b""

    def __enter__(self) -> "Person":
        return self

    def __exit__(self, *_: object) -> None:
        self.signal(signal.SIGTERM)  # so that a launcher takes away what it has made
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            pass
        self.signal(signal.SIGKILL)
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
        os.close(self.leader)

    def signal(self, number: signal.Signals) -> None:
        """To the process and to an emulator that it has started."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass  # all have ended

    def see(self, text: bytes) -> float:
        """Milliseconds from the start of the process until `text` is shown."""
        while text not in (shown := ESCAPES.sub(b"", self.unread)):
            left = self.end - time.perf_counter()
            if left <= 0 or not select.select([self.leader], [], [], left)[0]:
                raise Unusable(f"{self.command[0]} did not show {text!r} in time, but {shown[-200:]!r}")
            try:
                self.unread += os.read(self.leader, 65536)
            except OSError as error:  # nobody has the terminal any more
                assert self.process.stderr is not None
                reason = self.process.stderr.read().decode(errors="replace").strip()
                said = f"it showed {shown[-200:]!r}, and said: {reason[-200:]}"
                raise Unusable(f"{self.command[0]} ended without {text!r}; {said}") from error
        seen = (time.perf_counter() - self.began) * 1000
        self.unread = b""
        return seen

    def type(self, keys: bytes) -> None:
        while keys:
            keys = keys[os.write(self.leader, keys) :]

    def processor_ms(self) -> float:
        """What the process and those that it has started have had of processors; of such as still run."""
        total_ns = 0
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                session = process.joinpath("stat").read_text().rpartition(")")[2].split()[3]
                if int(session) == self.process.pid:
                    threads = process.glob("task/*/schedstat")
                    total_ns += sum(int(thread.read_text().split()[0]) for thread in threads)
            except (OSError, ValueError, IndexError):
                continue  # it has ended meanwhile
        return total_ns / 1e6


def usable(command: list[str], patience_s: float) -> dict[str, float]:
    """Milliseconds from the start of the process until its prompt is there, until the first line has been answered,
    which is typed at that moment, and of processors until then, whoever else uses them. Raises Unusable."""
    with Person(command, patience_s) as person:
        prompt = person.see(PROMPT)
        person.type(TYPED)
        answer = person.see(ANSWER)
        return {"prompt": prompt, "usable": answer, "usable_cpu": person.processor_ms()}
