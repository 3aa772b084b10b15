#!/usr/bin/env python3
"""QEMU is killed at random moments while the kernel writes to its NVMe disk, and what came to the disk is replayed.

    nvme_kill_test.py IMAGE.elf [--kills N] [--seed S]

The kernel's command `disks stamp` prints a line for what is durable: a round that was flushed, a write through that is
done. QEMU's blklogwrites keeps what came to the disk in its order. After each kill

- the log, replayed up to the flush of each round, is exactly what the rounds up to it write;
- every prefix of the log that what was printed allows, with any part of what was not durable in it left out, and the
  file itself, hold all that was printed;
- some of these images, booted again, say so themselves, and one that ends before the last flush does not.

QEMU 7.2's controller ignores FUA: it acknowledges a write through without a flush behind it. So of such writes it is
asked that they came before they were acknowledged, and they are taken for durable from then on.

Source of the idea: J. Bacik's dm-log-writes, and how file systems are tried with it in xfstests.
"""
import argparse
import pathlib
import random
import sys
import tempfile
import time
import unittest

import stamps
from emulated import Emulated

DISK_BYTES = 1 << 20
ROUNDS = 100_000
MOMENTS_MAX_S = 0.5


def options_of(folder, log=True):
    """The emulator's: a disk in the folder, whose flushes need not come to the host's medium: it goes on."""
    file = f"driver=file,filename={folder}/disk,cache.no-flush=on"
    logged = f"file.{file.replace(',', ',file.')},log.driver=file,log.filename={folder}/log"
    disk = f"driver=blklogwrites,node-name=d,{logged}" if log else f"{file},node-name=d"
    return ["-blockdev", disk, "-device", "nvme,serial=one,drive=d"]


