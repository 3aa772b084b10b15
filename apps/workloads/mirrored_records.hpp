// Records on a disk that may lie: it loses, tears and misdirects writes, reads what is old or of
// another place, lets bits rot, and forgets what it was told to flush.
//
// A record is one sector, kept at two places. Each copy is sealed: a checksum of all of it, the
// place that it is for, and the generation, which rises with each write of the record. A write goes
// to the first copy and is flushed, then to the second one through the disk's cache; so no two
// copies are at stake at one moment, and they rest on two promises of the disk. Each is read back.
// A read looks at both, takes the newest that is sound and not older than what it knows of, and
// mends the other one.
//
// What that bears: any fault of one copy; what goes wrong for a moment, by trying again. What it
// can only detect: both copies are gone; that is an error, and never old or foreign data. What it
// cannot know: that both are old, when nobody remembers a newer one, since the power was cut.
//
// Neighbour: mirror.cpp, the workload. Source: the seal is what ZFS and littlefs make of theirs, a
// checksum that covers address and generation, since a plain one cannot see a block that is
// misdirected or stale (L. Bairavasundaram et al., "An Analysis of Data Corruption in the Storage
// Stack", FAST 2008).
#pragma once

#include "core/device/drivers.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>

namespace twofold::workloads {

template<class D>
concept RecordDisk = requires(D& disk, std::span<block::Transfer const> transfers) {
    /// Performs all of them, in no order among them, and waits for each. Errors: those of the first
    /// that failed.
    { disk.perform(transfers) } -> std::same_as<Result<void>>;
};

/// What a copy of a record begins with. Little-endian.
struct RecordHead {
    static constexpr u64 magic_number = 0x6472'6F63'6572'3246; ///< "F2record"

    u64 magic = magic_number;
    u64 place = 0; ///< the sector that it is for
    u64 generation = 0;
    u32 checksum = 0; ///< of the sector, with 0 here
    u32 reserved = 0;
};
static_assert(sizeof(RecordHead) == 32);

/// Memory that one operation works in: two sectors.
struct RecordRoom {
    PhysAddr where{};
    std::span<std::byte> bytes;
};

/// Each record is used by one caller at a time. Context thread.
template<RecordDisk Disk>
class MirroredRecords {
public:
    static constexpr u32 records_max = 128;
    static constexpr u32 copies = 2;
    static constexpr u32 looks = 4;  ///< at what cannot be read
    static constexpr u32 writes = 8; ///< of what cannot be written

    /// At `first_sector` lie all first copies, and behind them all second ones.
    MirroredRecords(Disk& disk, u64 first_sector, u32 records, u32 sector_bytes)
        : m_disk(disk),
          m_first_sector(first_sector),
          m_records(records),
          m_sector_bytes(sector_bytes) {
        CHECK(records <= records_max && sector_bytes > sizeof(RecordHead));
    }
    MirroredRecords(MirroredRecords const&) = delete;
    MirroredRecords& operator=(MirroredRecords const&) = delete;

    u64 sector_of(u32 record, u32 copy) const {
        return m_first_sector + u64{copy} * m_records + record;
    }
    usize payload_bytes() const { return m_sector_bytes - sizeof(RecordHead); }

    /// Learns which generations there are. Once, before all else. O(records).
    void open(RecordRoom const& room) {
        for (u32 record = 0; record < m_records; ++record) {
            for (u32 copy = 0; copy < copies; ++copy) {
                Copy const seen = look_at(record, copy, room);
                Known& known = m_known[record];
                known.newest = std::max(known.newest, seen.generation);
                known.least = known.newest;
            }
        }
    }

