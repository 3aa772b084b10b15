"""The pretty-printers of gdb, on a program that holds one value of each type."""

import os
import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("TWOFOLD_BUILD", ROOT / "build" / "release"))

EXPECTED = {
    "size": "3 MiB",
    "odd": "1025 B",
    "frame": "physical 0x1000",
    "page": "virtual 0x444444440000",
    "time": "1500 ns",
    "cpu": "cpu 3",
    "count": "atomic 7",
    "good": "success = {value = 4 KiB}",
    "bad": "failure: busy",
    "done": "success",
    "text": '"tag"',
    "name": '"boot"',
    "view": '"kernel"',
    "list": "2 of 4 = {5, 6}",
}


class Printers(unittest.TestCase):
    def test_every_type_prints(self) -> None:
        command = ["gdb", "-nx", "-q", "-batch", "-ex", f"source {ROOT}/tools/gdb/printers.py"]
        command += ["-ex", "break stop_here", "-ex", "run", "-ex", "up"]
        for name in EXPECTED:
            command += ["-ex", f'printf "{name}="', "-ex", f"print values.{name}"]
        command.append(str(BUILD / "tests" / "twofold" / "printers_subject"))
        done = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False
        )
        for name, expected in EXPECTED.items():
            with self.subTest(name):
                found = [line for line in done.stdout.splitlines() if line.startswith(f"{name}=$")]
                self.assertEqual(len(found), 1, done.stdout + done.stderr)
                self.assertEqual(found[0].partition(" = ")[2], expected)


if __name__ == "__main__":
    unittest.main()
