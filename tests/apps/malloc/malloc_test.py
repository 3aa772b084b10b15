"""The malloc library under programs: what malloc promises, forks, threads, and programs of every day, whose
output must be what it is without the library.

    malloc_test.py LIBRARY SUBJECT ROOT PART [unittest's arguments]
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

LIBRARY = SUBJECT = ROOT = pathlib.Path()
PATIENCE_S = 300


def run(*command: str, ours: bool = True, cwd: pathlib.Path | None = None, **variables: str):
    """Runs a program to its end, on our malloc or on its own."""
    environment = {**os.environ, **variables}
    environment.pop("LD_PRELOAD", None)
    if ours:
        environment["LD_PRELOAD"] = str(LIBRARY)
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False,
        env=environment, cwd=cwd or ROOT,
    )  # fmt: skip


class MallocTest(unittest.TestCase):
    def expect_good(self, mode: str) -> None:
        done = run(str(SUBJECT), mode)
        self.assertEqual((done.returncode, done.stderr), (0, b""), done.stdout[-2000:])

    def expect_the_same(self, *command: str, **keywords) -> bytes:
        """Status and output with the library are those without."""
        own = run(*command, ours=False, **keywords)
        self.assertEqual(own.returncode, 0, own.stderr[-2000:])
        ours = run(*command, **keywords)
        self.assertEqual(ours.returncode, 0, ours.stderr[-2000:])
        self.assertEqual(ours.stdout, own.stdout)
        self.assertEqual(ours.stderr, own.stderr)
        return ours.stdout


class Promises(MallocTest):
    """What C, C++ and POSIX say."""

    def test_malloc_is_ours(self) -> None:
        self.assertEqual(run(str(SUBJECT), "where").stdout.decode().strip(), str(LIBRARY))

    def test_the_library_brings_no_other_library(self) -> None:
        listed = subprocess.run(["ldd", str(LIBRARY)], capture_output=True, text=True, check=True).stdout
        names = {line.split()[0].rpartition("/")[2] for line in listed.splitlines()}
        self.assertLessEqual(names, {"linux-vdso.so.1", "libc.so.6", "ld-linux-x86-64.so.2"}, listed)

    def test_sizes_and_alignments(self) -> None:
        self.expect_good("sizes")

    def test_errors(self) -> None:
        self.expect_good("errors")

    def test_contents(self) -> None:
        self.expect_good("contents")

    def test_operators(self) -> None:
        self.expect_good("operators")

    def test_little_address_space(self) -> None:
        self.expect_good("limits")

    def test_misuse_is_named(self) -> None:
        for how, line in (
            ("twice", rb"free\(0x[0-9a-f]+\): it is free already"),
            ("inside", rb"free\(0x[0-9a-f]+\): no block begins there"),
            ("foreign", rb"free\(0x[0-9a-f]+\): it was never allocated here"),
            ("resize", rb"realloc\(0x[0-9a-f]+\): it is free already"),
        ):
            done = run(str(SUBJECT), "misuse", how)
            self.assertEqual(done.returncode, -signal.SIGABRT, how)
            self.assertRegex(done.stderr, rb"^twofold-malloc: " + line + rb"\n$", how)


class Processes(MallocTest):
    """Threads and forks."""

    def test_fork_while_others_allocate(self) -> None:
        self.expect_good("forks")

    def test_fork_and_exec(self) -> None:
        self.expect_good("exec")

    def test_short_lived_threads(self) -> None:
        self.expect_good("short-lives")

    def test_more_threads_than_caches(self) -> None:
        self.expect_good("many")

    def test_frees_behind_the_owner_s_end(self) -> None:
        self.expect_good("orphans")

    def test_allocation_where_threads_and_programs_end(self) -> None:
        self.expect_good("ends")


class Programs(MallocTest):
    """Programs that know nothing of us."""

    def setUp(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="twofold-malloc-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_the_compiler(self) -> None:
        command = "g++ -std=c++23 -O1 -I. -Icore/base/mutants/none -S -o - core/base/parse.cpp"
        self.assertIn(b".globl", self.expect_the_same(*command.split()))

    def test_the_interpreter(self) -> None:
        script = str(ROOT / "bench/memory/traces/interpreter.py")
        printed = self.expect_the_same("python3", script, PYTHONMALLOC="malloc", PYTHONHASHSEED="0")
        self.assertRegex(printed, rb"^[0-9]{5,}\n$")

    def test_threads_in_the_interpreter(self) -> None:
        script = (
            "import concurrent.futures as f, hashlib\n"
            "work = lambda n: hashlib.sha256(b''.join(bytes([i % 256]) * n for i in range(2000))).hexdigest()\n"
            "with f.ThreadPoolExecutor(8) as pool: print(*pool.map(work, range(1, 100)))\n"
            "with f.ProcessPoolExecutor(2) as pool: print(*pool.map(len, ['a' * n for n in range(50)]))\n"
        )
        self.assertEqual(self.expect_the_same("python3", "-c", script, PYTHONMALLOC="malloc").count(b"\n"), 2)

    def test_the_database(self) -> None:
        script = f".read {ROOT / 'bench/memory/traces/database.sql'}"
        printed = self.expect_the_same("sqlite3", "-init", "/dev/null", "-batch", ":memory:", script)
        self.assertTrue(printed.endswith(b"24000|466266\n"), printed[-200:])

    def test_version_control(self) -> None:
        identity = {
            "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_AUTHOR_DATE": "@1700000000 +0000",
            "GIT_COMMITTER_NAME": "C", "GIT_COMMITTER_EMAIL": "c@example.org",
            "GIT_COMMITTER_DATE": "@1700000000 +0000", "GIT_CONFIG_GLOBAL": "/dev/null",
        }  # fmt: skip
        for name, ours in (("own", False), ("ours", True)):
            folder = self.folder / name
            folder.mkdir()
            outputs = []

            def git(*words: str) -> None:
                done = run("git", *words, ours=ours, cwd=folder, **identity)
                self.assertEqual(done.returncode, 0, done.stderr)
                outputs.append(done.stdout)

            git("init", "-q", "-b", "main")
            for number in range(20):
                (folder / f"file{number % 5}").write_text(f"line {number}\n" * (100 + number))
                git("add", ".")
                git("commit", "-q", "-m", f"change {number}")
            git("gc", "-q", "--aggressive")
            git("log", "--stat", "-p")
            git("fsck", "--full")
            git("grep", "-n", "line 19")
            setattr(self, name, outputs)
        self.assertEqual(self.ours, self.own)
        self.assertIn(b"change 19", self.ours[-3])


if __name__ == "__main__":
    LIBRARY, SUBJECT, ROOT = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
