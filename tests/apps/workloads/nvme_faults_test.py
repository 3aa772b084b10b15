"""Each fault of the NVMe controller alone, at each of its occasions in the workload `nvme-faults`; then swarms of all.

    nvme_faults_test.py SIMULATOR          a fixed sample, some 10 seconds
    nvme_faults_test.py SIMULATOR --all    every occasion of several seeds, every status code, 2000 swarms

The workload says what is right: each request ends once and in time, an error or damaged data has a fault that explains
it (sim/run/explanation.cpp), and when faults are over the disk holds what was written.
"""

import sys
import unittest

from served import ROOT, Served

sys.path.insert(0, str(ROOT))
from tools.sim import fault_rules  # noqa: E402

IS_WHOLE = "--all" in sys.argv
if IS_WHOLE:
    sys.argv.remove("--all")
SIMULATOR = sys.argv.pop()
WORKLOAD = "nvme-faults"
PREFIX = "nvme."
# Seeds, and cases of one kind with one amount.
SEEDS = range(1, 9) if IS_WHOLE else range(1, 2)
CASES = 10_000 if IS_WHOLE else 12
SWARMS = 2_000 if IS_WHOLE else 100
NEVER = 10**9
# Amounts beside the usual one: within the time that a request has, beyond it, and far beyond.
AMOUNTS = {
    "nvme.late": (1_000, 19_000_000, 26_000_000, 10_000_000_000),
    "nvme.reordered": (1_000, 10_000_000_000),
    "nvme.doorbell_stall": (1_000, 10_000_000_000),
    "nvme.bit_rot": (64,),
    "nvme.shrunk": (100,),
}
# Type in bits 8 to 10, code below; 0 is success.
STATUS = "nvme.status"
STATUS_CODES = range(1, 0x800)


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers from 1 to `count`, evenly."""
    return sorted({1 + i * count // min(count, most) for i in range(min(count, most))})


class NvmeFaults(Served):
    simulator = SIMULATOR

    def kinds(self) -> list[str]:
        return [fault["name"] for fault in self.described["faults"] if fault["name"].startswith(PREFIX)]

    def run_with(self, seed: int, *rules: str, **more: object) -> dict:
        return self.answer({"id": 1, "workload": WORKLOAD, "seed": seed, "faults": list(rules)} | more)

    def passes(self, seed: int, rule: str, kind: str, occurrence: int) -> None:
        answer = self.run_with(seed, rule)
        said = answer.get("failure", {}).get("text")
        self.assertEqual("passed", answer["outcome"], f"--seed {seed} --fault {rule}: {said}")
        self.assertEqual([occurrence], answer["faults"][kind]["fired"], f"--seed {seed} --fault {rule}")

    def test_each_kind_alone_at_each_occasion(self) -> None:
        self.assertGreaterEqual(len(self.kinds()), 26)
        for kind in self.kinds():
            for seed in SEEDS:
                asked = self.run_with(seed, f"{kind}:at={NEVER}")["faults"].get(kind, {"asked": 0})["asked"]
                self.assertGreater(asked, 3, f"seed {seed} has hardly an occasion for {kind}")
                for amount in ("", *(f":amount={each}" for each in AMOUNTS.get(kind, ()))):
                    for occurrence in spread(asked, CASES):
                        with self.subTest(kind=kind, seed=seed, at=occurrence, amount=amount):
                            self.passes(seed, f"{kind}:at={occurrence}{amount}", kind, occurrence)

    def test_each_status(self) -> None:
        codes = STATUS_CODES if IS_WHOLE else STATUS_CODES[::37]
        for code in codes:
            with self.subTest(status=hex(code)):
                at = 1 + code % 40
                self.passes(1 + code % 7, f"{STATUS}:at={at}:amount={code}", STATUS, at)

    def test_a_command_lost_while_disks_are_told_of_a_namespace(self) -> None:
        """Who tells them reads the partition table, and another one has to find that the read was lost."""
        rules = ["nvme.reordered:at=3,10:amount=1000-5000000", "nvme.shrunk:at=19:amount=2-8", "nvme.wrong_phase:at=26"]
        for seed in range(1, 41):
            with self.subTest(seed=seed):
                answer = self.run_with(seed, *rules, operations=48)
                self.assertEqual("passed", answer["outcome"], answer.get("failure", {}).get("text"))

    def test_swarms(self) -> None:
        plan = fault_rules.read_plan(str(fault_rules.own_plan(WORKLOAD)))
        rules = [rule.text() for rule in plan.rules]
        kinds = set(self.kinds())
        self.assertEqual(kinds, {rule.name for rule in plan.rules if rule.name.startswith(PREFIX)})
        fired = set()
        for seed in range(1, SWARMS + 1):
            with self.subTest(seed=seed):
                answer = self.run_with(seed, *rules, swarm=True)
                self.assertEqual("passed", answer["outcome"], answer.get("failure", {}).get("text"))
                fired |= {kind for kind, counts in answer["faults"].items() if counts["fired"]}
        self.assertEqual(set(), kinds - fired, "these never happen")


if __name__ == "__main__":
    unittest.main()
