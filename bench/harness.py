"""What the benchmarks that are no Google Benchmark programs share: its options, and its JSON."""

import argparse
import json
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import linux_guest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tools.interrupt_windows import measure as windows  # noqa: E402

TIMEOUT_S = 300
QEMU_MICROVM = ["qemu-system-x86_64", "-M", "microvm", "-accel", "tcg", "-cpu", "max", "-icount", "shift=0,sleep=off"]
Entry = dict[str, Any]


class Failed(Exception):
    """A measurement could not be made; the text is for a person."""


def output(command: list[Any]) -> str:
    """What a program prints that ends well."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise Failed(f"{' '.join(str(word) for word in command)}: {(done.stdout + done.stderr).strip()[-300:]}")
    return done.stdout


def rows(program: pathlib.Path, *options: str, before: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The rows that the last command of a kernel printed; `before` is what starts the program."""
    text = output([*before, program, "--json", *options]).strip().splitlines()[-1]
    return [row for row in json.loads(text)["output"] if "text" not in row]


def parser(name: str) -> argparse.ArgumentParser:
    """A parser of the build folder and of the options that matter here; parse_known_args passes the others over."""
    made = argparse.ArgumentParser(prog=f"bench/{name}.py")
    made.add_argument("build", type=pathlib.Path)
    made.add_argument("--benchmark_out", type=pathlib.Path)
    made.add_argument("--benchmark_repetitions", type=int, default=3)
    return made


def entry(name: str, repeat: int, figure: float, unit: str = "ns") -> Entry:
    """One figure of one repeat."""
    made: Entry = {"name": name, "run_name": name, "run_type": "iteration", "iterations": 1}
    return made | {"repetition_index": repeat, "time_unit": unit, "real_time": figure, "cpu_time": figure}


def write(entries: list[Entry], out: pathlib.Path | None) -> None:
    """To the file, or printed where there is none."""
    text = json.dumps({"context": {}, "benchmarks": entries}, indent=2)
    if out:
        out.write_text(text)
    else:
        print(text)


class Measurements:
    """Collects figures, and goes on where one cannot be had."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: list[Entry] = []
        self.failed = False

    def take(self, measure: Callable[[], dict[str, float]], repeat: int) -> None:
        """Adds what a measurement finds; says why it finds nothing. A peer that is not to be had is no failure."""
        try:
            found = measure()
        except linux_guest.Unavailable as error:
            print(f"{self.name}: without the peer Linux: {error}", file=sys.stderr)
            return
        except (Failed, windows.Failed, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            print(f"{self.name}: {error}", file=sys.stderr)
            self.failed = True
            return
        self.entries.extend(entry(name, repeat, figure) for name, figure in found.items())
