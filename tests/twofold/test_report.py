"""tools/report.py: what was counted, from stages, CTest's JUnit files and kernels' records."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def end(test: str, outcome: str, reason: str = "") -> dict[str, object]:
    """The record of a test's end."""
    return {"type": "test_end", "test": test, "outcome": outcome, "cycles": 1, "reason": reason}


def failure(test: str, file: str, detail: str) -> dict[str, object]:
    """The record of a failed expectation."""
    place = {"test": test, "file": file, "line": 3}
    return {"type": "test_failure", **place, "expectation": "a == b", "detail": detail}


class Report(unittest.TestCase):
    """What the program says and how it ends."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="twofold-test-")
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        self.folder = self.build / "test"
        self.folder.mkdir()
        self.stages("build release\t0\t1200\tcmake --build --preset release")
        self.exceptions = self.build / "exceptions.txt"
        self.allow("metal 1")

    def allow(self, *lines: str) -> None:
        self.exceptions.write_text("# a comment\n\n" + "".join(line + "\n" for line in lines))

    def expect_row(self, lines: list[str], *words: str) -> None:
        self.assertTrue(any(line.split() == list(words) for line in lines), lines)

    def stages(self, *lines: str) -> None:
        (self.folder / "stages.tsv").write_text("".join(line + "\n" for line in lines))

    def junit(self, preset: str, **tests: str) -> None:
        def case(name: str, status: str) -> str:
            """CTest's entry for a test; `status` may carry the message of one that did not run."""
            status, _, message = status.partition(":")
            skipped = f'<skipped message="{message}"/>' if status == "notrun" else ""
            opening = f'<testcase name="{name.replace("__", ".")}" status="{status}" time="0.5">'
            return f"{opening}{skipped}<system-out>said</system-out></testcase>"

        cases = "".join(case(name, status) for name, status in tests.items())
        (self.folder / f"ctest-{preset}.xml").write_text(f"<testsuite>{cases}</testsuite>")

    def records(self, preset: str, name: str, *records: dict[str, object]) -> None:
        path = self.build / preset / "results" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        hello = {"type": "hello", "machine": "metal"}
        lines = [json.dumps(record) for record in (hello, *records)]
        path.write_text("\n".join([*lines, "no json", ""]))

    def report(self, status: int, *options: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, ROOT / "tools/report.py", self.folder, *options]
            + ["--exceptions", self.exceptions],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout.splitlines()

    def test_passing_tests_and_stages_count(self) -> None:
        self.junit("release", host__a__A="run", host__a__B="run")
        lines = self.report(0)
        self.assertEqual(lines[-1], "3 passed, 0 failed")
        self.expect_row(lines, "host-release", "2", "0", "0")

    def test_a_failing_test_is_named_with_its_command(self) -> None:
        self.junit("debug", host__a__A="fail")
        self.stages("test debug\t8\t10\tctest --preset debug")
        lines = self.report(1)
        self.assertEqual(lines[-1], "0 passed, 1 failed")
        self.assertIn("FAILED host-debug host.a.A", lines)
        self.assertIn("    again: ctest --preset debug -R '^host.a.A$'", lines)
        self.assertIn("    said", lines)

    def test_the_tests_of_a_kernel_count_one_by_one(self) -> None:
        self.junit("release", metal__tests="fail")
        self.records(
            "release",
            "metal.tests",
            {"type": "test_begin", "test": "A.a"},
            end("A.a", "passed"),
            {"type": "test_begin", "test": "A.b"},
            failure("A.b", "x.cpp", "1, 2"),
            end("A.b", "failed"),
            end("A.c", "skipped", "no such register"),
        )
        lines = self.report(1)
        self.assertEqual(lines[-1], "2 passed, 1 failed, 1 skipped")
        self.assertIn("    x.cpp:3: a == b; 1, 2", lines)
        self.expect_row(lines, "metal-release", "1", "1", "1")
        suites = ElementTree.parse(self.folder / "report.xml").getroot()
        metal = next(suite for suite in suites if suite.get("name") == "metal-release")
        counts = tuple(metal.get(name) for name in ("tests", "failures", "skipped"))
        self.assertEqual(counts, ("3", "1", "1"))

    def test_a_kernel_that_died_in_a_test_failed_it(self) -> None:
        self.junit("release", metal__tests="fail")
        self.records("release", "metal.tests", {"type": "test_begin", "test": "A.a"})
        lines = self.report(1)
        self.assertEqual(lines[-1], "1 passed, 1 failed")
        self.assertIn("FAILED metal-release A.a", lines)

    def test_a_run_that_failed_without_a_failing_test_still_fails(self) -> None:
        self.junit("release", metal__tests="fail")
        self.records("release", "metal.tests", end("A.a", "passed"))
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
        self.records("release", "metal.tests", failure("A", "\x1b", "\0"), end("A", "failed"))
        self.report(1)
        ElementTree.parse(self.folder / "report.xml")

    def test_who_chose_to_be_skipped_did_not_fail(self) -> None:
        self.allow("host 2")
        skip = "notrun:SKIP_REGULAR_EXPRESSION_MATCHED"
        self.junit("debug", host__a__A="run", host__a__B=skip, host__a__C="disabled")
        self.assertEqual(self.report(0)[-1], "2 passed, 0 failed, 2 skipped")

    def test_who_could_not_be_run_failed(self) -> None:
        self.junit("debug", host__a__A="run", host__a__B="notrun:Unable to find executable")
        lines = self.report(1)
        self.assertEqual(lines[-1], "2 passed, 1 failed")
        self.assertIn("    Unable to find executable", lines)

    def test_a_kernel_test_must_say_why_it_is_skipped(self) -> None:
        self.junit("release", metal__tests="run")
        self.records("release", "metal.tests", end("A.a", "passed"), end("A.b", "skipped"))
        lines = self.report(1)
        self.assertIn("    skipped without a written reason", lines)
        self.assertEqual(lines[-1], "2 passed, 1 failed")

    def left_out(self, count: int) -> None:
        for preset in ("debug", "release"):
            self.junit(preset, metal__tests="run")
            skipped = [end(f"A.{number}", "skipped", "why") for number in range(count)]
            self.records(preset, "metal.tests", end("A.a", "passed"), *skipped)

    def test_exceptions_may_not_rise(self) -> None:
        self.left_out(2)
        lines = self.report(1)
        self.assertIn("FAILED check exceptions of metal", lines)
        self.assertTrue(any("2 tests are left out on metal" in line for line in lines), lines)
        self.assertEqual(lines[-1], "3 passed, 1 failed, 4 skipped")
        self.allow("metal 2")
        self.report(0)
        self.allow()
        self.report(1)

    def test_what_runs_in_one_run_is_not_left_out(self) -> None:
        """A device that one of the machine's runs has, and another lacks."""
        self.junit("release", metal__with="run", metal__without="run")
        self.records("release", "metal.with", end("A.a", "passed"))
        self.records("release", "metal.without", end("A.a", "skipped", "no such device"))
        self.assertEqual(self.report(0)[-1], "2 passed, 0 failed, 1 skipped")
        self.records("release", "metal.with", end("A.a", "skipped", "no such device"))
        self.report(1)

    def test_exceptions_that_fell_are_to_be_lowered(self) -> None:
        self.allow("host 3", "metal 4 # why")
        self.left_out(2)
        advice = f"metal leaves out 2 tests now: in {self.exceptions}, lower 'metal 4' to 'metal 2'"
        self.assertIn(advice, self.report(0, "--expect", "metal-debug"))
        self.assertNotIn(advice, self.report(0))

    def test_a_broken_file_of_exceptions_is_refused(self) -> None:
        for line in ("metal", "metal one", "metal 1 2", "metal -1", "metal 1\nmetal 1"):
            self.allow(line)
            self.assertEqual(self.report(65), [])
        self.exceptions.unlink()
        self.assertEqual(self.report(65), [])

    def test_an_expected_suite_must_be_there(self) -> None:
        self.junit("release", host__a__A="run")
        self.report(0, "--expect", "host-release")
        lines = self.report(1, "--expect", "host-release", "--expect", "metal-release")
        self.assertIn("FAILED check suite metal-release", lines)
        self.assertEqual(lines[-1], "2 passed, 1 failed")

    def test_a_machine_must_run_a_test(self) -> None:
        self.junit("release", metal__tests="run")
        self.records("release", "metal.tests", end("A.a", "skipped", "why"))
        lines = self.report(1)
        self.assertIn("    the suite metal-release ran no test", lines)

    def test_usage(self) -> None:
        self.assertEqual(self.report(64, "--colour"), [])

    def test_a_broken_folder_is_refused(self) -> None:
        (self.folder / "ctest-debug.xml").write_text("<testsuite>")
        self.assertEqual(self.report(65), [])


if __name__ == "__main__":
    unittest.main()
