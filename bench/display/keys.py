#!/usr/bin/env python3
"""Measures a key press until its pixels are shown, on a live hosted machine with the whole kernel (keys.cpp).

    bench/display/keys.py BUILD [--benchmark_out=FILE] [--benchmark_repetitions=N]

Takes Google Benchmark's options (the others are accepted and mean nothing here) and writes its JSON. Each repeat is
a machine of its own; of its presses the median, the 99th of a hundred and the slowest are given.
"""

import json
import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import harness  # noqa: E402


def figures(presses: dict[str, list[int]]) -> dict[str, float]:
    """Milliseconds, of the nanoseconds of each press."""
    found = {}
    for how, taken in presses.items():
        found[f"key_to_pixel_{how}_median/ours"] = statistics.median(taken) / 1e6
        found[f"key_to_pixel_{how}_p99/ours"] = statistics.quantiles(taken, n=100, method="inclusive")[98] / 1e6
        found[f"key_to_pixel_{how}_max/ours"] = max(taken) / 1e6
    return found


def main() -> int:
    options, _ = harness.parser("display/keys").parse_known_args()
    program = options.build.resolve() / "bench" / "display-keys"
    entries: list[harness.Entry] = []
    try:
        for repeat in range(options.benchmark_repetitions):
            found = figures(json.loads(harness.output([program])))
            entries += [harness.entry(name, repeat, figure, "ms") for name, figure in found.items()]
    except (harness.Failed, OSError, ValueError) as error:
        print(f"display/keys: {error}", file=sys.stderr)
        return 1
    harness.write(entries, options.benchmark_out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
