"""The generators of the tables of keys and of layouts, on small inputs."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ROOT / "tools" / "input"
KEYS = ROOT / "core" / "device" / "input" / "keys.toml"

GOOD_KEYS = """
[keys]
a = [0x04, 0x1e, 0x1c]
up = [0x52, 0xe048, 0xe075]
print_screen = [0x46, 0xe037, 0xe07c]
[same_as]
other_a = [0x32, "a"]
[also]
print_screen = [0x54, 0x84]
[announced]
pause = [0x48, [0x1d, 0x45], [0x14, 0x77]]
"""
GOOD_LAYOUT = """
alt_gr = true
keypad_decimal = ","
[keys]
a = ["a", "A", "æ"]
b = ["", "dead:acute"]
[dead.acute]
spacing = "´"
pairs = "aáAÁ"
"""


class TableTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="tables-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_tool(self, name: str, *arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, str(TOOLS / name), str(self.folder / "out.cpp"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def made(self) -> str:
        return (self.folder / "out.cpp").read_text()


class Keys(TableTest):
    def run_on(self, text: str) -> subprocess.CompletedProcess:
        (self.folder / "keys.toml").write_text(text)
        return self.run_tool("key_table.py", str(self.folder / "keys.toml"))

    def test_a_table(self):
        run = self.run_on(GOOD_KEYS)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        made = self.made()
        self.assertIn('static_assert(static_cast<u8>(Key::up) == 0x52, "keys.toml");', made)
        self.assertIn('{"up", 0xe048, 0xe075}', made)
        self.assertIn('{"other_a", 0x1e, 0x1c}', made)
        self.assertEqual(made.count("Key::other_a,"), 0)  # it never arrives
        self.assertEqual(made.count("Key::print_screen,"), 4)  # two codes in each set
        self.assertIn("{0x1d, 0x45}, {0x14, 0x77}", made)
        # Made by the compiler: nobody would run a constructor of the kernel's.
        for table in ("KeyCodes key_codes[]", "Key keys_of_set_1[]", "Key keys_of_set_2[]", "u8 codes_of_pause"):
            self.assertIn(f"constexpr {table}", made)

    def refused(self, old: str, new: str, why: str) -> None:
        self.assertIn(old, GOOD_KEYS)
        run = self.run_on(GOOD_KEYS.replace(old, new))
        self.assertEqual(run.returncode, 1)
        self.assertIn(why, run.stderr)
        self.assertIn("keys.toml", run.stderr)

    def test_what_contradicts_itself_is_refused(self):
        self.refused("up = [0x52,", "up = [0x04,", "the usage 0x04 is none, or another key's")
        self.refused("0xe048, 0xe075", "0x1e, 0x75", "0x1e of set 1 is sent by a")
        self.refused("0xe048, 0xe075", "0x48, 0xe075", "has the prefix in one set alone")
        self.refused("0xe048, 0xe075", "0xe048, 0xe07c", "is sent by")
        self.refused("0xe048, 0xe075", "0xe049, 0xe01c", "translated in two ways")
        self.refused("0xe048", "0xe0c8", "set 1 has no code")
        self.refused('"a"]', '"b"]', "there is no key b")
        self.refused("pause =", "stop =", "one key is announced")


class Layouts(TableTest):
    def run_on(self, text: str, name: str = "mine") -> subprocess.CompletedProcess:
        (self.folder / f"{name}.toml").write_text(text, encoding="utf-8")
        return self.run_tool("layout_table.py", str(KEYS), str(self.folder))

    def test_a_layout(self):
        run = self.run_on(GOOD_LAYOUT)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        made = self.made()
        self.assertIn("{{0x61, 0x41, 0xe6, 0x0}, true}", made)
        self.assertIn("{{0x0, 0x110000, 0x0, 0x0}, false}", made)
        self.assertIn("{0x61, 0xe1}, {0x41, 0xc1}", made)
        self.assertIn('{"mine", true, 0x2c, mine_keys, mine_dead_keys}', made)

    def refused(self, old: str, new: str, why: str) -> None:
        self.assertIn(old, GOOD_LAYOUT)
        run = self.run_on(GOOD_LAYOUT.replace(old, new))
        self.assertEqual(run.returncode, 1)
        self.assertIn(why, run.stderr)
        self.assertIn("mine.toml", run.stderr)

    def test_what_is_no_layout_is_refused(self):
        self.refused('"æ"', '"ae"', "'ae' is not one character")
        self.refused('"æ"', '"x", "y", "z"', "one to 4 characters")
        self.refused("alt_gr = true", "alt_gr = false", "one to 2 characters")
        self.refused("alt_gr = true", "alt_gr = 1", "alt_gr is true or false")
        self.refused("a = [", "nothing = [", "there is no key nothing")
        self.refused("a = [", "left_shift = [", "there is no key left_shift")
        self.refused("dead:acute", "dead:grave", "there is no [dead.grave]")
        self.refused('"dead:acute"', '"B"', "no key is dead:acute")
        self.refused("aáAÁ", "aáA", "pairs of characters")
        self.refused("aáAÁ", "aáaÁ", "composes a letter twice")
        self.refused('keypad_decimal = ","\n', "", "a layout has")
        self.refused("alt_gr = true", "alt_gr = ", "mine.toml")

    def test_a_name_is_a_word(self):
        run = self.run_on(GOOD_LAYOUT, "not-mine")
        self.assertEqual(run.returncode, 1)
        self.assertIn("the name of a layout is a word", run.stderr)


if __name__ == "__main__":
    unittest.main()
