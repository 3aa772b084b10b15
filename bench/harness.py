"""What the benchmarks that are no Google Benchmark programs share: its options, and its JSON."""

import argparse
import json
import pathlib
from typing import Any

Entry = dict[str, Any]


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
