"""tools/twin.py: digests, differences and mutants, on programs that stand in for the machines."""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import twin  # noqa: E402

MACHINE = """#!{python}
import json, sys
values = {values!r}
options = sys.argv[1:]
if options == ["--list-mutants"]:
    print("base flip_a scenario\\nbase flip_b scenario\\ntrace flip_c scenario\\ntrace flip_d workload")
    sys.exit(0)
status = {status}
if "--mutant" in options:
    flip = options[options.index("--mutant") + 1]
    values = values[:-1] if flip in {noticed!r} else values
    status = 70 if flip in {fatal!r} else 0
command = options[options.index("--command") + 1]
if command == "scenarios":
    print("\\n".join(sorted({{value[0] for value in values}} | set({silent!r}))))
    sys.exit(0)
asked = [part.split()[1] for part in command.split(";")]
with open(options[options.index("--results") + 1], "w") as results:
    print(json.dumps({{"type": "hello", "machine": "x"}}), file=results)
    for scenario, name, data in [value for value in values if value[0] in asked]:
        record = {{"type": "value", "scenario": scenario, "name": name, "bytes": data}}
        print(json.dumps(record), file=results)
sys.exit(status)
"""

Recorded = list[tuple[str, str, str]]


class Twin(unittest.TestCase):
    """What the program says and how it ends."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="twofold-test-")
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        self.values = [("base", f"value {number}", f"{number:02x}") for number in range(40)]

    def machine(
        self, name: str, values: Recorded, status: int = 0, noticed=(), fatal=(), silent=()
    ) -> None:
        path = self.build / twin.MACHINES[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        facts = {"values": values, "status": status, "noticed": noticed, "fatal": fatal}
        path.write_text(MACHINE.format(python=sys.executable, silent=silent, **facts))
        path.chmod(0o755)

    def twin(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, ROOT / "tools/twin.py", self.build, *options],
            capture_output=True,
            text=True,
            check=False,
        )

    def test_equal_machines(self) -> None:
        self.machine("host", self.values)
        self.machine("sim", self.values)
        self.machine("metal", self.values)
        done = self.twin()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        header, row = done.stdout.splitlines()
        self.assertEqual(header.split(), ["scenario", "records", "host", "sim", "metal", "equal"])
        self.assertRegex(row, r"base +40 +([0-9a-f]{16}) +\1 +\1 +yes")
        rows = json.loads(self.twin("--json").stdout)
        self.assertEqual(len(rows[0]["host"]), 64)

    def test_a_difference_is_named(self) -> None:
        self.machine("host", self.values)
        self.machine("sim", self.values)
        self.machine("metal", self.values[:-1] + [("base", "value 39", "ff")])
        done = self.twin()
        self.assertEqual(done.returncode, 1)
        self.assertIn("NO: host, metal: value 39 = 27 against value 39 = ff", done.stdout)

    def test_a_missing_record_is_named(self) -> None:
        self.machine("host", self.values)
        self.machine("sim", self.values)
        self.machine("metal", self.values[:-1])
        done = self.twin()
        self.assertEqual(done.returncode, 1)
        self.assertIn("40 values against 39, from value 39 on", done.stdout)

    def test_a_scenario_that_one_machine_lacks(self) -> None:
        self.machine("host", self.values)
        self.machine("sim", self.values)
        more = [("boot", f"value {number}", "00") for number in range(40)]
        self.machine("metal", self.values + more)
        done = self.twin()
        self.assertEqual(done.returncode, 1)
        self.assertIn("0 values against 40", done.stdout)

    def test_a_scenario_that_records_nothing(self) -> None:
        for machine in twin.MACHINES:
            self.machine(machine, self.values, silent=("memory",))
        done = self.twin()
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"memory +0 +- +- +- +NO: records 0 values")

    def test_too_few_or_doubled_values_fail(self) -> None:
        self.assertIn("at least 32", str(twin.rows({"host": {"s": [("a", b"")]}})[0]["why"]))
        self.assertIn("two values", str(twin.rows({"host": {"s": [("a", b"")] * 32}})[0]["why"]))

    def test_a_further_machine_is_a_further_column(self) -> None:
        values = [(str(number), b"x") for number in range(32)]
        runs = {"host": {"s": values}, "sim": {"s": values}, "metal": {"s": values}}
        row = twin.rows(runs)[0]
        self.assertEqual((row["equal"], row["sim"]), (True, row["metal"]))
        runs["metal"] = {"s": values[:-1] + [("31", b"y")]}
        self.assertIn("host, metal: 31 = 78 against 31 = 79", str(twin.rows(runs)[0]["why"]))

    def test_nothing_recorded_is_no_success(self) -> None:
        self.machine("host", [])
        self.machine("sim", [])
        self.machine("metal", [])
        self.assertEqual(self.twin().returncode, 1)

    def test_a_machine_that_fails_is_named(self) -> None:
        self.machine("host", self.values)
        self.machine("sim", self.values)
        self.machine("metal", self.values, status=70)
        done = self.twin()
        self.assertEqual(done.returncode, 69)
        self.assertIn("status 70 on metal", done.stderr)

    def test_a_machine_that_is_not_there(self) -> None:
        self.assertEqual(self.twin().returncode, 69)
        self.assertEqual(self.twin("--mutate").returncode, 69)

    def test_unknown_scenario_and_option(self) -> None:
        self.machine("host", self.values)
        self.machine("sim", self.values)
        self.machine("metal", self.values)
        self.assertEqual(self.twin("basement").returncode, 64)
        self.assertEqual(self.twin("--mutat3").returncode, 64)

    def test_the_digest_is_that_of_the_canonical_serialisation(self) -> None:
        serialised = b"\x02\0\0\0\0\0\0\0ab" + b"\x01\0\0\0\0\0\0\0c"
        self.assertEqual(twin.digest([("ab", b"c")]), hashlib.sha256(serialised).hexdigest())
        self.assertNotEqual(twin.digest([("ab", b"c")]), twin.digest([("a", b"bc")]))
        self.assertNotEqual(
            twin.digest([("a", b""), ("b", b"")]), twin.digest([("b", b""), ("a", b"")])
        )

    def test_mutants_must_be_noticed(self) -> None:
        trace = [("trace", name, data) for _, name, data in self.values]
        flips = {"noticed": ("flip_c",), "fatal": ("flip_a",)}
        self.machine("host", self.values + trace, **flips)
        done = self.twin("--mutate")
        self.assertRegex(done.stdout, r"flip_a +base +yes, by status 70\n")
        self.assertRegex(done.stdout, r"flip_b +base +NO\n")
        self.assertRegex(done.stdout, r"flip_c +trace +yes\n")
        self.assertNotIn("flip_d", done.stdout)
        self.assertEqual(done.returncode, 1)

    def test_rooms_and_scenarios_must_match(self) -> None:
        memory = [("memory", name, data) for _, name, data in self.values]
        self.machine("host", memory)
        done = self.twin("--mutate")
        self.assertRegex(done.stdout, r"flip_c +trace +NO: its room has no scenario")
        self.assertRegex(done.stdout, r"none +memory +NO: no operation of its room")
        self.assertEqual(done.returncode, 1)

    def test_all_mutants_noticed(self) -> None:
        trace = [("trace", name, data) for _, name, data in self.values]
        self.machine("host", trace + self.values, fatal=("flip_a", "flip_b", "flip_c"))
        self.assertEqual(self.twin("--mutate").returncode, 0)


if __name__ == "__main__":
    unittest.main()
