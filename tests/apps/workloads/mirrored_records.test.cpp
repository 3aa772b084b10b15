// Records that are kept twice, against a disk of variables that does to them what it is told: each
// fault of one copy is borne and mended, what is gone is an error, and power may go at any request.
#include "apps/workloads/mirrored_records.hpp"
#include "tests/support/test.hpp"

#include <limits>

namespace {

using namespace twofold;
using namespace twofold::workloads;
using block::Operation;
using block::Transfer;

constexpr u32 sector_bytes = 512;
constexpr u32 records = 2;
constexpr u32 sectors = 2 * records;
constexpr u32 never = std::numeric_limits<u32>::max();

using Sector = std::array<std::byte, sector_bytes>;

/// A disk with a volatile cache. A buffer's address is its offset in `room`.
struct Disk {
    Result<void> perform(std::span<Transfer const> transfers) {
        for (Transfer const& each : transfers) {
            if (requests++ >= power_goes_at) {
                return Error::io_failed;
            }
            std::span<std::byte> const buffer = std::span(room).subspan(each.memory.value);
            switch (each.operation) {
            case Operation::read:
                std::memcpy(buffer.data(), cached[each.sector].data(), sector_bytes);
                break;
            case Operation::write:
                write(each, buffer);
                break;
            case Operation::flush:
                if (!ignores_flushes) {
                    medium = cached;
                }
                break;
            case Operation::deallocate:
            case Operation::write_zeroes:
                return Error::not_supported;
            }
        }
        return {};
    }
    void write(Transfer const& each, std::span<std::byte const> buffer) {
        if (writes_lost > 0) {
            --writes_lost;
            return;
        }
        std::memcpy(cached[each.sector].data(), buffer.data(), sector_bytes);
        if (each.is_through) {
            medium[each.sector] = cached[each.sector];
        }
    }
    /// Power has gone, and come back.
    void start_again() {
        cached = medium;
        power_goes_at = never;
    }
    void damage(u32 sector, u32 bit) {
        cached[sector][bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    }

    std::array<Sector, sectors> medium{};
    std::array<Sector, sectors> cached{};
    std::array<std::byte, usize{2} * sector_bytes> room{};
    u32 requests = 0;
    u32 power_goes_at = never; ///< request
    u32 writes_lost = 0;       ///< so many more
    bool ignores_flushes = false;
};
static_assert(RecordDisk<Disk>);

/// The records of a disk, as a kernel that has just begun finds them.
struct Records {
    explicit Records(Disk& its_disk) : disk(its_disk), store(its_disk, 0, records, sector_bytes) {
        store.open(room());
    }

    RecordRoom room() const { return {PhysAddr{0}, disk.room}; }
    Result<void> write(u32 record, u8 value) {
        std::array<std::byte, sector_bytes - sizeof(RecordHead)> payload;
        payload.fill(std::byte{value});
        return store.write(record, payload, room());
    }
    /// The value of a record; an error as a number above all values.
    u32 read(u32 record) {
        auto const found = store.read(record, room());
        if (!found) {
            return 1000 + static_cast<u32>(found.error());
        }
        for (std::byte const byte : found.value()) {
            if (byte != found.value().front()) {
                return 999;
            }
        }
        return static_cast<u32>(found.value().front());
    }
    static u32 error(Error which) { return 1000 + static_cast<u32>(which); }

