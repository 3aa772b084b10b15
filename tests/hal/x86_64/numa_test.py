#!/usr/bin/env python3
"""Boots the kernel on a machine with several NUMA nodes, told by the firmware's SRAT, and reads its zones.

    numa_test.py LAUNCHER IMAGE.elf [unittest's arguments]
"""
import pathlib
import re
import subprocess
import sys
import unittest

LAUNCHER = pathlib.Path(sys.argv.pop(1))
IMAGE = pathlib.Path(sys.argv.pop(1))
MIB = 1 << 20


def boot(memory_mib: list[int], command: str) -> str:
    """What a command prints on q35 with a node for each amount of memory, a processor in each."""
    words = [str(LAUNCHER), "--machine", "q35", "--image", str(IMAGE), "--timeout", "90", "--command", command]
    words += ["--memory", f"{sum(memory_mib)}M", "--cpus", str(len(memory_mib))]
    for node, size in enumerate(memory_mib):
        for further in (
            "-object", f"memory-backend-ram,id=ram{node},size={size}M",
            "-numa", f"node,nodeid={node},memdev=ram{node},cpus={node}",
        ):
            words.append(f"--qemu-arg={further}")
    done = subprocess.run(words, capture_output=True, text=True, timeout=110, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Nodes(unittest.TestCase):
    def zones(self, text: str) -> list[tuple[int, int, int]]:
        found = re.findall(r"^(?:below|above) .*?B +(\d+)  0x([0-9a-f]+) +0x([0-9a-f]+) ", text, re.MULTILINE)
        return [(int(node), int(start, 16), int(end, 16)) for node, start, end in found]

    def test_each_node_has_zones_of_its_own(self) -> None:
        text = boot([96, 32, 64], "mem; frames")
        zones = self.zones(text)
        self.assertGreaterEqual(len(zones), 4, text)
        for node, start, end in zones:
            first, last = {0: (0, 96), 1: (96, 128), 2: (128, 192)}[node]
            self.assertLessEqual(first * MIB, start, text)
            self.assertLessEqual(end, last * MIB, text)
        self.assertEqual({node for node, _, _ in zones}, {0, 1, 2}, text)
        magazines = re.findall(r"^(\d) +(\d) +\d+$", text, re.MULTILINE)
        self.assertEqual([(cpu, node) for cpu, node in magazines][-3:], [("0", "0"), ("1", "1"), ("2", "2")], text)

    def test_one_node_is_no_node(self) -> None:
        zones = self.zones(boot([64], "mem"))
        self.assertEqual({node for node, _, _ in zones}, {0})


if __name__ == "__main__":
    unittest.main()
