"""tools/twin.py: digests, differences and mutants, on programs that stand in for the machines."""

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
if "--mutant" in options and options[options.index("--mutant") + 1] in {noticed!r}:
    values = values[:-1]
command = options[options.index("--command") + 1]
if command == "scenarios":
    print("\\n".join(sorted({{value[0] for value in values}})))
    sys.exit(0)
asked = [part.split()[1] for part in command.split(";")]
with open(options[options.index("--results") + 1], "w") as results:
    print(json.dumps({{"type": "hello", "machine": "x"}}), file=results)
    for scenario, name, data in [value for value in values if value[0] in asked]:
        print(json.dumps({{"type": "value", "scenario": scenario, "name": name, "bytes": data}}), file=results)
sys.exit({status})
"""


class Twin(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="twofold-test-")
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        self.values = [("base", f"value {number}", f"{number:02x}") for number in range(40)]

    def machine(
        self,
        name: str,
        values: list[tuple[str, str, str]],
        status: int = 0,
        noticed: tuple[str, ...] = (),
    ) -> None:
        path = self.build / twin.MACHINES[name]
        path.parent.mkdir(parents=True)
        path.write_text(MACHINE.format(python=sys.executable, values=values, status=status, noticed=noticed))
        path.chmod(0o755)

    def twin(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, ROOT / "tools/twin.py", self.build, *options], capture_output=True, text=True, check=False
        )

    def test_equal_machines(self) -> None:
        self.machine("host", self.values)
        self.machine("metal", self.values)
        done = self.twin()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"base +40 +([0-9a-f]{16}) +\1 +yes")
        rows = json.loads(self.twin("--json").stdout)
        self.assertEqual(len(rows[0]["host"]), 64)

    def test_a_difference_is_named(self) -> None:
        self.machine("host", self.values)
        self.machine("metal", self.values[:-1] + [("base", "value 39", "ff")])
        done = self.twin()
        self.assertEqual(done.returncode, 1)
        self.assertIn("NO: value 39 = 27 against value 39 = ff", done.stdout)

    def test_a_scenario_that_one_machine_lacks(self) -> None:
        self.machine("host", self.values)
        self.machine("metal", self.values + [("boot", "a", "00")] * 40)
        done = self.twin()
        self.assertEqual(done.returncode, 1)
        self.assertIn("0 values against 40", done.stdout)

    def test_too_few_or_doubled_values_fail(self) -> None:
        self.assertIn("at least 32", str(twin.rows({"host": {"s": [("a", b"")]}})[0]["why"]))
        self.assertIn("two values", str(twin.rows({"host": {"s": [("a", b"")] * 32}})[0]["why"]))

    def test_nothing_recorded_is_no_success(self) -> None:
        self.machine("host", [])
        self.machine("metal", [])
        self.assertEqual(self.twin().returncode, 1)

    def test_a_machine_that_fails_is_named(self) -> None:
        self.machine("host", self.values)
        self.machine("metal", self.values, status=70)
        done = self.twin()
        self.assertEqual(done.returncode, 69)
        self.assertIn("status 70 on metal", done.stderr)

    def test_a_machine_that_is_not_there(self) -> None:
        self.assertEqual(self.twin().returncode, 69)

    def test_unknown_scenario_and_option(self) -> None:
        self.machine("host", self.values)
        self.machine("metal", self.values)
        self.assertEqual(self.twin("basement").returncode, 64)
        self.assertEqual(self.twin("--mutat3").returncode, 64)

    def test_the_digest_tells_names_from_bytes(self) -> None:
        self.assertNotEqual(twin.digest([("ab", b"c")]), twin.digest([("a", b"bc")]))
        self.assertNotEqual(twin.digest([("a", b""), ("b", b"")]), twin.digest([("b", b""), ("a", b"")]))

    def test_mutants_must_be_noticed(self) -> None:
        names = tuple(name for name in twin.mutants() if name.startswith("base_"))
        self.assertTrue(names)
        self.machine("host", self.values, noticed=names)
        done = self.twin("--mutate")
        for name in names:
            self.assertRegex(done.stdout, rf"{name} +base +yes")
        self.assertEqual(done.returncode, 1, "the rooms without a scenario")

    def test_a_mutant_belongs_to_the_longest_scenario(self) -> None:
        scenarios = {"memory": [], "memory_map": [], "base": []}
        self.assertEqual(twin.room_of("memory_map_overlap", scenarios), "memory_map")
        self.assertEqual(twin.room_of("memory_frames", scenarios), "memory")
        self.assertEqual(twin.room_of("boot_requires", scenarios), "")


if __name__ == "__main__":
    unittest.main()
