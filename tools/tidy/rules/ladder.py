"""The include ladder of docs/ARCHITECTURE.md, checked against the real includes.

Rungs, permitted edges and exceptions are declared in ladder.toml and nowhere else.
"""

from __future__ import annotations

from tools.tidy.finding import Finding
from tools.tidy.includes import Include, cycles
from tools.tidy.tree import Tree

name = "ladder"
explain = "a file includes only rooms below its own, along declared edges, by their public header"

LADDER = "tools/tidy/ladder.toml"


def room_of(path: str) -> str:
    """The node of the room graph that a file belongs to: `memory`, `hal`, `hal/hosted`, `apps`,
    ..."""
    parts = path.split("/")
    if parts[0] == "core" and len(parts) > 2:
        return parts[1]
    if path.startswith("hal/include/"):
        return "hal"
    for inner in ("hal/x86_64/isa", "tests/support"):
        if path.startswith(f"{inner}/"):
            return inner
    if parts[0] == "hal" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0] if len(parts) > 1 else ""


def room_edges(tree: Tree) -> dict[tuple[str, str], Include]:
    """The edges between rooms, each with the first directive of it. <machine/...> makes none: which
    machine it means is the build's choice."""
    edges: dict[tuple[str, str], Include] = {}
    for one in tree.include_graph.all:
        for target in () if one.name.startswith("machine/") else one.targets:
            edge = (room_of(one.source), room_of(target))
            if edge[0] != edge[1]:
                edges.setdefault(edge, one)
    return edges


def _finding(one: Include, wrong: str, instead: str) -> Finding:
    return Finding(one.source, one.line, wrong, instead)


def _is_pure(tree: Tree, used: str) -> bool:
    """Whether a room, or a header alone, needs nothing but pure rooms."""
    pure = tree.ladder["pure"]
    if not used.endswith(".hpp"):
        return used in pure
    return all(room_of(path) in pure for path in tree.include_graph.closure(used))


def _declaration(tree: Tree) -> list[Finding]:
    """The declaration itself: every edge leads down, every name exists, pure rooms stay pure."""
    ladder = tree.ladder
    order = {room: rung for rung, room in enumerate(ladder["ladder"])}
    found = []
    for room, uses in ladder["uses"].items():
        for used in uses:
            other = room_of(used) if used.endswith(".hpp") else used
            if room not in order or other not in order:
                wrong = f"[uses] {room} -> {other} names a room that is not on the ladder"
                found.append(Finding(LADDER, 0, wrong, "add it to `ladder` where it belongs"))
                continue
            if order[other] >= order[room]:
                wrong = f"[uses] {room} -> {other} leads upward"
                found.append(Finding(LADDER, 0, wrong, "remove the edge, or order the ladder anew"))
            if room in ladder["pure"] and not _is_pure(tree, used):
                wrong = f"[uses] the pure room {room} uses {used}, which is not pure"
                found.append(Finding(LADDER, 0, wrong, "remove the edge, or the room from `pure`"))
    return found


def _core_edge(one: Include, room: str, other: str, ladder: dict) -> list[Finding]:
    """An include from a room, or from the contract, to another place."""
    order = ladder["ladder"]
    if room not in order:
        return [_finding(one, f"the room {room} is not on the ladder", f"add it to {LADDER}")]
    if other not in order:
        wrong = f"{room} includes {one.name}, outside of core/ and the HAL contract"
        return [_finding(one, wrong, "declare in the room what it needs; outsiders register there")]
    uses = ladder["uses"].get(room, [])
    if other in uses or one.targets[0] in uses:
        return []
    if order.index(other) > order.index(room):
        wrong = f"upward include: {room} stands below {other}"
        return [_finding(one, wrong, "turn the dependency around: an interface in the lower room")]
    wrong = f"undeclared edge {room} -> {other}"
    return [_finding(one, wrong, f"do without it, or declare it under [uses] in {LADDER}")]


def _hal_edge(one: Include, room: str, other: str, ladder: dict) -> list[Finding]:
    """An include from a machine to another place."""
    allowed = ladder["uses_hal"].get(room)
    if allowed is None:
        return [_finding(one, f"{room} is not declared", f"add it under [uses_hal] in {LADDER}")]
    if other in allowed or one.targets[0] in allowed:
        return []
    wrong = f"{room} may not include {one.name}"
    instead = f"a machine sees the contract and pure rooms only ([uses_hal] in {LADDER})"
    return [_finding(one, wrong, instead)]