    /// The record's content, in `room`. Errors: not_found (it was never written), corrupted (no
    /// copy is good any more), io_failed. O(sector) and 2 to 2 * looks reads; 8 writes to mend.
    Result<std::span<std::byte const>> read(u32 record, RecordRoom const& room) {
        Known& known = m_known[record];
        Copies seen;
        for (u32 look = 0; look < (mutant(Mutant::mirror_read_once) ? 1 : looks); ++look) {
            for (u32 copy = 0; copy < copies; ++copy) {
                seen[copy] = look_at(record, copy, room);
            }
            if (is_blank(seen, known)) {
                return Error::not_found;
            }
            if (auto const best = best_of(seen, known)) {
                mend(record, *best, seen, room);
                known.newest = std::max(known.newest, seen[*best].generation);
                known.least = std::max(known.least, seen[*best].generation);
                return std::span<std::byte const>(payload_in(half(*best, room)));
            }
        }
        bool const is_deaf = std::ranges::all_of(
            seen, [](Copy const& copy) { return copy.state == Copy::State::failed; });
        return is_deaf ? Error::io_failed : Error::corrupted;
    }

    /// Replaces the record, durably. `payload` does not lie in `room`. Errors: io_failed; the
    /// record is what it was or what it should be then. O(sector) and 5 to 5 * writes requests.
    Result<void> write(u32 record, std::span<std::byte const> payload, RecordRoom const& room) {
        CHECK(payload.size() == payload_bytes());
        Known& known = m_known[record];
        u64 const generation = ++known.newest;
        if (mutant(Mutant::mirror_order_presumed)) {
            TRY(write_together(record, generation, payload, room));
        } else {
            for (u32 copy = 0; copy < copies; ++copy) {
                TRY(write_copy(record, copy, generation, payload, room));
            }
        }
        known.least = generation;
        return {};
    }

    /// Whether a copy reads as whole at this moment, of whichever generation.
    bool is_whole(u32 record, u32 copy, RecordRoom const& room) {
        return look_at(record, copy, room).state == Copy::State::sound;
    }

private:
    using Operation = block::Operation;

    /// What is known of a record.
    struct Known {
        u64 newest = 0; ///< generation that was ever begun
        u64 least = 0;  ///< generation that a reader may be given
    };
    struct Copy {
        enum class State : u8 { failed, zeros, unsound, sound };

        State state{};
        u64 generation = 0; ///< where it is sound
    };
    using Copies = std::array<Copy, copies>;

    std::span<std::byte> half(u32 copy, RecordRoom const& room) const {
        return room.bytes.subspan(usize{copy} * m_sector_bytes, m_sector_bytes);
    }
    static std::span<std::byte> payload_in(std::span<std::byte> sector) {
        return sector.subspan(sizeof(RecordHead));
    }
    block::Transfer
    transfer(Operation operation, u32 record, u32 copy, RecordRoom const& room) const {
        Bytes const offset{u64{copy} * m_sector_bytes};
        return {
            .operation = operation,
            .sector = sector_of(record, copy),
            .count = 1,
            .memory = room.where + offset};
    }
    Result<void> perform(block::Transfer const& transfer) { return m_disk.perform({&transfer, 1}); }

    static u32 checksum_of(std::span<std::byte> sector, RecordHead head) {
        head.checksum = 0;
        std::memcpy(sector.data(), &head, sizeof(head));
        return crc32(mutant(Mutant::mirror_checksum_short) ? sector.first(sizeof(head)) : sector);
    }
    static void seal(std::span<std::byte> sector, u64 place, u64 generation) {
        RecordHead head{.place = place, .generation = generation};
        head.checksum = checksum_of(sector, head);
        std::memcpy(sector.data(), &head, sizeof(head));
    }
    static Copy examine(std::span<std::byte> sector, u64 place) {
        if (std::ranges::all_of(sector, [](std::byte byte) { return byte == std::byte{}; })) {
            return {Copy::State::zeros};
        }
        RecordHead head;
        std::memcpy(&head, sector.data(), sizeof(head));
        u32 const checksum = checksum_of(sector, head);
        bool const is_sound =
            head.magic == RecordHead::magic_number &&
            (head.place == place || mutant(Mutant::mirror_place_unchecked)) &&
            (head.checksum == checksum || mutant(Mutant::mirror_checksum_unchecked));
        return is_sound ? Copy{Copy::State::sound, head.generation} : Copy{Copy::State::unsound};
    }
    /// Reads a copy into its half of the room.
    Copy look_at(u32 record, u32 copy, RecordRoom const& room) {
        auto const outcome = perform(transfer(Operation::read, record, copy, room));
        return outcome ? examine(half(copy, room), sector_of(record, copy))
                       : Copy{Copy::State::failed};
    }

