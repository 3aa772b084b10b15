"""Seeded bugs: each is searched for, what is found is shrunk and reproduced, false alarms and misses fail."""

import json
import shlex
import tomllib
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

from tests.tools.sim.fixture import SimTest
from tools.sim import bugs, catalogue, fault_rules
from tools.sim.campaign import Stop
from tools.sim.findings import Finding

EASY = '[bug.easy_bug]\nworkload = "kernel"\nabout = "easy to find"\n'
RARE = '[bug.rare_bug]\nworkload = "kernel"\noptions = "--cpus 2 --threads 2"\nabout = "seldom seen"\n'
# Time enough to find what can be found, and little in which nothing is.
ENOUGH = ("--time", "60s", "--control-time", "100ms")
HIDDEN = '[bug.hidden_bug]\nworkload = "kernel"\nabout = "never seen"\n'


class Bugs(SimTest):
    def bugs(self, table: str, *words: str) -> tuple[int, str, str]:
        return self.sim("bugs", "--table", self.table(table), "--repeats", "2", *words)

    def table(self, text: str) -> str:
        Path(self.path("bugs.toml")).write_text(text)
        return self.path("bugs.toml")

    def test_all_are_found(self):
        status, output, errors = self.bugs(EASY + RARE, *ENOUGH)
        self.assertEqual(0, status, output + errors)
        self.assertRegex(output, r"(?m)^  1  easy_bug +kernel +3 +\d+\.\d +1  2 of 2$")
        self.assertRegex(output, r"(?m)^  2  rare_bug +kernel +40 +\d+\.\d +3  2 of 2$")
        self.assertIn("in no workload: hidden_bug\n", output)
        self.assertRegex(output, r"nothing flipped: [\d,]+ cases, 0 false alarms\n")
        self.assertIn("found 2 of 2 (100 %), 2 operations in the median, 2 reproduced each time\n", output)

    def test_a_miss_fails(self):
        status, output, _ = self.bugs(HIDDEN, "--time", "300ms")
        self.assertEqual(1, status)
        self.assertRegex(output, r"(?m)^  1  hidden_bug .* NOT FOUND  -$")
        self.assertIn("found 0 of 1 (0 %), 0 reproduced each time\n", output)

    def test_a_false_alarm_fails(self):
        status, output, _ = self.bugs(EASY.replace("kernel", "alarming"), "--time", "300ms", "--control-time", "60s")
        self.assertEqual(1, status)
        self.assertIn("FALSE ALARM oracle: false\n    ./twofold sim alarming --seed 9 ", output)
        self.assertIn("2 false alarms\n", output)
        self.assertNotIn("--mutant", output)

    def test_what_fails_with_nothing_flipped_is_not_the_bug(self):
        """The control is over before the seed at which it would fail."""
        table = EASY.replace("kernel", "belated")
        status, output, _ = self.bugs(table, "--time", "60s", "--control-time", "1ms")
        self.assertEqual(1, status)
        self.assertIn("NOT FOUND", output)
        self.assertIn("FALSE ALARM oracle: false\n    ./twofold sim belated --seed 1000 ", output)
        self.assertIn("1 false alarm\nfound 0 of 1", output)

    def test_some_by_name_and_number(self):
        for words in (("rare_bug",), ("2",), ("--number", "2")):
            status, output, _ = self.bugs(EASY + RARE, *words, *ENOUGH)
            self.assertEqual(0, status)
            self.assertIn("found 1 of 1", output)
            self.assertNotIn("easy_bug", output.partition("in no workload")[0])

    def test_json(self):
        names = ("--json", self.path("b.json"))
        documents = []
        for table, words in ((EASY, ENOUGH), (HIDDEN, ("--time", "300ms"))):
            self.bugs(table, *words, *names)
            documents.append(json.loads(Path(self.path("b.json")).read_text()))
        found, missed = documents
        self.assertEqual(("twofold-sim-bugs", 1, "0123abcd"), (found["format"], found["version"], found["build"]))
        totals = {"bugs": 1, "found": 1, "found_percent": 100.0, "operations_median": 1, "reproduced_always": 1}
        self.assertEqual(totals, found["totals"])
        self.assertEqual(totals | dict.fromkeys(("found", "found_percent", "reproduced_always"), 0)
                         | {"operations_median": None}, missed["totals"])
        easy, hidden = found["bugs"][0], missed["bugs"][0]
        self.assertEqual((True, 3, 1), (easy["found"], easy["cases"], easy["operations"]))
        self.assertIn("--mutant easy_bug", easy["finding"]["reproduction"]["command"])
        self.assertEqual((False, None), (hidden["found"], hidden["finding"]))
        self.assertEqual(["rare_bug", "hidden_bug"], found["unassigned"])
        self.assertEqual(1, len(found["controls"]))

    def test_tables_that_are_wrong(self):
        for text, said in (
            (EASY.replace("easy", "eazy"), "no operation 'eazy_bug' can be flipped; did you mean 'easy_bug'?"),
            (EASY.replace("kernel", "kernal"), "bug easy_bug: unknown workload 'kernal'; did you mean 'kernel'?"),
            (EASY + 'options = "--seed 3"\n', "searched for under all seeds"),
            (EASY + 'options = "--cpus"\n', "bug easy_bug: argument --cpus"),
            (EASY + "when = 3\n", "there are workload, options, about"),
            ('[bug.easy_bug]\nworkload = "kernel"\n', "workload and about are needed"),
            ('canary = "rare_bug"\n' + EASY, "the canary 'rare_bug' is no bug"),
            ("bogus = 1\n", "not 'bogus'"),
            (EASY + EASY, "bugs.toml"),
            ("", "has no bugs"),
        ):
            self.assertIn(said, self.refused("bugs", "--table", self.table(text)), text)
        table = self.table(EASY)
        self.assertIn("numbers 1 to 1", self.refused("bugs", "--table", table, "7"))
        self.assertIn("did you mean 'easy_bug'", self.refused("bugs", "--table", table, "easybug"))
        self.assertIn("No such file", self.refused("bugs", "--table", self.path("none")))

    def test_the_list(self):
        status, output, _ = self.bugs(EASY + RARE, "--list")
        self.assertEqual((0, 2), (status, output.count("\n")))
        self.assertRegex(output, r"(?m)^  2  rare_bug +kernel +seldom seen$")


