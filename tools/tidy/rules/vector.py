"""General kernel code uses no vector and no floating-point register, so that interrupts and system
calls never save them; vector objects export no weak symbol, which would leak into general code.

Proven by disassembly, of all but the programs of benchmarks.
Which objects may use vectors is declared in ladder.toml under [vector].
"""

from __future__ import annotations

import re
from pathlib import Path

from tools.tidy import objects
from tools.tidy.finding import Finding
from tools.tidy.tree import Tree, in_parallel

name = "vector"
explain = "no vector or x87 instruction in general kernel objects, no weak symbol in vector objects"

# What each preset always builds: the one all but benchmarks, the other the kernel.
PRESETS = {
    "release": ("core/", "hal/", "apps/", "tests/", "tools/"),
    "unchecked": ("core/", "hal/"),
}

# AT&T operands of MMX, SSE, AVX, AVX-512 and x87, and x87 mnemonics without operands. Saving and
# restoring the state of others (fxsave, fninit, ...) is what the machine's own code is for.
_REGISTER = re.compile(r"%(?:[xyz]mm\d+|mm[0-7]|st\b|k[0-7]\b)")
_X87 = re.compile(r"^f(?!xsave|xrstor|ninit|nstcw|ldcw|wait)[a-z0-9]+$")
_FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")


def vector_uses(path: Path) -> list[str]:
    """The functions of an object that use such a register, each with its first instruction."""
    found: dict[str, str] = {}
    function = "?"
    listing = objects.objdump("-d", "-C", "--no-show-raw-insn", "-w", str(path))
    for line in listing.splitlines():
        if match := _FUNCTION.match(line):
            function = match.group(1)
            continue
        _, separator, instruction = line.partition("\t")
        if not separator:
            continue
        instruction = instruction.split("#")[0].split("<")[0].strip()
        mnemonic = instruction.split()[0] if instruction else ""
        if _REGISTER.search(instruction) or _X87.match(mnemonic):
            found.setdefault(function, " ".join(instruction.split()))
    return [f"{function} ({instruction})" for function, instruction in found.items()]


def weak_symbols(path: Path) -> list[str]:
    return sorted(symbol.name for symbol in objects.symbols(path) if symbol.is_weak)


def check(tree: Tree) -> list[Finding]:
    remembered = objects.Remembered(tree, name)
    vectors = frozenset(tree.ladder["vector"]["targets"])
    provoked = tree.ladder["vector"].get("provoked", {})
    found: set[Finding] = set()
    for preset, folders in PRESETS.items():
        compilations = tree.built(
            preset, lambda one: one.is_kernel and one.source.startswith(folders)
        )
        general = [
            one
            for one in compilations
            if one.target not in vectors and one.source not in provoked
        ]
        answers = in_parallel(
            lambda one: remembered.ask("vector", one.object, vector_uses), general
        )
        for one, answer in zip(general, answers):
            for what in answer:
                wrong = f"{what} uses a vector register ({one.target}, {preset})"
                instead = "move it into a vector object ([vector] in tools/tidy/ladder.toml)"
                found.add(Finding(one.source, 0, wrong, instead))
        for one in compilations:
            if one.target in vectors:
                for symbol in remembered.ask("weak", one.object, weak_symbols):
                    wrong = f"the vector object exports the weak symbol {symbol} ({one.target})"
                    instead = "give it internal linkage, or a C-shaped interface of its own"
                    found.add(Finding(one.source, 0, wrong, instead))
    return sorted(found)