class Killed:
    """One run that ended by a kill: what it had printed, and what came to the disk."""

    def __init__(self, image, folder, seed, moment_s, cpus):
        self.image, self.folder, self.seed = image, folder, seed
        (folder / "disk").write_bytes(bytes(DISK_BYTES))
        (folder / "log").write_bytes(b"")
        machine = Emulated(image, folder, options_of(folder), cpus)
        try:
            machine.say(f"disks stamp nvme0n1 {seed} {ROUNDS}")
            while "stamps: 1 flushed" not in machine.seen:
                machine.take(10)
            machine.take_for(moment_s)
            machine.kill()
        finally:
            machine.close()
        printed = machine.seen[:machine.seen.rindex("\n")]  # whole lines alone
        self.flushed, self.through = 0, []
        for words in (line.split() for line in printed.splitlines() if line.startswith("stamps: ")):
            if words[2:] == ["flushed"]:
                self.flushed = int(words[1])
            elif words[2:] == ["through"]:
                self.through.append(tuple(map(int, words[1].split("."))))
            else:
                raise AssertionError(" ".join(words))
        self.entries = stamps.parse_log((folder / "log").read_bytes(), DISK_BYTES // stamps.SECTOR_BYTES)

    def sectors_through(self):
        """(sector, round) of all that was written through and acknowledged."""
        return {(sector, number) for number, slot in self.through
                for its_slot, count, _ in stamps.writes_of(self.seed, number) if its_slot == slot
                for sector in stamps.sectors_of(slot, count)}

    def required(self):
        """Which round each sector has to be of at least, by what was printed."""
        least = stamps.after_rounds(self.seed, self.flushed)
        for sector, number in self.sectors_through():
            least[sector] = max(least.get(sector, 0), number)
        return least


class History:
    """What the disk holds after each entry of a log, and what of it is durable."""

    def __init__(self, killed):
        self.seed = killed.seed
        self.through = killed.sectors_through()
        self.now, self.durable = {}, {}
        self.logged = {}  # round: the sectors of it that have come
        self.flushes = {}  # round: the number of entries up to its flush
        self.states = []  # after each entry: (now, durable)
        self.expected, self.whole = {}, 0  # each sector's round, when the whole ones are done
        for number, entry in enumerate(killed.entries, 1):
            self.take(entry)
            if entry.is_flush():
                self.note_flush(number)
            self.states.append((dict(self.now), dict(self.durable)))

    def take(self, entry):
        for sector, content in entry.sectors():
            its_round = stamps.round_in(self.seed, sector, content)
            assert its_round is not None, f"what came to sector {sector} is no stamp"
            if its_round == 0:
                continue  # the emulator ended while it kept this; it was not acknowledged, or is missed below
            assert its_round >= self.now.get(sector, 0), f"sector {sector} is written again by round {its_round}"
            self.now[sector] = its_round
            self.logged.setdefault(its_round, set()).add(sector)
            if (sector, its_round) in self.through:
                self.durable[sector] = its_round

    def is_through(self, entry):
        return any((sector, stamps.round_in(self.seed, sector, content)) in self.through
                   for sector, content in entry.sectors())

    def note_flush(self, entries):
        """A flush: rounds whose writes have all come are whole; the last one's state is known to the sector."""
        self.durable = dict(self.now)
        last = max(self.logged, default=0)
        whole = last if self.logged.get(last) == stamps.sectors_of_round(self.seed, last) else last - 1
        for number in range(max(self.flushes, default=0) + 1, whole + 1):
            self.flushes[number] = entries
        for number in range(self.whole + 1, whole + 1):
            self.expected.update(dict.fromkeys(stamps.sectors_of_round(self.seed, number), number))
        self.whole = whole
        for sector, its_round in self.now.items():
            assert its_round in (self.expected.get(sector), last), f"after round {whole}: sector {sector}"
        assert set(self.expected) <= set(self.now), f"not all of round {whole} has come"


def check(test, killed, draw):
    """All that can be said of one kill. Some images to boot: (what it is, image, whether nothing is lost)."""
    history, required = History(killed), killed.required()
    test.assertLessEqual(killed.flushed, max(history.flushes, default=0), "a flush was acknowledged and never came")
    holds = [number for number, (_, durable) in enumerate(history.states, 1)
             if all(durable.get(sector, 0) >= its_round for sector, its_round in required.items())]
    test.assertTrue(holds, "what was acknowledged was never durable")
    first = holds[0]
    # What is durable stays so: each longer prefix holds it, whatever of the rest is there.
    test.assertEqual(holds, list(range(first, len(history.states) + 1)))
    on_file = stamps.rounds_in(killed.seed, (killed.folder / "disk").read_bytes())
    for sector, its_round in required.items():
        test.assertIsNotNone(on_file[sector], f"sector {sector} of the file is torn")
        test.assertGreaterEqual(on_file[sector], its_round, f"sector {sector} of the file")
    end = draw.randint(first, len(killed.entries))
    flushed = max(number for number in range(end + 1) if number == 0 or killed.entries[number - 1].is_flush())
    kept = [entry for number, entry in enumerate(killed.entries[:end], 1)
            if number <= flushed or draw.random() < 0.5 or history.is_through(entry)]
    early = killed.entries[:history.flushes.get(killed.flushed - 1, 0)]
    return [("a prefix", killed.entries[:end], True), ("a prefix without some of what was not flushed", kept, True),
            ("a prefix that ends too early", early, False)]


def boot_again(test, killed, what, entries, is_whole):
    """The kernel's own check of an image; then it writes on."""
    image = stamps.replay(entries, DISK_BYTES)
    (killed.folder / "disk").write_bytes(image)
    machine = Emulated(killed.image, killed.folder, options_of(killed.folder, log=False))
    try:
        said = machine.run(f"disks verify nvme0n1 {killed.seed} {killed.flushed}")
        test.assertIn(" 0 torn,", said, what)
        test.assertEqual(is_whole, " 0 lost, 0 unread" in said, f"{what}: {said}")
        if is_whole:
            machine.run(f"disks stamp nvme0n1 {killed.seed} 3")
            test.assertIn(" 0 torn,", machine.run(f"disks verify nvme0n1 {killed.seed} 0"), what)
    finally:
        machine.close()


class Kills(unittest.TestCase):
    image, kills, seed = "", 4, 1

    def test_what_was_acknowledged_is_there(self):
        for number in range(self.kills):
            seed = self.seed + number
            draw = random.Random(seed)
            with self.subTest(f"--kills 1 --seed {seed}"), tempfile.TemporaryDirectory() as name:
                folder = pathlib.Path(name)
                killed = Killed(self.image, folder, seed, draw.uniform(0, MOMENTS_MAX_S), draw.choice((1, 1, 2)))
                self.assertGreater(killed.flushed, 0)
                images = check(self, killed, draw)
                for what, entries, is_whole in (images if number == 0 else draw.sample(images, 1)):
                    boot_again(self, killed, what, entries, is_whole)
                print(f"kill {number + 1}, seed {seed}: {killed.flushed} rounds, {len(killed.through)} writes through, "
                      f"{len(killed.entries)} entries", flush=True)

    def test_the_check_notices(self):
        """A log that misses one acknowledged write, or in which a flush is missing, is found out."""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            killed = Killed(self.image, folder, self.seed, 0.1, 1)
            whole = killed.entries
            ends = [number for number, entry in enumerate(whole) if not entry.is_flush()]
            least = next(number for number in reversed(ends)
                         if any(killed.required().get(sector) == stamps.round_in(self.seed, sector, content)
                                for sector, content in whole[number].sectors()))
            killed.entries = whole[:least] + whole[least + 1:]
            with self.assertRaises(AssertionError):
                check(self, killed, random.Random(1))
            killed.entries = [entry for entry in whole if not entry.is_flush()]
            with self.assertRaises(AssertionError):
                check(self, killed, random.Random(1))


def main():
    parser = argparse.ArgumentParser(description="kill QEMU under the kernel's writes; check what is left")
    parser.add_argument("image", help="the packed image twofold-full.elf")
    parser.add_argument("--kills", type=int, default=Kills.kills)
    parser.add_argument("--seed", type=int, default=Kills.seed)
    options = parser.parse_args()
    Kills.image, Kills.kills, Kills.seed = options.image, options.kills, options.seed
    begun = time.monotonic()
    program = unittest.main(argv=sys.argv[:1], exit=False, verbosity=1)
    print(f"{options.kills} kills in {time.monotonic() - begun:.1f} s")
    return 0 if program.result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
