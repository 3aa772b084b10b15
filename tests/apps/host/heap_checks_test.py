"""The debugging layer of the kernel's heap, in a kernel that has it: what damage ends with, and the list of leaks.

    heap_checks_test.py PROGRAM [unittest's arguments]
"""

import json
import pathlib
import subprocess
import sys
import unittest

PROGRAM = pathlib.Path()
PATIENCE_S = 120
PANIC = 70


def run(*commands: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Runs the commands to their end, without a session, which has blocks of its own."""
    return subprocess.run(
        [str(PROGRAM), "--append", "shell=off", *options, "--command", "; ".join(commands)], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


def sanitized() -> bool:
    """Whether the program carries AddressSanitizer."""
    return b"__asan_init" in PROGRAM.read_bytes()


class Leaks(unittest.TestCase):
    """What is never given back is listed, by whom it was taken."""

    def test_none_after_everything_that_the_kernel_can_do(self) -> None:
        """Zero leaks at power-off: every command and every scenario."""
        for command in ("help; version; memmap; mem; frames; cpu; log; acpi; heap; vm; startup", "scenario"):
            done = run(command, "heap leaks", "halt")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertTrue(done.stdout.endswith("0 blocks of 0 bytes are in use\n"), done.stdout)

    def test_none_after_a_session(self) -> None:
        done = subprocess.run(
            [str(PROGRAM)], input="a=1; ps | sort name | head 2\nsleep 0.01s &\nhelp\nechp\n", capture_output=True,
            text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertNotIn("never given back", done.stdout)

    def test_listed_at_power_off(self) -> None:
        for end in ("halt", "version"):  # asked for, or the end of the commands
            done = run("heap misuse leak", end)
            self.assertEqual(done.returncode, 0)
            _, _, report = done.stdout.partition("heap: 3 blocks of 600 bytes were never given back\n")
            self.assertRegex(report, r"blocks +bytes +oldest +call site\n +3 +600 +\d+ +twofold::boot::misuse_heap")

    def test_listed_on_demand(self) -> None:
        done = run("heap misuse leak", "heap misuse leak", "heap leaks")
        self.assertIn("6 blocks of 1200 bytes are in use\n", done.stdout)

    def test_json(self) -> None:
        done = run("heap misuse leak", "halt", options=("--json",))
        objects = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
        self.assertEqual(objects[-1]["command"], "leaks")
        row = objects[-1]["output"][1]
        self.assertEqual((row["blocks"], row["bytes"]), (3, 600))
        self.assertIn("twofold::boot::misuse_heap", row["call site"])


class Damage(unittest.TestCase):
    """What nobody may write to is looked at, and whoever did is stopped."""

    def expect_panic(self, kind: str, cause: str) -> str:
        done = run(f"heap misuse {kind}")
        self.assertEqual(done.returncode, PANIC, done.stdout + done.stderr)
        self.assertRegex(done.stdout, f"KERNEL PANIC: {cause}")
        self.assertRegex(done.stderr, f"the kernel panicked: {cause}")
        return done.stdout

    def test_that_only_the_layer_sees(self) -> None:
        block = r"at 0x[0-9a-f]+: block 0x[0-9a-f]+ of 40 bytes, allocation \d+ by twofold::boot::"
        for kind, cause in (
            ("stray-overflow", f"heap: write behind a block {block}"),
            ("stray-underflow", f"heap: write before a block {block}"),
            ("stray-write", f"heap: write after free {block}"),
        ):
            with self.subTest(kind=kind):
                report = self.expect_panic(kind, cause)
                self.assertIn("the block was allocated by: twofold::boot::", report)
                self.assertEqual("given back by: twofold::boot::" in report, kind == "stray-write")

    def test_that_the_sanitizer_sees(self) -> None:
        """With AddressSanitizer the access itself is reported; without, the layer finds its trace."""
        for kind, cause in (
            ("overflow", "heap: write behind a block"),
            ("underflow", "heap: write before a block"),
            ("use-after-free", "heap: write after free"),
        ):
            with self.subTest(kind=kind):
                if not sanitized():
                    self.expect_panic(kind, cause)
                    continue
                done = run(f"heap misuse {kind}")
                self.assertNotEqual(done.returncode, 0)
                self.assertRegex(done.stderr, "AddressSanitizer: use-after-poison on address 0x")
                self.assertIn("provoke_write", done.stderr)
                self.assertNotIn("nobody noticed", done.stdout)

    def test_a_second_free(self) -> None:
        done = run("heap misuse double-free")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("heap: freed again: invalid_state\n", done.stdout)

    def test_unknown_kinds(self) -> None:
        for words in ("heap misuse", "heap misuse flow", "heap lakes", "heap leaks now"):
            with self.subTest(words=words):
                self.assertEqual(run(words).returncode, 2)


class NoAlloc(unittest.TestCase):
    """An allocation in a scope without ends the run and names both places."""

    def test_traps(self) -> None:
        for kind, what in (("no-alloc", "40 bytes of the heap"), ("no-frames", "4096 bytes of frames")):
            with self.subTest(kind=kind):
                done = run(f"heap misuse {kind}")
                self.assertEqual(done.returncode, PANIC, done.stdout + done.stderr)
                self.assertRegex(
                    done.stdout,
                    rf"KERNEL PANIC: check failed: {what} taken inside the NoAlloc scope at \S*heap_checks\.cpp:\d+",
                )
                self.assertRegex(done.stdout, r"stack:\n(.*\n)*.*twofold::boot::misuse_heap")


if __name__ == "__main__":
    PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
