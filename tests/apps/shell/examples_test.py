"""Every example that commands declare, which are those of docs/commands/, typed at a kernel; and every command that may
stand alone.

    examples_test.py HOST SIMULATOR|- WORLD|- [unittest's arguments]

The kernel is asked what there is. An example has status 0 on a live machine of four processors with a display and
keyboard, or what it needs beside that and what it ends with stands in SPECIAL, where nothing may stand that no command
declares.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
from dataclasses import dataclass

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from person_test import PROMPT, Person  # noqa: E402  (the folder has just been named)

PATIENCE_S = 60
MACHINE = ["--cpus", "4", "--display", "none"]
PROGRAMS: dict[str, str] = {}
PANICKED = 70


@dataclass(frozen=True)
class Special:
    """What an example needs, and how it ends."""

    status: int = 0
    says: str = ""  # must be printed
    program: str = "host"
    options: tuple[str, ...] = ()


DISK = ("--seed", "7", "--disk", "memory,size=2M")
FILE = ("--disk", "DISK")
TWO = ("--nodes", "2", "--seed", "7")
SPECIAL = {
    "panic 'on purpose'": Special(PANICKED, "on purpose"),
    "fault divide": Special(PANICKED, "divi"),
    "halt 3": Special(3),
    "exit 3": Special(3),
    "heap leaks": Special(1, "keeps no book"),  # or 0, where the build keeps one
    "source": Special(says="from a module", options=("--module", "SCRIPT")),
    "display follow 5000": Special(1, "no other mode was wanted"),
    "beat 1000 1000 block": Special(says="0 failed", program="sim", options=DISK),
    "devices remove 01:01.0": Special(program="sim", options=DISK),
    "devices remove 01:01.0; devices probe 01:01.0": Special(program="sim", options=DISK),
    "disks ramdisk 8M; disks write ram0 3 hello; disks read ram0 3; disks stats ram0": Special(
        says="sector 3: 'hello', 5 bytes are not zero"
    ),
    "block-bench rw=randread bs=4k iodepth=32 runtime=2": Special(says="IOPS", options=FILE),
    "block-bench rw=read output-format=json": Special(says="clat_ns", options=FILE),
    "nvme smart 0": Special(says="power_cycles", options=FILE),
    "nvme test 0 4096": Special(says="0 failed, 0 sectors are wrong", options=FILE),
    "message send 1 hello": Special(program="world", options=(*TWO, "--command", "message receive 500")),
    "message receive 500": Special(program="world", options=(*TWO, "--command", "sleep 0.01; message send 0 hello")),
    "message ping 1 10 20": Special(program="world", options=(*TWO, "--command", "message echo")),
}
# Lines for a person alone: what is awaited, and the keys that end them.
TYPED = {
    "watch 1 'ps | sort switches --reverse | head 5'": (b"idle-0", b"q"),
    "top": (b"keys", b"q"),
}
# Benches take minutes of their own accord where processors outnumber those of the host, and others work there.
FEWER = {"irq-bench": "50", "ipi-bench": "50", "switch-bench": "50"}
NOT_ALONE = {"reset", "clear", "top"}  # reset ends the machine, see below; the others are for a person


def declared() -> dict[str, list[dict[str, str]]]:
    """What commands declare, by command: rows of commands, arguments and examples."""
    done = subprocess.run(
        [PROGRAMS["host"], "--json", "--command", "commands"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE_S, check=True,
    )  # fmt: skip
    rows: dict[str, list[dict[str, str]]] = {}
    for row in json.loads(done.stdout.splitlines()[0])["output"]:
        rows.setdefault(row["command"], []).append(row)
    return rows


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.declared = declared()
        cls.examples = [row["example"] for rows in cls.declared.values() for row in rows if "example" in row]
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.script = pathlib.Path(cls.folder.name) / "script"
        cls.script.write_text("echo from a module\n")

    def run_line(self, line: str, special: Special) -> None:
        program = PROGRAMS[special.program]
        if program == "-":
            self.skipTest(f"there is no program for {special.program}")
        machine = MACHINE if special.program == "host" else []
        files = {"SCRIPT": str(self.script), "DISK": f"{self.folder.name}/disk,size=16M"}
        options = [files.get(word, word) for word in special.options]
        # In a world the first machine's command is the first.
        done = subprocess.run(
            [program, *machine, "--command", line, *options], stdin=subprocess.DEVNULL, capture_output=True,
            timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        said = done.stdout.decode(errors="replace")
        shown = f"{line}\n{said}{done.stderr.decode(errors='replace')}"
        if line == "heap leaks" and done.returncode == 0:
            self.assertIn("call site", said)  # a checked build
            return
        self.assertEqual(done.returncode, special.status, shown)
        self.assertIn(special.says, said, shown)
        self.assertNotIn("unknown command", said, shown)

    def test_every_example_does_what_it_is_for(self) -> None:
        self.assertGreater(len(self.examples), 40)
        for line in self.examples:
            if line not in TYPED:
                with self.subTest(line):
                    self.run_line(line, SPECIAL.get(line, Special()))

    def test_examples_for_a_person(self) -> None:
        for line, (awaited, keys) in TYPED.items():
            with self.subTest(line), Person([PROGRAMS["host"], "--cpus", "2"]) as person:
                person.expect(PROMPT)
                person.run(line.encode(), awaited)
                person.type(keys)
                person.expect(PROMPT)
                person.type(b"exit 4\r")
                self.assertEqual(person.end(), 4)

    def test_every_exception_is_for_an_example(self) -> None:
        self.assertEqual(set(), {*SPECIAL, *TYPED} - set(self.examples))
        self.assertEqual(set(), {*NOT_ALONE, *FEWER} - set(self.declared))

    def test_commands_without_examples_run_alone(self) -> None:
        ran = 0
        for name, rows in self.declared.items():
            takes_nothing = all(row["count"] != "one" for row in rows if "argument" in row)
            has_examples = any("example" in row for row in rows)
            if takes_nothing and not has_examples and name not in NOT_ALONE:
                with self.subTest(name):
                    self.run_line(f"{name} {FEWER.get(name, '')}", Special())
                    ran += 1
        self.assertGreater(ran, 15)

    def test_reset_ends_the_run(self) -> None:
        self.run_line("reset", Special())

    def test_each_command_says_what_it_is_for(self) -> None:
        for name, rows in self.declared.items():
            with self.subTest(name):
                self.assertTrue(rows[0]["summary"])
                self.assertTrue(rows[0]["group"])
                for row in rows:
                    if "argument" in row:
                        self.assertTrue(row["meaning"], row)
                        self.assertEqual(row["kind"] == "choice", bool(row["choices"]), row)


if __name__ == "__main__":
    for machine in ("host", "sim", "world"):
        PROGRAMS[machine] = sys.argv.pop(1)
    unittest.main()
