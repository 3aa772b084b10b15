"""The figures of the milestone that are exact and so may gate: size, least memory, guest instructions."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("TWOFOLD_BUILD", ROOT / "build" / "release"))
IMAGE = BUILD / "images" / "twofold-base.elf"
IMAGE_BYTES_MAX = 256 << 10
INSTRUCTIONS_MAX = 3_000_000
INTERRUPTS_OFF_MAX = 2_000


class Figures(unittest.TestCase):
    def boot(self, *options: str) -> tuple[str, list[dict[str, object]]]:
        """What the base image prints and reports on a microvm with 8 MiB."""
        with tempfile.TemporaryDirectory(prefix="twofold-test-") as folder:
            results = pathlib.Path(folder) / "results"
            command = [BUILD / "apps/launch/twofold-boot", "--image", IMAGE, "--machine", "microvm"]
            command += ["--memory", "8M", "--command", "version", "--results", results, "--timeout", "60", *options]
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout, [json.loads(line) for line in results.read_text().splitlines()]

    def test_the_base_image_is_small(self) -> None:
        self.assertLessEqual(IMAGE.stat().st_size, IMAGE_BYTES_MAX)

    def test_the_base_image_runs_in_8_mib(self) -> None:
        self.assertIn("wofold", self.boot()[0])

    def test_power_on_to_version_takes_few_instructions(self) -> None:
        first, second = (self.instructions() for _ in range(2))
        self.assertEqual(first, second, "the count must be exact")
        self.assertLessEqual(first, INSTRUCTIONS_MAX)

    def test_interrupts_are_never_off_for_long(self) -> None:
        command = [ROOT / "tools/interrupt_windows/measure.py", BUILD, "--limit", str(INTERRUPTS_OFF_MAX)]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout[:400])

    def instructions(self) -> int:
        _, records = self.boot("--icount")
        command = next(record for record in records if record["type"] == "command")
        return int(str(command["cycles_after"]))


if __name__ == "__main__":
    unittest.main()
