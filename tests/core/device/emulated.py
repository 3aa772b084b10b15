"""An emulator whose kernel reads commands from its console, for tests that do something to it meanwhile."""
import json
import os
import pathlib
import select
import socket
import subprocess
import threading
import time

LIMIT_SECONDS = 90


class Emulated:
    """A machine that runs `image`; `options` are the emulator's. Ends with `close`, or when its time is over."""

    def __init__(self, image, folder, options, cpus=1):
        self.path = str(pathlib.Path(folder) / "monitor")
        # Its lifetime is this object's.
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["qemu-system-x86_64", "-machine", "q35", "-nodefaults", "-no-user-config", "-no-reboot", "-cpu", "max",
             "-smp", str(cpus), "-m", "128M", "-display", "none", "-serial", "stdio",
             "-qmp", f"unix:{self.path},server=on,wait=off", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
             *options, "-kernel", image, "-append", "console=pipe"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.watch = threading.Timer(LIMIT_SECONDS, self.process.kill)
        self.watch.start()
        self.seen = ""
        self.unread = ""
        self.commands = 0
        self.monitor = None
        self.answers = None
        self.events = []
        self.begin()

    def begin(self):
        """What is typed before the kernel listens is lost, so it is asked until it answers."""
        while "begun\n" not in self.seen:
            self.say("echo begun")
            self.take(0.2)
        self.run("echo")

    def take(self, seconds):
        """Reads what has come, or comes within that time."""
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return
        text = os.read(self.process.stdout.fileno(), 1 << 16).decode(errors="replace").replace("\r", "")
        self.seen += text
        self.unread += text
        if not text:
            raise AssertionError(f"the console has ended:\n{self.seen[-4000:]}")

    def take_for(self, seconds):
        """Reads what comes until that time is over."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.take(left)

    def read_to(self, line):
        """What was printed before a line that is just this."""
        while f"\n{line}\n" not in "\n" + self.unread:
            self.take(LIMIT_SECONDS)
        at = ("\n" + self.unread).index(f"\n{line}\n")
        text, self.unread = self.unread[:at], self.unread[at + len(line) + 1:]
        return text

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def run(self, command):
        """What the command prints."""
        self.commands += 1
        end = f"-- {self.commands} --"
        joint = "" if command.endswith("&") else ";"
        self.say(f"{command}{joint} echo '{end}'")
        return self.read_to(end)

    def wait_until(self, command, is_so, seconds=30):
        """Asks again and again until what the command prints is so."""
        last = time.monotonic() + seconds
        text = self.run(command)
        while not is_so(text):
            if time.monotonic() > last:
                raise AssertionError(f"that never came to be:\n{text}")
            text = self.run(f"sleep 0.1; {command}")
        return text

    def ask(self, command, **arguments):
        """One request to the emulator's monitor, and its answer."""
        if self.monitor is None:
            self.monitor = socket.socket(socket.AF_UNIX)
            self.monitor.settimeout(LIMIT_SECONDS)
            self.monitor.connect(self.path)
            self.answers = self.monitor.makefile("r")
            self.answers.readline()
            self.ask("qmp_capabilities")
        self.monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = json.loads(self.answers.readline())
            if "error" in answer:
                raise AssertionError(answer)
            if "return" in answer:
                return answer["return"]
            self.events.append(answer)

    def await_event(self, name):
        """Waits for an event that the monitor tells of, and forgets it and those before."""
        while True:
            while self.events:
                if self.events.pop(0)["event"] == name:
                    return
            self.events.append(json.loads(self.answers.readline()))

    def kill(self):
        """Ends the emulator at once, and takes what it has printed until then."""
        self.process.kill()
        self.process.wait()
        rest = self.process.stdout.read().decode(errors="replace").replace("\r", "")
        self.seen += rest
        self.unread += rest

    def close(self):
        self.process.kill()
        self.process.wait()
        self.watch.cancel()
        if self.monitor is not None:
            self.answers.close()
            self.monitor.close()
        self.process.stdin.close()
        self.process.stdout.close()