    static bool is_blank(Copies const& seen, Known const& known) {
        auto const is_zeros = [](Copy const& copy) { return copy.state == Copy::State::zeros; };
        return mutant(Mutant::mirror_zeros_trusted)
                   ? std::ranges::any_of(seen, is_zeros)
                   : known.least == 0 && std::ranges::all_of(seen, is_zeros);
    }
    static std::optional<u32> best_of(Copies const& seen, Known const& known) {
        std::optional<u32> best;
        for (u32 copy = 0; copy < copies; ++copy) {
            bool const is_sound = seen[copy].state == Copy::State::sound;
            if (is_sound && mutant(Mutant::mirror_generation_unchecked)) {
                return copy;
            }
            bool const is_newer = !best || seen[copy].generation > seen[*best].generation;
            if (is_sound && seen[copy].generation >= known.least && is_newer) {
                best = copy;
            }
        }
        return best;
    }
    /// Makes the copies equal to the best one. Where that fails, the next read tries again.
    void mend(u32 record, u32 best, Copies const& seen, RecordRoom const& room) {
        for (u32 copy = 0; copy < copies; ++copy) {
            bool const is_equal = seen[copy].state == Copy::State::sound &&
                                  seen[copy].generation == seen[best].generation;
            if (!is_equal) {
                static_cast<void>(write_copy(
                    record, copy, seen[best].generation, payload_in(half(best, room)), room));
            }
        }
    }

    void fill(
        u32 record,
        u32 copy,
        u64 generation,
        std::span<std::byte const> payload,
        RecordRoom const& room) {
        std::memcpy(payload_in(half(copy, room)).data(), payload.data(), payload.size());
        seal(half(copy, room), sector_of(record, copy), generation);
    }
    /// Writes a copy until it is seen to be there. `payload` does not lie in its half.
    Result<void> write_copy(
        u32 record,
        u32 copy,
        u64 generation,
        std::span<std::byte const> payload,
        RecordRoom const& room) {
        for (u32 attempt = 0; attempt < writes; ++attempt) {
            fill(record, copy, generation, payload, room);
            if (!send(record, copy, room)) {
                continue;
            }
            if (mutant(Mutant::mirror_unverified)) {
                return {};
            }
            Copy const back = look_at(record, copy, room);
            if (back.state == Copy::State::sound && back.generation == generation) {
                return {};
            }
        }
        return Error::io_failed;
    }
    /// Makes a copy durable: the first by a flush, the second through the cache.
    Result<void> send(u32 record, u32 copy, RecordRoom const& room) {
        if (copy != 0 && !mutant(Mutant::mirror_second_cached)) {
            block::Transfer through = transfer(Operation::write, record, copy, room);
            through.is_through = true;
            return perform(through);
        }
        TRY(perform(transfer(Operation::write, record, copy, room)));
        return perform({.operation = Operation::flush});
    }
    /// For the mutant alone: as if the disk did things in the order in which they are sent.
    Result<void> write_together(
        u32 record, u64 generation, std::span<std::byte const> payload, RecordRoom const& room) {
        for (u32 copy = 0; copy < copies; ++copy) {
            fill(record, copy, generation, payload, room);
        }
        block::Transfer const all[] = {
            transfer(Operation::write, record, 0, room),
            transfer(Operation::write, record, 1, room),
            {.operation = Operation::flush}};
        return m_disk.perform(all);
    }

    Disk& m_disk;
    u64 m_first_sector;
    u32 m_records;
    u32 m_sector_bytes;
    std::array<Known, records_max> m_known{};
};

} // namespace twofold::workloads
