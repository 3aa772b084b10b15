"""tools/report.py: what was counted, from stages, CTest's JUnit files and the records of kernels."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Report(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="twofold-test-")
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        self.folder = self.build / "test"
        self.folder.mkdir()
        self.stages("build release\t0\t1200\tcmake --build --preset release")

    def stages(self, *lines: str) -> None:
        (self.folder / "stages.tsv").write_text("".join(line + "\n" for line in lines))

    def junit(self, preset: str, **tests: str) -> None:
        cases = "".join(
            f'<testcase name="{name.replace("__", ".")}" status="{status}" time="0.5">'
            "<system-out>said</system-out></testcase>"
            for name, status in tests.items()
        )
        (self.folder / f"ctest-{preset}.xml").write_text(f"<testsuite>{cases}</testsuite>")

    def records(self, preset: str, name: str, *records: dict[str, object]) -> None:
        path = self.build / preset / "results" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        hello = {"type": "hello", "machine": "metal"}
        path.write_text("".join(json.dumps(one) + "\n" for one in (hello, *records)) + "no json\n")

    def report(self, status: int) -> list[str]:
        done = subprocess.run(
            [sys.executable, ROOT / "tools/report.py", self.folder], capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout.splitlines()

    def test_passing_tests_and_stages_count(self) -> None:
        self.junit("release", host__a__A="run", host__a__B="run")
        lines = self.report(0)
        self.assertEqual(lines[-1], "3 passed, 0 failed")
        self.assertTrue(any(line.split() == ["host", "release", "2", "0", "0"] for line in lines), lines)

    def test_a_failing_test_is_named_with_its_command(self) -> None:
        self.junit("debug", host__a__A="fail", host__a__B="notrun")
        self.stages("test debug\t8\t10\tctest --preset debug")
        lines = self.report(1)
        self.assertEqual(lines[-1], "0 passed, 1 failed")
        self.assertIn("FAILED host debug host.a.A", lines)
        self.assertIn("    again: ctest --preset debug -R '^host.a.A$'", lines)
        self.assertIn("    said", lines)

    def test_the_tests_of_a_kernel_count_one_by_one(self) -> None:
        self.junit("release", metal__tests="fail")
        self.records(
            "release",
            "metal.tests",
            {"type": "test_begin", "test": "A.a"},
            {"type": "test_end", "test": "A.a", "outcome": "passed", "cycles": 1, "reason": ""},
            {"type": "test_begin", "test": "A.b"},
            {
                "type": "test_failure",
                "test": "A.b",
                "file": "x.cpp",
                "line": 3,
                "expectation": "a == b",
                "detail": "1, 2",
            },
            {"type": "test_end", "test": "A.b", "outcome": "failed", "cycles": 1, "reason": ""},
            {"type": "test_end", "test": "A.c", "outcome": "skipped", "cycles": 0, "reason": "no such register"},
        )  # fmt: skip
        lines = self.report(1)
        self.assertEqual(lines[-1], "2 passed, 1 failed")
        self.assertIn("    x.cpp:3: a == b; 1, 2", lines)
        self.assertTrue(any(line.split() == ["metal", "release", "1", "1", "1"] for line in lines), lines)
        suites = ElementTree.parse(self.folder / "report.xml").getroot()
        metal = next(suite for suite in suites if suite.get("name") == "metal release")
        self.assertEqual((metal.get("tests"), metal.get("failures"), metal.get("skipped")), ("3", "1", "1"))

    def test_a_kernel_that_died_in_a_test_failed_it(self) -> None:
        self.junit("release", metal__tests="fail")
        self.records("release", "metal.tests", {"type": "test_begin", "test": "A.a"})
        lines = self.report(1)
        self.assertEqual(lines[-1], "1 passed, 1 failed")
        self.assertIn("FAILED metal release A.a", lines)

    def test_a_run_that_failed_without_a_failing_test_still_fails(self) -> None:
        self.junit("release", metal__tests="fail")
        passed = {"type": "test_end", "test": "A.a", "outcome": "passed", "cycles": 1, "reason": ""}
        self.records("release", "metal.tests", passed)
        self.assertEqual(self.report(1)[-1], "2 passed, 1 failed")

    def test_a_failed_stage_counts_once(self) -> None:
        self.stages("build debug\t1\t10\tcmake --build --preset debug", "tidy\t1\t10\ttwofold tidy")
        lines = self.report(1)
        self.assertEqual(lines[-1], "0 passed, 2 failed")
        self.assertIn("    again: cmake --build --preset debug", lines)

    def test_a_test_stage_without_results_fails(self) -> None:
        self.stages("test debug\t8\t10\tctest --preset debug")
        self.assertEqual(self.report(1)[-1], "0 passed, 1 failed")
        self.junit("debug", host__a__A="run")
        self.assertEqual(self.report(1)[-1], "1 passed, 1 failed")

    def test_what_xml_cannot_carry_is_replaced(self) -> None:
        self.junit("release", metal__tests="fail")
        failure = {"type": "test_failure", "test": "A", "file": "\x1b", "line": 1, "expectation": "", "detail": "\0"}
        self.records("release", "metal.tests", failure, {"type": "test_end", "test": "A", "outcome": "failed"})
        self.report(1)
        ElementTree.parse(self.folder / "report.xml")

    def test_a_broken_folder_is_refused(self) -> None:
        (self.folder / "ctest-debug.xml").write_text("<testsuite>")
        self.assertEqual(self.report(65), [])


if __name__ == "__main__":
    unittest.main()
