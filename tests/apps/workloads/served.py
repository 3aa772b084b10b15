"""A simulator that serves cases, for tests of what these come to."""

import json
import pathlib
import shlex
import subprocess
import tomllib
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUGS = tomllib.loads((ROOT / "tools/sim/bugs.toml").read_text())["bug"]


def part_of_arguments(arguments: list[str]) -> slice:
    """Which of many things a test is to try: the arguments `--part I/N`, which are taken away, are every Nth one from
    the Ith on. Without them: all."""
    if "--part" not in arguments:
        return slice(None)
    where = arguments.index("--part")
    index, count = map(int, arguments[where + 1].split("/"))
    del arguments[where : where + 2]
    assert 1 <= index <= count
    return slice(index - 1, None, count)


def case_of(workload: str, options: str) -> dict:
    """The case of a workload with options, without its seed."""
    case = {"id": 1, "workload": workload, "faults": []}
    words = iter(shlex.split(options))
    for option in words:
        value = next(words)
        if option == "--fault":
            case["faults"].append(value)
        else:
            case[option.removeprefix("--")] = int(value)
    return case


class Served(unittest.TestCase):
    """What the program `simulator` answers to cases, and what it says of itself."""

    simulator: str
    server: subprocess.Popen

    @classmethod
    def setUpClass(cls) -> None:
        described = subprocess.run([cls.simulator, "--describe"], capture_output=True, text=True, check=True).stdout
        cls.described = json.loads(described)
        cls.server = subprocess.Popen(
            [cls.simulator, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.stdin.close()
        cls.server.wait()
        cls.server.stdout.close()

    def answer(self, case: dict) -> dict:
        print(json.dumps(case), file=self.server.stdin, flush=True)
        answer = json.loads(self.server.stdout.readline())
        self.assertNotIn("error", answer)
        return answer
