"""twofold-world as a person starts it: each machine has the disk that --disk asks for, faults of disks and of links
happen by one plan, and what is no size of a disk is told in one line.

    program_test.py WORLD
"""

import subprocess
import sys
import unittest

WORLD = sys.argv.pop()
PATIENCE_S = 60
USAGE = 64


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [WORLD, "--nodes", "2", "--seed", "7", *options], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip


class Program(unittest.TestCase):
    def test_each_machine_has_a_disk_of_that_size(self) -> None:
        words = ("disks write nvme0n1 5 first; disks read nvme0n1 5", "disks read nvme0n1 5; disks stats nvme0n1")
        done = run("--disk", "2M", *(word for line in words for word in ("--command", line)))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("0| sector 5: 'first'", done.stdout)
        self.assertIn("1| sector 5: ''", done.stdout)
        self.assertIn("1| nvme0n1: 4096 sectors of 512 bytes", done.stdout)

    def test_without_the_option_there_is_none(self) -> None:
        done = run("--command", "disks flush nvme0n1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no disk 'nvme0n1'", done.stdout)

    def test_faults_of_disks_and_of_links_happen_by_one_plan(self) -> None:
        beat = ("--disk", "2M", "--command", "beat 50 1000 block message; nvme queues")
        sound = run(*beat)
        self.assertEqual(sound.returncode, 0, sound.stdout + sound.stderr)
        # Nobody takes the frame of the other's last beat.
        self.assertIn("0| 50 beats, 0 failed, 49 frames received", sound.stdout)
        faulty = run(*beat, "--fault", "nvme.write_error:probability=1", "--fault", "link.lost:probability=1")
        self.assertEqual(faulty.returncode, 0, faulty.stdout + faulty.stderr)
        for machine in (0, 1):
            self.assertIn(f"{machine}| 50 beats, 50 failed, 0 frames received", faulty.stdout)
        self.assertIn("100 frames sent, 0 arrived, 100 lost", faulty.stderr)
        late = ("--fault", "nvme.late:probability=0.5:amount=300000", "--fault", "nvme.reordered:probability=0.5")
        self.assertEqual(run(*beat, *late).stdout, run(*beat, *late, "--window", "9").stdout)

    def test_what_is_no_size_is_told_in_one_line(self) -> None:
        for text, why in (
            ("4096K1", "is no size of a disk; write for instance 64M or 1G"),
            ("-1", "is no size of a disk"),
            ("0", "is no size of a disk"),
            ("1000", "is no size of a disk"),
            ("4097", "is no multiple of a block of 512 bytes"),
            ("2E", "is no size of a disk"),
        ):
            with self.subTest(text):
                done = run(f"--disk={text}", "--command", "version")
                self.assertEqual((done.returncode, done.stdout), (USAGE, ""), done.stderr)
                self.assertIn(why, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)


if __name__ == "__main__":
    unittest.main()
