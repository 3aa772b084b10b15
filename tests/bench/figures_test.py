"""The benches of people: how soon there is a prompt that can be used, and a key press until its pixels are shown.

    figures_test.py BUILD
"""

import json
import pathlib
import subprocess
import sys
import unittest

BUILD = pathlib.Path(sys.argv.pop())
BENCH = pathlib.Path(__file__).resolve().parent.parent.parent / "bench"
sys.path.insert(0, str(BENCH))
sys.path.insert(0, str(BENCH / "display"))
import boot  # noqa: E402
import keys  # noqa: E402
import person  # noqa: E402


class Prompts(unittest.TestCase):
    def refused(self, script: str, patience_s: float) -> str:
        with self.assertRaises(person.Unusable) as caught:
            person.usable(["sh", "-c", script], patience_s)
        return str(caught.exception)

    def test_a_machine_is_used(self) -> None:
        figures = boot.prompts(BUILD)["hosted"]()
        names = ["prompt_hosted/ours", "usable_hosted/ours", "usable_cpu_hosted/ours"]
        self.assertEqual(list(figures), names)
        prompt, usable, of_processors = figures.values()
        self.assertTrue(0 < prompt < usable, figures)
        self.assertGreater(of_processors, 0)

    def test_each_figure_has_its_facts_and_usable_ones_their_goal(self) -> None:
        facts = json.loads((BENCH / "boot.json").read_text())
        for machine in boot.prompts(BUILD):
            self.assertLessEqual({f"prompt_{machine}", f"usable_cpu_{machine}"}, set(facts))
            self.assertIn("goal", facts[f"usable_{machine}"])

    def test_the_prompt_is_looked_for_without_control_sequences_and_in_pieces(self) -> None:
        script = r"printf 'two\033[1mfol'; sleep 0.3; printf 'd> '; read line; echo usable"
        figures = person.usable(["sh", "-c", script], 20)
        self.assertGreaterEqual(figures["prompt"], 300)
        self.assertGreater(figures["usable"], figures["prompt"])

    def test_the_echo_of_the_keys_is_no_answer(self) -> None:
        text = self.refused("printf 'twofold> '; sleep 60", 1.0)
        self.assertIn("did not show b'usable", text)

    def test_no_prompt_is_said(self) -> None:
        self.assertIn("did not show b'twofold> ' in time, but b'hello", self.refused("echo hello; sleep 60", 1.0))

    def test_an_end_is_said_with_its_reason(self) -> None:
        text = self.refused("echo no disk >&2; exit 3", 20)
        self.assertIn("ended without b'twofold> '", text)
        self.assertIn("no disk", text)


class Keys(unittest.TestCase):
    PROGRAM = BUILD / "bench" / "display-keys"

    def test_each_press_changes_pixels_and_reaches_the_session(self) -> None:
        done = subprocess.run(
            [self.PROGRAM, "--lines", "1"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        presses = json.loads(done.stdout)
        self.assertEqual({how: len(taken) for how, taken in presses.items()}, {"at_rest": 40, "in_a_row": 40})
        for taken in presses.values():
            self.assertGreater(min(taken), 0)
        known = json.loads((BENCH / "display" / "keys.json").read_text())
        figures = {name.removesuffix("/ours") for name in keys.figures(presses)}
        self.assertEqual(figures, set(known))

    def test_a_bad_number_of_lines_is_refused(self) -> None:
        for lines in ("0", "x"):
            done = subprocess.run(
                [self.PROGRAM, "--lines", lines], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
            )
            self.assertEqual(done.returncode, 64)
            self.assertIn("--lines", done.stderr)

    def test_the_ninety_ninth_is_no_maximum(self) -> None:
        found = keys.figures({"at_rest": [million * 1_000_000 for million in range(1, 102)]})
        median, ninety_ninth, most = found.values()
        self.assertEqual((median, most), (51, 101))
        self.assertAlmostEqual(ninety_ninth, 100)


if __name__ == "__main__":
    unittest.main()