    Disk& disk;
    MirroredRecords<Disk> store;
};

TEST(MirroredRecords, AreWhatWasWrittenLast) {
    Disk disk;
    Records first(disk);
    EXPECT_EQ(first.read(0), Records::error(Error::not_found));
    EXPECT_TRUE(first.write(0, 3).has_value());
    EXPECT_TRUE(first.write(1, 4).has_value());
    EXPECT_TRUE(first.write(0, 5).has_value());
    EXPECT_EQ(first.read(0), 5u);
    disk.start_again();
    Records second(disk);
    EXPECT_EQ(second.read(0), 5u);
    EXPECT_EQ(second.read(1), 4u);
}

TEST(MirroredRecords, BearAnyBitOfACopy) {
    Disk disk;
    Records held(disk);
    EXPECT_TRUE(held.write(0, 7).has_value());
    for (u32 bit = 0; bit < sector_bytes * 8; bit += 5) {
        u32 const copy = bit % 2;
        Sector const whole = disk.cached[held.store.sector_of(0, copy)];
        disk.damage(static_cast<u32>(held.store.sector_of(0, copy)), bit);
        EXPECT_EQ(held.read(0), 7u);
        EXPECT_TRUE(disk.cached[held.store.sector_of(0, copy)] == whole);
    }
}

TEST(MirroredRecords, SayThatBothCopiesAreGone) {
    Disk disk;
    Records held(disk);
    EXPECT_TRUE(held.write(0, 7).has_value());
    disk.damage(static_cast<u32>(held.store.sector_of(0, 0)), 900);
    disk.damage(static_cast<u32>(held.store.sector_of(0, 1)), 4000);
    EXPECT_EQ(held.read(0), Records::error(Error::corrupted));
    disk.cached[held.store.sector_of(0, 0)] = {};
    disk.cached[held.store.sector_of(0, 1)] = {};
    EXPECT_EQ(held.read(0), Records::error(Error::corrupted));
    EXPECT_TRUE(held.write(0, 8).has_value());
    EXPECT_EQ(held.read(0), 8u);
}

TEST(MirroredRecords, TakeNothingThatIsOldOrOfAnotherPlace) {
    Disk disk;
    Records held(disk);
    EXPECT_TRUE(held.write(0, 1).has_value());
    Sector const old = disk.cached[held.store.sector_of(0, 0)];
    EXPECT_TRUE(held.write(0, 2).has_value());
    disk.cached[held.store.sector_of(0, 0)] = old;
    EXPECT_EQ(held.read(0), 2u);
    EXPECT_FALSE(disk.cached[held.store.sector_of(0, 0)] == old);
    for (u8 value = 10; value < 20; ++value) { // later generations than the other's
        EXPECT_TRUE(held.write(1, value).has_value());
    }
    disk.cached[held.store.sector_of(0, 0)] = disk.cached[held.store.sector_of(1, 0)];
    EXPECT_EQ(held.read(0), 2u);
    disk.cached[held.store.sector_of(0, 0)] = disk.cached[held.store.sector_of(0, 1)];
    EXPECT_EQ(held.read(0), 2u);
    disk.cached[held.store.sector_of(0, 0)] = old;
    disk.cached[held.store.sector_of(0, 1)] = old;
    EXPECT_EQ(held.read(0), Records::error(Error::corrupted));
}

TEST(MirroredRecords, AreWrittenUntilTheyAreThere) {
    Disk disk;
    Records held(disk);
    disk.writes_lost = 3;
    EXPECT_TRUE(held.write(0, 9).has_value());
    EXPECT_EQ(disk.writes_lost, 0u);
    EXPECT_TRUE(held.store.is_whole(0, 0, held.room()));
    EXPECT_TRUE(held.store.is_whole(0, 1, held.room()));
    disk.writes_lost = never;
    EXPECT_FALSE(held.write(0, 10).has_value());
    EXPECT_EQ(held.read(0), 9u);
}

TEST(MirroredRecords, RestOnNoFlushAlone) {
    Disk disk;
    disk.ignores_flushes = true;
    Records held(disk);
    EXPECT_TRUE(held.write(0, 1).has_value());
    EXPECT_TRUE(held.write(0, 2).has_value());
    disk.start_again();
    EXPECT_EQ(Records(disk).read(0), 2u);
}

TEST(MirroredRecords, OutlastThePowerAtAnyRequest) {
    for (u32 cut = 0;; ++cut) {
        Disk disk;
        Records held(disk);
        EXPECT_TRUE(held.write(0, 1).has_value());
        disk.power_goes_at = disk.requests + cut;
        bool const is_done = held.write(0, 2).has_value();
        disk.start_again();
        u32 const found = Records(disk).read(0);
        EXPECT_TRUE(found == 2 || (!is_done && found == 1));
        if (is_done) {
            EXPECT_EQ(cut, 5u); // a write, a flush, a write through, and both read back
            break;
        }
    }
}

} // namespace
