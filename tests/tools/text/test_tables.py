"""The generators of core/text's tables, on small inputs."""

import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ROOT / "tools" / "text"
sys.path.insert(0, str(TOOLS))

import font_table  # noqa: E402
import table_source  # noqa: E402
import width_table  # noqa: E402


class TableTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="tables-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_tool(self, name: str, *arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, str(TOOLS / name), str(self.folder / "out.cpp"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)


class TwoLevels(unittest.TestCase):
    def test_every_value_is_found_again_and_equal_blocks_stand_once(self):
        values = [0] * 64 + [1, 2] * 32 + [0] * 64 + [1, 2] * 32
        places, blocks = table_source.two_levels(values, 64)
        self.assertEqual([blocks[places[at // 64]][at % 64] for at in range(len(values))], values)
        self.assertEqual(len(blocks), 2)


class Widths(TableTest):
    def test_the_rules(self):
        (self.folder / "EastAsianWidth.txt").write_text(
            "# a comment\n1100..115F;W # Jamo\n00E9;N # no\nFF01;F # fullwidth\n"
        )
        (self.folder / "UnicodeData.txt").write_text(
            "0007;<control>;Cc;\n00AD;SOFT HYPHEN;Cf;\n0301;ACUTE;Mn;\n0041;A;Lu;\n"
            "E0001;<Tags, First>;Cf;\nE0005;<Tags, Last>;Cf;\n"
        )
        widths = width_table.widths(self.folder)
        known = {0x1100: 2, 0x115F: 2, 0x1160: 0, 0xE9: 1, 0xFF01: 2, 7: 0, 0xAD: 1, 0x301: 0, 0x41: 1}
        known |= {0xE0000: 1, 0xE0001: 0, 0xE0003: 0, 0xE0005: 0, 0xE0006: 1, 0x9FFF: 2, 0x10FFFF: 1}
        self.assertEqual({point: widths[point] for point in known}, known)


class Fonts(unittest.TestCase):
    def test_psf1(self):
        glyphs = [bytes([i % 256] * 16) for i in range(256)]
        points = [[i + 0x100] for i in range(256)]
        points[1] = [0x41, 0x391]
        table = b"".join(struct.pack(f"<{len(p)}H", *p) + b"\xff\xff" for p in points[:2])
        table += struct.pack("<4H", 0x42, 0xFFFE, 0x61, 0x301) + b"\xff\xff"  # a sequence is no code point
        size, found, shown = font_table.psf1(b"\x36\x04\x02\x10" + b"".join(glyphs) + table)
        self.assertEqual(size, (8, 16))
        self.assertEqual(found, glyphs)
        self.assertEqual(shown[:3], [[0x100], [0x41, 0x391], [0x42]])

    def test_psf2(self):
        header = struct.pack("<8I", 0x864AB572, 0, 32, 1, 2, 4, 2, 16)
        table = "Aα".encode() + b"\xff" + "B".encode() + b"\xfe" + "á".encode() + b"\xff"
        size, found, shown = font_table.psf2(header + b"abcdefgh" + table)
        self.assertEqual(size, (16, 2))
        self.assertEqual(found, [b"abcd", b"efgh"])
        self.assertEqual(shown, [[0x41, 0x3B1], [0x42]])

    def test_block_elements(self):
        glyphs = font_table.block_elements((8, 16))
        self.assertEqual(glyphs[0x2588], b"\xff" * 16)
        self.assertEqual(glyphs[0x2581], b"\0" * 14 + b"\xff" * 2)
        self.assertEqual(glyphs[0x258C], b"\xf0" * 16)
        self.assertEqual(glyphs[0x2595], b"\x01" * 16)
        self.assertEqual(glyphs[0x259A], b"\xf0" * 8 + b"\x0f" * 8)
        self.assertEqual(set(range(0x2581, 0x25A0)) - set(glyphs), {0x2590, 0x2591, 0x2592, 0x2593})


class Themes(TableTest):
    def theme(self, text: str) -> subprocess.CompletedProcess:
        (self.folder / "mine.toml").write_text(text)
        return self.run_tool("theme_table.py", str(self.folder))

    def test_a_theme(self):
        colours = ", ".join(['"#0000ff"'] * 16)
        single = "".join(f'{key} = "#123abc"\n' for key in ("text", "background", "cursor", "selection"))
        run = self.theme(f"{single}palette = [{colours}]\n")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        made = (self.folder / "out.cpp").read_text()
        self.assertIn('{"mine", 0x123abc, 0x123abc, 0x123abc, 0x123abc, {0x0000ff, ', made)

        run = self.theme(f"{single}palette = [{colours}, {colours}]\n")
        self.assertEqual(run.returncode, 1)
        self.assertIn("a palette of 16", run.stderr)

        run = self.theme(f"{single}palette = [{colours}]\n".replace("#123abc", "blue", 1))
        self.assertEqual(run.returncode, 1)
        self.assertIn("'blue' is no colour", run.stderr)

        self.assertIn("a theme has text", self.theme("text = 3\n").stderr)
        self.assertIn("mine.toml", self.theme("text = \n").stderr)


if __name__ == "__main__":
    unittest.main()