def _outside_edge(one: Include, room: str, other: str, ladder: dict) -> list[Finding]:
    """An include from a program, test or benchmark to another place."""
    if other in ladder["ladder"] or other in ladder["uses_outside"].get(room, []):
        return []
    wrong = f"{room} may not include {one.name}"
    return [_finding(one, wrong, f"use a public header, or declare it in {LADDER}")]


def _mirrors(source: str, target: str) -> bool:
    """Whether `source` is a test or benchmark of the room that `target` belongs to."""
    folder = "/".join(target.split("/")[:2])
    room = room_of(target)
    mirrors = [f"{top}/{place}/" for top in ("tests", "bench") for place in (folder, room)]
    return source.startswith(tuple(mirrors))


def _public_header(one: Include, other: str, ladder: dict) -> list[Finding]:
    """Rooms are entered by their public header, the contract by hal/NAME.hpp."""
    target = one.targets[0]
    if target.startswith("hal/include/") and one.name.startswith("hal/include/"):
        wrong = f"the contract is included as {one.name}"
        return [_finding(one, wrong, f'write "{target.removeprefix("hal/include/")}"')]
    if not target.startswith("core/") or target == f"core/{other}/{other}.hpp":
        return []
    if target in ladder["public"] or _mirrors(one.source, target):
        return []
    wrong = f"{target} is internal to the room {other}"
    return [_finding(one, wrong, f'include "core/{other}/{other}.hpp"')]


def _edge(one: Include, ladder: dict) -> list[Finding]:
    room, other = room_of(one.source), room_of(one.targets[0])
    if room == other:
        return []
    if room in ladder["uses_outside"]:
        found = _outside_edge(one, room, other, ladder)
    elif room.startswith("hal/"):
        found = _hal_edge(one, room, other, ladder)
    else:
        found = _core_edge(one, room, other, ladder)
    return found or _public_header(one, other, ladder)


def _unresolved(one: Include, ladder: dict) -> list[Finding]:
    """Quoted names that are not in the tree, and names in brackets that the build would choose."""
    if one.quoted and one.name not in ladder.get("generated", []):
        wrong = f'"{one.name}" is not in the tree'
        return [_finding(one, wrong, "name it by its path from the root; other libraries take <>")]
    return []


def _machine_headers(one: Include) -> list[Finding]:
    """<machine/...> is the contract's door, not the kernel's."""
    room = room_of(one.source)
    if one.quoted or not one.name.startswith("machine/") or room.startswith("hal"):
        return []
    instead = f'include "hal/{one.name.removeprefix("machine/")}"'
    return [_finding(one, f"{room} includes <{one.name}> past the contract", instead)]


def _cycles(tree: Tree) -> list[Finding]:
    """Cycles between files, and between rooms. Includes by include path are not counted: a header
    of the contract and the machine's half of it name each other by design."""
    graph = tree.include_graph
    files = {
        path: {target for one in directives if one.quoted for target in one.targets}
        for path, directives in graph.by_file.items()
    }
    for path in files:
        if "/include/machine/" in path or path.endswith("/mutant_choice.hpp"):
            files[path] = set()
    rooms: dict[str, set[str]] = {}
    for source, target in room_edges(tree):
        rooms.setdefault(source, set()).add(target)
    found = []
    for kind, members in [("files", one) for one in cycles(files)] + [
        ("rooms", one) for one in cycles(rooms)
    ]:
        place = members[0] if kind == "files" else LADDER
        wrong = f"{kind} include each other in a cycle: {', '.join(members)}"
        found.append(Finding(place, 0, wrong, "move what they share into a lower one"))
    return found


def check(tree: Tree) -> list[Finding]:
    ladder = tree.ladder
    found = _declaration(tree)
    for one in tree.include_graph.all:
        found += _machine_headers(one)
        if not one.targets:
            found += _unresolved(one, ladder)
        elif not one.name.startswith("machine/"):
            found += _edge(one, ladder)
    return found + _cycles(tree)
