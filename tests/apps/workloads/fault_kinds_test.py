"""Each kind of fault happens, is borne by the kernel as it is, and is noticed where one operation of the kernel is
flipped; without the fault that operation is not missed.

    fault_kinds_test.py SIMULATOR [--part I/N]

SIMULATOR is twofold-simulator of a build whose operations can be flipped. tools/sim/faults.toml says what shows
which kind; a kind that is not there fails. Of the faults that a bug's options name, the kind itself is in force, and
the cut of power that some need to be seen.
"""

import re
import sys
import tomllib
import unittest

from served import BUGS, ROOT, Served, case_of, part_of_arguments

PART = part_of_arguments(sys.argv)
SIMULATOR = sys.argv.pop()
KINDS = tomllib.loads((ROOT / "tools/sim/faults.toml").read_text())["fault"]
DOCUMENT = (ROOT / "docs/fault-plans.md").read_text()
COMPANY = "power.cut"
# The rarest shows in one of some 30 seeds.
SEEDS = 600
# What is not to fail is tried with so many.
QUIET_SEEDS = 30
FORMS = {"bug": "flipped", "case": "case"}
POINT = "points."


def kind_of(rule: str) -> str:
    return rule.partition(":")[0]


def case_with(kind: str, case: dict) -> dict:
    """The case with no faults but this kind, and the cut of power."""
    return case | {"faults": [rule for rule in case["faults"] if kind_of(rule) in (kind, COMPANY)]}


def case_without(kind: str, case: dict) -> dict:
    return case | {"faults": [rule for rule in case["faults"] if kind_of(rule) != kind]}


class FaultKinds(Served):
    simulator = SIMULATOR

    def fails_with(self, kind: str, case: dict) -> None:
        """One of the seeds fails, and the fault has happened there."""
        for seed in range(1, SEEDS + 1):
            answer = self.answer(case | {"seed": seed})
            if answer["outcome"] == "failed":
                self.assertTrue(answer["faults"][kind]["fired"], f"seed {seed} fails for another reason: {answer}")
                return
        self.fail(f"none of {SEEDS} seeds notices it")

    def passes(self, case: dict) -> list[dict]:
        """None of the seeds fails; what each came to."""
        answers = [self.answer(case | {"seed": seed}) for seed in range(1, QUIET_SEEDS + 1)]
        self.assertEqual([], [answer for answer in answers if answer["outcome"] != "passed"])
        return answers

    def is_borne(self, kind: str, case: dict) -> None:
        self.assertIn(kind, map(kind_of, case["faults"]), "the options do not name it")
        answers = self.passes(case)
        self.assertTrue(any(answer["faults"][kind]["fired"] for answer in answers), "it never happens")

    def is_caught(self, kind: str, bug: str, options: str | None) -> None:
        self.assertIn(bug, BUGS)
        plain = case_with(kind, case_of(BUGS[bug]["workload"], options or BUGS[bug]["options"]))
        self.is_borne(kind, plain)
        flipped = plain | {"mutant": bug}
        self.fails_with(kind, flipped)
        self.passes(case_without(kind, flipped))

    def is_borne_by_none(self, kind: str, words: str) -> None:
        case = case_with(kind, case_of(*words.split(" ", 1)))
        self.fails_with(kind, case)
        self.passes(case_without(kind, case))

    def test_each_is_caught(self) -> None:
        for kind, said in list(KINDS.items())[PART]:
            with self.subTest(kind=kind):
                forms = [form for form in FORMS if form in said]
                self.assertEqual(1, len(forms), f"one of {', '.join(FORMS)}")
                self.assertEqual({"bears", *forms}, set(said) - {"options"})
                if "bug" in said:
                    self.is_caught(kind, said["bug"], said.get("options"))
                else:
                    self.is_borne_by_none(kind, said["case"])

    def test_all_that_there_are_are_in_the_table(self) -> None:
        kinds = [fault["name"] for fault in self.described["faults"]]
        self.assertGreaterEqual(len(kinds), 43)
        kinds += [POINT + point for point in self.described["points"]]
        self.assertEqual(sorted(kinds), sorted(KINDS))

    def test_the_document_says_the_same(self) -> None:
        rows = re.findall(r"^\| `([\w.]+)` \| ([^|]+) \| ((?:flipped|case): `[^`]+`) \|$", DOCUMENT, re.MULTILINE)
        expected = [
            (kind, said["bears"], f"{word}: `{said[form]}`")
            for kind, said in KINDS.items()
            for form, word in FORMS.items()
            if form in said
        ]
        self.assertEqual(expected, rows)


if __name__ == "__main__":
    unittest.main()