class Time(SimTest):
    def test_what_was_not_found_gets_the_time_that_is_left(self):
        cases = [bugs.Bug(number, name, name, self.case("kernel", 0)) for number, name in enumerate("abcd", 1)]
        finding = mock.Mock(spec=Finding)
        asked: list[tuple[str, int, float]] = []

        def hunt(before: bugs.Hunt, seconds: float, _: str) -> bugs.Hunt:
            asked.append((before.bug.name, before.next_seed, round(seconds, 6)))
            if before.bug.name in "bd" and before.next_seed == 1:
                return replace(before, cases=5, next_seed=6)
            return replace(before, cases=before.cases + 2, finding=finding)

        with mock.patch.object(bugs.time, "monotonic", return_value=100.0):
            hunts = bugs.run_hunts(mock.Mock(hunt=hunt), cases, 200.0, Stop())
        first = [("a", 1, 10.0), ("b", 1, 13.333333), ("c", 1, 20.0), ("d", 1, 40.0)]
        self.assertEqual([*first, ("b", 6, 50.0), ("d", 6, 100.0)], asked)
        self.assertEqual([2, 7, 2, 7], [hunt.cases for hunt in hunts])


class Canary(SimTest):
    def canary(self, text: str, time: str) -> tuple[int, str, str]:
        Path(self.path("bugs.toml")).write_text(text)
        return self.sim("canary", "--table", self.path("bugs.toml"), "--repeats", "2", "--time", time)

    def test_it_must_be_caught(self):
        status, output, _ = self.canary('canary = "rare_bug"\n' + EASY + RARE, "60s")
        self.assertEqual(0, status)
        self.assertRegex(output, r"\Athe canary rare_bug .* was caught after 40 cases and .* panic: rare\n")

    def test_it_fails_if_it_is_not(self):
        status, output, _ = self.canary('canary = "hidden_bug"\n' + HIDDEN, "300ms")
        self.assertEqual(1, status)
        self.assertIn("was NOT caught", output)

    def test_a_false_alarm_does_not_do(self):
        status, output, _ = self.canary('canary = "easy_bug"\n' + EASY.replace("kernel", "alarming"), "60s")
        self.assertEqual(1, status)
        self.assertIn("what failed fails with nothing flipped, too", output)

    def test_there_must_be_one(self):
        Path(self.path("bugs.toml")).write_text(EASY)
        self.assertIn("names no canary", self.refused("canary", "--table", self.path("bugs.toml")))


class OwnTable(unittest.TestCase):
    def test_it_can_be_read(self):
        """The table of the tree is of the right shape, whatever simulator it is for."""
        content = tomllib.loads(bugs.TABLE.read_text())
        tables = content.get("bug", {})
        workloads = {one["workload"] for one in tables.values()}
        known = catalogue.Catalogue(
            "any",
            {name: catalogue.Workload(name, "any", 64, 64, 64) for name in workloads},
            {rule: "ns" for one in tables.values() for rule in rule_names(one)},
            tuple(tables),
            ("xeon", "flat", "slow-memory"),
            {},
        )
        table = bugs.read_table(bugs.TABLE, known)
        self.assertEqual(list(tables), [bug.name for bug in table.bugs])
        for bug in table.bugs:
            self.assertTrue(bug.about)


def rule_names(table: dict[str, str]) -> list[str]:
    """The faults that the options of a bug name, or the plan of its workload's own."""
    words = shlex.split(table.get("options", ""))
    named = [after.partition(":")[0] for word, after in zip(words, words[1:]) if word == "--fault"]
    plan = fault_rules.own_plan(table["workload"])
    own = fault_rules.read_plan(str(plan)).rules if plan is not None and not named else ()
    return named + [rule.name for rule in own]


if __name__ == "__main__":
    unittest.main()
