#!/usr/bin/env python3
"""The commands that the documents show, listed or run.

A block that opens with ```sh shows commands; one that opens with ```sh test is a promise, and the
tests run each of its commands from the root of the repository: status 0 or the promise is broken.

    tools/tidy/commands.py --list
    tools/tidy/commands.py --run [--timeout SECONDS] [DOCUMENT...]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tools.tidy import markdown  # noqa: E402
from tools.tidy.tree import Tree  # noqa: E402


def promised(tree: Tree, documents: list[str]) -> list[tuple[str, int, str]]:
    """The commands to run: (document, line, command)."""
    return [
        (path, line, command)
        for path in documents
        for line, command in markdown.commands(tree.text(path), marked="test")
    ]


def run(root: Path, command: str, timeout_s: float) -> str:
    """Runs one command; returns what went wrong, or nothing."""
    shell = subprocess.Popen(
        ["bash", "-eu", "-o", "pipefail", "-c", command],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = shell.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()
        return f"still running after {timeout_s:g} s"
    tail = "\n".join(output.splitlines()[-20:])
    return f"status {shell.returncode}\n{tail}" if shell.returncode != 0 else ""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The commands that the documents show.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--list", action="store_true", help="list every command shown")
    action.add_argument("--run", action="store_true", help="run those in blocks marked `sh test`")
    parser.add_argument("--timeout", type=float, default=120, metavar="SECONDS", help="for each")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    parser.add_argument("documents", nargs="*", help="all of the repository if none is named")
    options = parser.parse_args(arguments)
    tree = Tree(options.root)
    documents = options.documents or tree.select(suffixes=(".md",))
    missing = [path for path in documents if path not in tree.file_set]
    if missing:
        parser.error(f"no such document: {', '.join(missing)}")
    if options.list:
        for path in documents:
            for line, command in markdown.commands(tree.text(path)):
                print(f"{path}:{line}: {command}")
        return 0
    failed = 0
    commands = promised(tree, documents)
    for path, line, command in commands:
        wrong = run(tree.root, command, options.timeout)
        print(f"{path}:{line}: {'FAILED' if wrong else 'ok'}: {command}", flush=True)
        if wrong:
            failed += 1
            print(wrong)
    print(f"documents: {len(commands)} commands, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
