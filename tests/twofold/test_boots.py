"""tools/boots.py: what it takes for a boot with all processors, and how a campaign ends, on programs that stand in."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import boots  # noqa: E402

# Prints what a machine prints, and counts its boots; the one named by `bad` ends as `status` says.
MACHINE = """#!{python}
import pathlib, sys
counter = pathlib.Path(__file__).with_suffix(".boots")
number = int(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text(str(number))
sys.stdout.write({said!r})
sys.exit({status} if number == {bad} else 0)
"""


def printed(cpus: int, online: int | None = None, state: str = "runs", served: int = 50) -> str:
    """What the kernel prints of so many processors; `state` and `served` are those of the last."""
    lines = ["from    to    rounds    p50 ns    p99 ns    max ns"]
    for one in range(cpus):
        lines += [f"{one:>4} {other:>4}  {boots.ROUNDS:>5}  6655  8797  8797" for other in range(cpus)]
    lines.append("cpu   hardware id  class        node  state           interrupts    calls served  idle %")
    for one in range(cpus):
        last = one == cpus - 1
        lines.append(
            f"{one:>3}  {one:>10}  uniform         0  {state if last else 'runs':<14}      232  "
            f"{served if last else 50:>10}  95.4"
        )
    lines.append("counter             state           in 1000 turns")
    lines.append("cycles              not present     -")
    running = cpus if online is None else online
    lines.append(f"{running} of {cpus} processors run; clocks differ by 0 at most")
    return "\n".join(lines) + "\n"


class Boots(unittest.TestCase):
    """What the program says and how it ends."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="twofold-test-")
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)

    def machine(self, name: str, said: str, status: int = 0, bad: int = 0) -> None:
        path = self.build / boots.MACHINES[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MACHINE.format(python=sys.executable, said=said, status=status, bad=bad))
        path.chmod(0o755)

    def boots(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, ROOT / "tools/boots.py", self.build, *options],
            capture_output=True,
            text=True,
            check=False,
        )

    def test_boots_that_are_right(self) -> None:
        self.machine("host", printed(8))
        self.machine("metal", printed(8))
        done = self.boots("--count", "3")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        header, host, metal = done.stdout.splitlines()
        self.assertEqual(header.split(), "machine cpus boots failed min s median s max s".split())
        self.assertRegex(host, r"^host +8 +3 +0( +\d+\.\d\d){3}$")
        self.assertRegex(metal, r"^metal +8 +3 +0( +\d+\.\d\d){3}$")
        self.assertFalse((self.build / "boots").exists())

    def test_the_first_failure_ends_it_and_is_kept(self) -> None:
        self.machine("host", printed(4), status=70, bad=3)
        done = self.boots("--machine", "host", "--cpus", "4", "--count", "9")
        self.assertEqual(done.returncode, 1)
        log = self.build / "boots/host-3.log"
        self.assertEqual(done.stderr, f"twofold: boots: host, boot 3 of 9: status 70; see {log}\n")
        self.assertRegex(done.stdout.splitlines()[1], r"^host +4 +3 +1 ")
        self.assertIn(printed(4), log.read_text())
        self.assertIn("--cpus", log.read_text())

    def test_a_boot_without_all_processors_is_refused(self) -> None:
        for said, words in (
            ("", "0 pairs of processors answered, not 4"),
            (printed(1), "1 pairs"),
            (printed(2, online=1), "does not say that 2 of 2 run"),
            (printed(2, state="timed out"), "processor 1 is shown as 'timed out'"),
            (printed(2, served=5), "processor 1 served 5 calls"),
            (printed(2).replace(f"  {boots.ROUNDS}  ", "  1  ", 1), "3 pairs"),
            (printed(2).replace("  1           1  uniform", "  0           1  uniform"), r"\[0, 0\] are shown"),
        ):
            with self.subTest(words=words):
                self.machine("metal", said)
                done = self.boots("--machine", "metal", "--cpus", "2", "--count", "5")
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, f"boot 1 of 5: .*({words})")

    def test_bad_input_is_one_line(self) -> None:
        for options, words in (
            (("--count", "0"), "--count: '0' is not a number from 1"),
            (("--count", "-1"), "--count"),
            (("--count", "x"), "--count: 'x'"),
            (("--cpus", "0"), "--cpus: '0' is not a number from 1 to 64"),
            (("--cpus", "1000"), "--cpus: '1000'"),
            (("--machine", "sim"), "--machine: invalid choice: 'sim'"),
            (("--colour",), "--colour"),
        ):
            with self.subTest(options=options):
                done = self.boots(*options)
                self.assertEqual((done.returncode, done.stdout), (64, ""))
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertIn(words, done.stderr)

    def test_a_machine_that_is_not_built(self) -> None:
        done = self.boots()
        self.assertEqual((done.returncode, done.stdout), (69, ""))
        self.assertIn("apps/host/twofold-host is not built", done.stderr)


if __name__ == "__main__":
    unittest.main()
