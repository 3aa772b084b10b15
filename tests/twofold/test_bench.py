"""tools/bench.py: ratios, goals and the table, from Google Benchmark's JSON."""

import json
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(ROOT / "bench"))
import bench  # noqa: E402
import linux_guest  # noqa: E402


class Rows(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="twofold-test-")
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "room.json"

    def figures(self, subjects: dict[str, object], *entries: tuple[str, float]) -> bench.Figures:
        written = [
            {"name": name, "run_name": name, "run_type": "iteration", "real_time": time}
            for name, time in entries
        ]
        written.append({"name": f"{entries[0][0]}_mean", "run_name": entries[0][0], "run_type": "aggregate"})
        self.path.write_text(json.dumps({"benchmarks": written}))
        return bench.figures(self.path, subjects)

    def test_a_ratio_is_over_the_best_peer_and_paired(self) -> None:
        rounds = ((10, 40, 20), (20, 80, 60), (5, 90, 20))
        times = [pair for one in rounds for pair in zip(("s/ours", "s/a", "s/b"), one)]
        found = self.figures({}, *times)
        row = bench.row("room", "s", {"goal": 2, "better": "lower"}, found["s"])
        self.assertEqual(row["ours"], 10)
        self.assertEqual(row["peers"], {"a": 80, "b": 20})
        self.assertEqual((row["ratio"], row["range"]), (3, [2, 4]))
        self.assertTrue(row["met"])
        self.assertFalse(bench.row("room", "s", {"goal": 3.1}, found["s"])["met"])

    def test_more_can_be_better(self) -> None:
        found = self.figures({}, ("s/ours", 10), ("s/a", 40), ("s/b", 20))
        row = bench.row("room", "s", {"goal": 1, "better": "higher"}, found["s"])
        self.assertEqual((row["ratio"], row["met"]), (0.25, False))

    def test_without_a_peer_the_goal_is_a_limit(self) -> None:
        found = self.figures({}, ("s/ours", 10))
        self.assertTrue(bench.row("room", "s", {"goal": 10}, found["s"])["met"])
        self.assertFalse(bench.row("room", "s", {"goal": 9}, found["s"])["met"])
        self.assertFalse(bench.row("room", "s", {"goal": 11, "better": "higher"}, found["s"])["met"])
        self.assertIsNone(bench.row("room", "s", {}, found["s"])["met"])

    def test_rows_have_the_agreed_members(self) -> None:
        row = bench.row("room", "s", {}, self.figures({}, ("s/ours", 10))["s"])
        agreed = ["name", "unit", "ours", "peers", "ratio", "goal", "better", "met", "note"]
        self.assertEqual(list(row), agreed)
        self.assertEqual(row["name"], "room/s")

    def test_a_room_s_further_programs_are_found(self) -> None:
        known = bench.programs(pathlib.Path("/nonexistent"))
        self.assertEqual(known["memory/replay"][1], str(ROOT / "bench/memory/replay.py"))
        self.assertEqual(known["boot"][1], str(ROOT / "bench/boot.py"))

    def test_another_field_can_be_the_figure(self) -> None:
        subjects = {"s": {"field": "items_per_second"}}
        self.path.write_text('{"benchmarks": [{"name": "s/ours", "real_time": 1, "items_per_second": 7}]}')
        self.assertEqual(bench.figures(self.path, subjects)["s"]["ours"], [7])

    def test_a_fixed_count_of_iterations_belongs_to_no_name(self) -> None:
        found = self.figures({}, ("s/ours/iterations:1", 10), ("s/a/iterations:1", 20))
        self.assertEqual(found["s"], {"ours": [10], "a": [20]})

    def test_what_is_no_benchmark_json_is_refused(self) -> None:
        for text in ("", "[]", '{"benchmarks": [{}]}', '{"benchmarks": [{"name": "s/ours"}]}'):
            self.path.write_text(text)
            with self.assertRaises(bench.Broken) as caught:
                bench.figures(self.path, {})
            self.assertEqual(caught.exception.status, 65)

    def test_the_table_compares_with_an_earlier_run(self) -> None:
        row = bench.row("room", "s", {"goal": 1, "note": "docs/x.md"}, self.figures({}, ("s/ours", 10))["s"])
        self.path.write_text(json.dumps([row | {"ours": 8}]))
        lines = bench.table([row], bench.read_earlier(str(self.path))).splitlines()
        self.assertIn("+25.0 %  see docs/x.md", lines[1])
        self.path.write_text("{}")
        with self.assertRaises(bench.Broken):
            bench.read_earlier("/nonexistent")

    def test_the_goals_of_the_tree_are_whole(self) -> None:
        for path in (ROOT / "bench").glob("*.json"):
            for subject, facts in json.loads(path.read_text()).items():
                self.assertIn(facts["better"], ("lower", "higher"), subject)
                self.assertTrue(facts["unit"], subject)


class Archive(unittest.TestCase):
    def test_an_initramfs_is_a_newc_archive(self) -> None:
        data = linux_guest.cpio([("dev/console", 0o20600, b"", (5, 1)), ("init", 0o100755, b"hello", (0, 0))])
        self.assertEqual(len(data) % 4, 0)
        self.assertEqual(data[:6], b"070701")
        self.assertEqual(int(data[78:86], 16), 5)  # the major number of the device
        self.assertIn(b"init\0", data)
        self.assertIn(b"TRAILER!!!\0", data)
        second = data.index(b"070701", 6)
        self.assertEqual(int(data[second + 54 : second + 62], 16), 5)  # the size of `hello`


if __name__ == "__main__":
    unittest.main()
