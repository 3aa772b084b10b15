#!/usr/bin/env python3
"""The live kernel's code is the same with and without the simulator in the tree.

    tests/hal/hosted/same_code.py BUILD

Compiles the heap, in which locks and the interrupt flag are inlined, as the build does for the live machine: once
in this tree, and once in a copy of it without hal/hosted/sim, of which the live machine knows one header alone, a
struct of plain words. What comes out must be the same instructions. Sources that take longer to compile, the
dispatcher's among them, must be the same text once preprocessed. To show that a hook would be seen, the heap is
compiled with the simulator's headers, too, and must differ.
"""

import concurrent.futures
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
HEAP = "core/memory/kernel_heap.cpp"
# Functions that must be in it, or something else is compared.
HEAP_FUNCTIONS = ("Heap.*8allocate", "Heap.*4free")
# A source, and the target whose flags it has.
TARGETS = {
    HEAP: "core/memory/CMakeFiles/memory_host.dir/",
    "core/task/threads.cpp": "core/task/CMakeFiles/task_host.dir/",
    "core/processor/timer_queue.cpp": "core/processor/CMakeFiles/processor_host.dir/",
    "hal/hosted/guest/interrupts.cpp": "hal/hosted/CMakeFiles/hosted_guest.dir/",
}
KNOWN = "hal/hosted/sim/virtual_time.hpp"
HOOKS = ("hal/hosted/sim/hooks", "hal/hosted/sim/include")


def command_of(build: pathlib.Path, target: str) -> list[str]:
    """How the build compiles C++ of a target, without input, output and what slows it down."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        if any(word.startswith(target) for word in words) and entry["file"].endswith((".cpp", ".cxx")):
            compiler = next(i for i, word in enumerate(words) if re.search(r"(g|clang)\+\+(-\d+)?$", word))
            words = words[compiler:]
            for flag in ("-o", "-c"):
                at = words.index(flag)
                del words[at : at + 2]
            return [word for word in words if not word.startswith("-g")]
    sys.exit(f"no source of {target} is compiled in {build}")


def compiled(words: list[str], source: pathlib.Path, out: pathlib.Path) -> str:
    """The instructions of a source, with what they refer to."""
    subprocess.run([*words, "-o", str(out), "-c", str(source)], check=True, cwd=out.parent)
    said = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", out], capture_output=True, text=True, check=True)
    return said.stdout.split("\n", 3)[3]  # without the name of the file


def copy_tree(to: pathlib.Path) -> None:
    """The sources of the kernel without the simulator."""
    for folder in ("core", "hal"):
        shutil.copytree(ROOT / folder, to / folder, ignore=lambda at, _: ["sim"] if at.endswith("hosted") else [])
    (to / KNOWN).parent.mkdir()
    shutil.copy(ROOT / KNOWN, to / KNOWN)


def preprocessed(words: list[str], source: pathlib.Path) -> str:
    """A source with all that it includes."""
    said = subprocess.run([*words, "-E", "-P", str(source)], capture_output=True, text=True, check=True)
    return said.stdout


def main() -> int:
    build = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor() as workers:
        folder = pathlib.Path(name)
        tree = folder / "tree"
        copy_tree(tree)
        commands = {source: command_of(build, target) for source, target in TARGETS.items()}
        elsewhere = {
            source: [word.replace(str(ROOT), str(tree)) for word in words] for source, words in commands.items()
        }
        hooks = [f"-I{ROOT / path}" for path in HOOKS]
        heap = commands[HEAP]
        with_it = workers.submit(compiled, heap, ROOT / HEAP, folder / "with.o")
        without_it = workers.submit(compiled, elsewhere[HEAP], tree / HEAP, folder / "without.o")
        for source, words in commands.items():
            here, there = preprocessed(words, ROOT / source), preprocessed(elsewhere[source], tree / source)
            if here.replace(str(ROOT), "") != there.replace(str(tree), ""):
                sys.exit(f"{source}: what it includes for the live machine depends on the simulator")
        for function in HEAP_FUNCTIONS:
            if not re.search(rf"^[0-9a-f]+ <.*{function}.*>:$", with_it.result(), re.MULTILINE):
                sys.exit(f"{HEAP}: there is no function {function} in it any more: name another")
        if with_it.result() != without_it.result():
            sys.exit(f"{HEAP}: its code for the live machine depends on the simulator")
        if preprocessed([heap[0], *hooks, *heap[1:]], ROOT / HEAP) == preprocessed(heap, ROOT / HEAP):
            sys.exit("the hooks of the simulator change nothing: what is compared here proves nothing")
    return 0


if __name__ == "__main__":
    sys.exit(main())
