"""The replayer and the recorder as programs: statuses, reports, and what they say when something is wrong.

    replay_test.py FOLDER SUBJECT [unittest's arguments]
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

FOLDER = pathlib.Path()
SUBJECT = pathlib.Path()
PATIENCE_S = 120
USAGE, UNAVAILABLE = 64, 69


def run(program: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(FOLDER / program), *options], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False, env={**os.environ, **variables},
    )  # fmt: skip


class ReplayTest(unittest.TestCase):
    """A folder with a trace of the subject with threads in it."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.trace = str(cls.folder / "threads.trace")
        done = run("twofold-record", "-o", cls.trace, "--", str(SUBJECT), "threads")
        assert done.returncode == 0, done.stderr

    @classmethod
    def tearDownClass(cls) -> None:
        cls.temporary.cleanup()

    def expect_refused(self, done: subprocess.CompletedProcess, status: int, text: str) -> None:
        """The status, and one line on stderr that says what is wrong."""
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertIn(text, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertEqual(done.stdout, "")


class Reports(ReplayTest):
    def test_information(self) -> None:
        done = run("twofold-replay", self.trace, "--info")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{SUBJECT} threads", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^threads +5$")

    def test_a_table_with_every_allocator(self) -> None:
        done = run("twofold-replay", self.trace, "--allocator", "glibc,glibc", "--repeats", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len([line for line in done.stdout.splitlines() if line.startswith("glibc ")]), 2)

    def test_json_has_every_repeat(self) -> None:
        done = run("twofold-replay", self.trace, "--json", "--repeats", "4")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["threads"], 5)
        self.assertGreaterEqual(report["allocations"], 8000)
        self.assertEqual(report["allocations"] + report["resizes"] + report["releases"], report["events"])
        (glibc,) = report["allocators"]
        self.assertEqual(len(glibc["cpu_ns"]), 4)
        self.assertEqual(len(glibc["committed_peak_bytes"]), 3)
        # 4 threads with 1,000 blocks of 1,000 and 1,000 of 2,000 bytes, all written, were alive at once.
        self.assertGreaterEqual(min(glibc["committed_peak_bytes"]), 12_000_000)
        self.assertLess(max(glibc["committed_peak_bytes"]), 2 * report["live_bytes_max"])
        self.assertEqual((glibc["refused"], glibc["misaligned"], glibc["wrong_content"]), (0, 0, 0))

    def test_threads_replay_as_threads(self) -> None:
        done = run("twofold-replay", self.trace, "--threads", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        (glibc,) = json.loads(done.stdout)["allocators"]
        self.assertEqual(len(glibc["wall_ns"]), 3)
        self.assertEqual(glibc["committed_peak_bytes"], [])
        self.assertEqual(glibc["wrong_content"], 0)

    def test_the_calls_alone(self) -> None:
        done = run("twofold-replay", self.trace, "--repeats", "1", "--touch", "none")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^glibc .* ok$")

    def test_the_replayer_s_own_preloads_do_not_reach_its_workers(self) -> None:
        library = str(FOLDER / "libtwofold-record.so")
        done = run(
            "twofold-replay", self.trace, "--repeats", "1", LD_PRELOAD=library,
            TWOFOLD_RECORD=str(self.folder / "replayer.trace"), TWOFOLD_RECORD_CHILDREN="yes",
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        # The fork that becomes the worker is a child of the replayer; the worker itself is not recorded.
        done = run("twofold-replay", str(self.folder / "replayer.trace"), "--info")
        self.assertIn("twofold-replay", done.stdout)


class BadInput(ReplayTest):
    def test_files_that_are_no_traces(self) -> None:
        self.expect_refused(run("twofold-replay", "/nonexistent"), USAGE, "cannot open '/nonexistent'")
        text = self.folder / "text"
        text.write_text("hello\n" * 100)
        self.expect_refused(run("twofold-replay", str(text)), USAGE, "is not an allocation trace")
        whole = pathlib.Path(self.trace).read_bytes()
        cut = self.folder / "cut"
        cut.write_bytes(whole[:-10])
        self.expect_refused(run("twofold-replay", str(cut)), USAGE, "is shorter than its header says")
        damaged = self.folder / "damaged"
        damaged.write_bytes(whole[:-10] + bytes(10))
        self.expect_refused(run("twofold-replay", str(damaged)), USAGE, "has a damaged block (byte ")

    def test_allocators_that_do_not_exist(self) -> None:
        done = run("twofold-replay", self.trace, "--allocator", "fastmalloc")
        self.expect_refused(done, USAGE, "'fastmalloc' is neither an allocator")
        done = run("twofold-replay", self.trace, "--allocator", "/nonexistent.so")
        self.expect_refused(done, USAGE, "'/nonexistent.so' is neither an allocator")

    def test_a_library_that_is_no_allocator(self) -> None:
        import ctypes.util

        name = ctypes.util.find_library("m")
        folder = pathlib.Path("/lib/x86_64-linux-gnu")
        done = run("twofold-replay", self.trace, "--allocator", str(folder / str(name)))
        self.assertEqual(done.returncode, UNAVAILABLE, done.stderr)
        self.assertIn("malloc came from", done.stderr)

    def test_options(self) -> None:
        self.expect_refused(run("twofold-replay"), USAGE, "TRACE is required")
        self.expect_refused(run("twofold-replay", self.trace, "--repeats", "0"), USAGE, "--repeats")
        self.expect_refused(run("twofold-replay", self.trace, "--touch", "some"), USAGE, "--touch")
        self.expect_refused(run("twofold-record"), USAGE, "PROGRAM is required")
        done = run("twofold-record", "--", "/nonexistent/program")
        self.expect_refused(done, UNAVAILABLE, "cannot start '/nonexistent/program'")

    def test_a_trace_that_cannot_be_created(self) -> None:
        done = run("twofold-record", "-o", "/nonexistent/trace", "--", "true")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(
            done.stderr, "twofold-record: /nonexistent/trace cannot be created: No such file or directory\n"
        )

    def test_a_full_disk(self) -> None:
        done = run("twofold-record", "-o", "/dev/full", "--", str(SUBJECT), "threads")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("twofold-record: the trace cannot be written", done.stderr)


if __name__ == "__main__":
    FOLDER, SUBJECT = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
