"""What the kernel's command `disks stamp` writes (core/boot/disk_stamps.cpp), by the same rules; and the log that
QEMU's driver blklogwrites keeps of what comes to a disk, in the format of Linux's dm-log-writes
(Documentation/admin-guide/device-mapper/log-writes.rst).
"""
import struct

SECTOR_BYTES = 512
FIRST_SECTOR, SLOTS, SLOT_SECTORS = 64, 64, 4
WRITES_MIN, WRITES_MAX = 4, 16
MAGIC = 0x706D617473667774
MASK = (1 << 64) - 1

LOG_MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8


class SplitMix64:
    def __init__(self, seed):
        self.state = seed & MASK

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        return mixed ^ (mixed >> 31)


def writes_of(seed, number):
    """The writes of a round, in the order in which they are drawn: (slot, sectors, whether written through)."""
    random = SplitMix64(seed * 1_000_003 + number)
    wanted = WRITES_MIN + random.next() % (WRITES_MAX - WRITES_MIN + 1)
    taken, writes = set(), []
    for _ in range(wanted):
        slot = random.next() % SLOTS
        sectors = 1 + random.next() % SLOT_SECTORS
        is_through = random.next() % 4 == 0
        if slot not in taken:
            writes.append((slot, sectors, is_through))
        taken.add(slot)
    return writes


def sectors_of(slot, count):
    return range(FIRST_SECTOR + slot * SLOT_SECTORS, FIRST_SECTOR + slot * SLOT_SECTORS + count)


def sectors_of_round(seed, number):
    return {sector for slot, count, _ in writes_of(seed, number) for sector in sectors_of(slot, count)}


def after_rounds(seed, last):
    """Which round each sector is of when so many are done."""
    return {sector: number for number in range(1, last + 1) for sector in sectors_of_round(seed, number)}


def stamp(seed, sector, number):
    """The content of a sector that a round has written."""
    filler = SplitMix64(seed ^ (sector << 32) ^ number).next()
    return struct.pack("<4Q", MAGIC, seed, sector, number) + struct.pack("<Q", filler) * (SECTOR_BYTES // 8 - 4)


def round_in(seed, sector, content):
    """Which round a sector is of, 0 for zeros; None where it is neither whole nor untouched."""
    if content == bytes(SECTOR_BYTES):
        return 0
    magic, _, _, number = struct.unpack_from("<4Q", content)
    return number if magic == MAGIC and content == stamp(seed, sector, number) else None


def rounds_in(seed, image):
    """The same of all stamped sectors of an image."""
    return {sector: round_in(seed, sector, image[sector * SECTOR_BYTES:(sector + 1) * SECTOR_BYTES])
            for sector in range(FIRST_SECTOR, FIRST_SECTOR + SLOTS * SLOT_SECTORS)}


class Entry:
    """Something that came to the disk."""

    def __init__(self, sector, flags, data):
        self.sector = sector
        self.flags = flags
        self.data = data

    def is_flush(self):
        return self.flags & FLUSH != 0

    def sectors(self):
        """(sector, content) of what it wrote."""
        for at in range(0, len(self.data), SECTOR_BYTES):
            yield self.sector + at // SECTOR_BYTES, self.data[at:at + SECTOR_BYTES]


def parse_log(log, sectors):
    """The entries of a log of a disk with so many sectors, as long as they are whole. The header counts them as of
    the last flush, so it is not asked where the log ends; the file was empty before. One that was being written
    when the emulator ended leaves a gap, behind which there may be others."""
    magic, version, _, sector_bytes = struct.unpack_from("<QQQI", log)
    if (magic, version, sector_bytes) != (LOG_MAGIC, 1, SECTOR_BYTES):
        raise ValueError(f"no log of writes: {magic:#x} {version} {sector_bytes}")
    entries, at = [], SECTOR_BYTES
    while at + SECTOR_BYTES <= len(log):
        sector, count, flags, data_bytes = struct.unpack_from("<4Q", log, at)
        rest = log[at + 32:at + SECTOR_BYTES]
        is_one = (flags <= FLUSH | FUA and data_bytes == 0 and (count or flags) and sector + count <= sectors
                  and rest == bytes(len(rest)))
        end = at + SECTOR_BYTES * (1 + count)
        if not is_one or end > len(log):
            at += SECTOR_BYTES
            continue
        entries.append(Entry(sector, flags, log[at + SECTOR_BYTES:end]))
        at = end
    return entries


def replay(entries, size):
    """The disk after these."""
    image = bytearray(size)
    for entry in entries:
        begin = entry.sector * SECTOR_BYTES
        image[begin:begin + len(entry.data)] = entry.data
    return bytes(image)
