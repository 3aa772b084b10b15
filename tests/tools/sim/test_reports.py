"""What is written and printed: lists, single cases, the JSON document, the page, and what is handed on."""

import html.parser
import json
import re
import unittest
from pathlib import Path

from tests.tools.sim.fixture import SIMULATOR, SimTest
from tools.sim import page, terminal

VOID = ("meta",)


class Page(html.parser.HTMLParser):
    """Checks that a page is well formed and needs no other file; collects its text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.wrong += [f"{tag} {name}" for name, _ in attributes if name in ("src", "href", "srcset", "onclick")]

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")

    def handle_data(self, data):
        self.text += data


class Lists(SimTest):
    def test_for_a_person(self):
        status, output, _ = self.sim("--list")
        self.assertEqual(0, status)
        self.assertRegex(output, r"(?m)^pair +64 +4 +4 +1  fails for each fifth seed")
        self.assertRegex(output, r"(?m)^interrupt.late +ns +an interrupt comes late$")
        self.assertIn("easy_bug", output)

    def test_as_json(self):
        status, output, _ = self.sim("--list", "--json")
        described = json.loads(output)
        self.assertEqual((0, "0123abcd"), (status, described["build"]))
        self.assertIn("quiet", [one["name"] for one in described["workloads"]])


class SingleCases(SimTest):
    def test_a_case_that_passes(self):
        status, output, _ = self.sim("quiet", "--seed", "3", "--keep", "0-4,9", "--fault", "interrupt.lost:at=2,9")
        self.assertEqual(0, status)
        self.assertRegex(output, r"\Apassed\nhash [0-9a-f]{16}, 600 events, 6\.000 us of virtual time\n")
        self.assertIn("operations performed: 0-4,9\n", output)
        self.assertIn("fault interrupt.lost: fired 2 of 200 at 2,9\n", output)
        self.assertTrue(output.endswith("\npoints that could not fail: 1 were reached\n"), output)

    def test_points_that_could_fail_are_shown(self):
        output = terminal.single({
            "outcome": "passed",
            "faults": {"points.frames.allocate": {"asked": 10, "fired": [3]}},
            "points": {"frames.allocate": {"reached": 12, "fired": 1}, "heap.allocate": {"reached": 5, "fired": 0}},
        })  # fmt: skip
        self.assertIn("\npoint frames.allocate: fired 1 of 12\npoints that could not fail: 1 were reached", output)

    def test_a_case_that_fails(self):
        status, output, _ = self.sim("kinds", "--seed", "13")
        self.assertEqual(1, status)
        self.assertIn("failed: panic: frame 13 was free\n    | frame 13 was free\n", output)

    def test_a_case_that_crashes_and_one_that_hangs(self):
        self.assertIn("failed: crash: the simulator was killed by SIGSEGV\n", self.sim("crashes", "--seed", "13")[1])
        status, output, _ = self.sim("spins", "--seed", "4", "--case-time", "400ms")
        self.assertEqual((1, 0), (status, output.find("failed: hang: the simulator computed for 0.4 s")))

    def test_json(self):
        status, output, _ = self.sim("kinds", "--seed", "13", "--json")
        document = json.loads(output)
        self.assertEqual((1, 13, "panic"), (status, document["case"]["seed"], document["outcome"]["failure"]["kind"]))

    def test_a_plan_and_rules_beside_it(self):
        plan = 'seed = 13\nswarm = true\n[[fault]]\nname = "interrupt.lost"\nat = [1]\n'
        Path(self.path("plan.toml")).write_text(plan)
        words = ("quiet", "--seed", "5", "--fault", "interrupt.lost:at=2", "--faults", self.path("plan.toml"), "--json")
        case = json.loads(self.sim(*words)[1])["case"]
        self.assertEqual((5, 13, True), (case["seed"], case["fault_seed"], case["swarm"]))
        self.assertEqual(["interrupt.lost:at=1", "interrupt.lost:at=2"], case["faults"])
        case = json.loads(self.sim(*words, "--fault-seed", "9")[1])["case"]
        self.assertEqual(9, case["fault_seed"])

    def handed_on(self, *words: str) -> list[str]:
        """The words with which the simulator is started in the place of this program."""
        process = self.start(*words)
        output, errors = process.communicate(timeout=20)
        self.assertEqual((0, ""), (process.returncode, errors))
        return json.loads(output)

    def test_what_is_for_the_simulator_is_handed_on(self):
        words = ("quiet", "--seed", "7", "--record", "r.tfr", "--swarm")
        self.assertEqual(["run", *words], self.handed_on(*words))
        words = ("--replay=r.tfr", "--until-event", "9", "--simulator", SIMULATOR)
        self.assertEqual(["run", *words[:3]], self.handed_on(*words))
        self.assertEqual(["diff", "a", "b"], self.handed_on("diff", "a", "b"))


class Documents(SimTest):
    def test_the_schema(self):
        document = self.document("pair", "--seeds", "1..50", "--repeats", "2", "--fault", "interrupt.lost:at=3")
        self.assertEqual(("twofold-sim-campaign", 1), (document["format"], document["version"]))
        keys = "format version build command case seeds ended totals failures faults points measured"
        self.assertEqual(keys.split(), list(document))
        self.assertEqual({"asked": [1, 50], "shard": [1, 1], "done": [[1, 50]], "missing": []}, document["seeds"])
        self.assertNotIn("seed", document["case"])
        totals = {"cases": 50, "passed": 40, "failed": 10, "events": 320_000, "virtual_ns": 3_200_000}
        self.assertEqual(totals, document["totals"])
        self.assertEqual({"interrupt.lost": {"asked": 10_000, "fired": 50}}, document["faults"])
        self.assertEqual({"frames.allocate": {"reached": 500, "fired": 0}}, document["points"])
        (failure,) = document["failures"]
        keys = "signature id count seeds case outcome shrunk reproduction"
        self.assertEqual(keys.split(), list(failure))
        self.assertEqual((10, list(range(5, 51, 5))), (failure["count"], failure["seeds"]))
        self.assertEqual((3, "3,17,25"), (failure["shrunk"]["operations"], failure["shrunk"]["case"]["keep"]))
        self.assertEqual((2, 2), (failure["reproduction"]["same"], failure["reproduction"]["runs"]))
        self.assertTrue(failure["reproduction"]["command"].startswith("./twofold sim pair --seed 5 "))
        self.assertEqual(2000 * 50, document["measured"]["host_ns"])

    def test_a_simulator_of_ones_own_is_in_the_command(self):
        document = self.document("pair", "--seeds", "1..5", "--no-shrink", "--repeats", "0", "--simulator", SIMULATOR)
        self.assertTrue(document["failures"][0]["reproduction"]["command"].endswith(f" --simulator {SIMULATOR}"))

    def test_files(self):
        names = ("--json", self.path("c.json"), "--html", self.path("c.html"))
        status, output, _ = self.sim("kinds", "--seeds", "1..50", "--no-shrink", "--repeats", "0", *names)
        self.assertEqual(1, status)
        self.assertIn("kinds: 50 cases in ", output)
        document = json.loads(Path(self.path("c.json")).read_text())
        self.assertEqual(page.page(document), Path(self.path("c.html")).read_text())

    def test_the_page(self):
        rules = ("--fault", "interrupt.lost:probability=0.2", "--fault", "points.frames.allocate:at=3")
        document = self.document("kinds", "--seeds", "1..300", "--repeats", "1", *rules)
        document["failures"][0]["signature"] += " <b>&"
        text = page.page(document)
        parsed = Page()
        parsed.feed(text)
        self.assertEqual(([], []), (parsed.open, parsed.wrong))
        self.assertNotRegex(text, r"https?://|url\(|@import|<script")
        self.assertIn("prefers-color-scheme: dark", text)
        for shown in ("frame 3 was free", "in <script> & more", "Fault points that fired", "reproduced 1 of 1",
                      document["failures"][1]["reproduction"]["command"], "interrupt.lost", "0123abcd"):
            self.assertIn(shown, parsed.text)
        self.assertEqual(3 + (len(document["measured"]["timeline"]) > 1), len(re.findall("<svg", text)))

    def test_a_page_without_failures(self):
        text = page.page(self.document("quiet", "--seeds", "1..5", status=0))
        self.assertIn("No case failed.", text)


if __name__ == "__main__":
    unittest.main()
