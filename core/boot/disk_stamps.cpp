// `disks stamp` and `disks verify`: what a disk keeps when the machine under it ends at any moment.
//
// Rounds of writes are drawn from a seed, so that whoever knows the seed knows what each writes. A
// round is some writes that are in flight together, then some written through, one after the other,
// then a flush. A line is printed for each write through that is done and for each flush: what was
// printed has to be there whatever happens. Every sector says which round has written it.
//
// Another program may check what is left (tests/core/device/stamps.py has the same rules);
// `disks verify` does it in the kernel.
#include "core/boot/disks.hpp"
#include "core/boot/kernel.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <cstring>

namespace twofold::boot {

namespace {

using block::Operation;

/// A slot is some sectors that one write of a round begins in.
constexpr u64 first_sector = 64, slots = 64, slot_sectors = 4,
              stamped_sectors = slots * slot_sectors;
constexpr u32 writes_min = 4, writes_max = 16;
constexpr u64 magic = 0x706d'6174'7366'7774; // "twfstamp"
constexpr u32 sector_bytes_max = 4096;
constexpr u64 buffer_pages = writes_max * slot_sectors * sector_bytes_max / page_size.value;

struct Write {
    u64 slot = 0;
    u32 sectors = 0;
    bool is_through = false;

    u64 sector() const { return first_sector + slot * slot_sectors; }
};
using Writes = FixedVector<Write, writes_max>;

Writes writes_of(u64 seed, u64 round) {
    SplitMix64 random(seed * 1'000'003 + round);
    u64 const wanted = writes_min + random.next() % (writes_max - writes_min + 1);
    u64 taken = 0;
    Writes writes;
    for (u64 i = 0; i < wanted; ++i) {
        u64 const slot = random.next() % slots;
        auto const sectors = static_cast<u32>(1 + random.next() % slot_sectors);
        bool const is_through = random.next() % 4 == 0;
        if ((taken >> slot & 1) == 0) {
            writes.push_back({slot, sectors, is_through}).value(); // at most `wanted`
        }
        taken |= u64{1} << slot;
    }
    return writes;
}

/// What a sector holds.
class Stamp {
public:
    Stamp(u64 seed, u64 sector, u64 round)
        : m_head{magic, seed, sector, round},
          m_filler(SplitMix64(seed ^ sector << 32 ^ round).next()) {}

    void write(std::span<std::byte> to) const {
        for (usize at = 0; at < to.size(); at += sizeof(u64)) {
            u64 const word = word_at(at);
            std::memcpy(&to[at], &word, sizeof(word));
        }
    }
    bool is_in(std::span<std::byte const> from) const {
        bool is_whole = true;
        for (usize at = 0; at < from.size(); at += sizeof(u64)) {
            u64 word = 0;
            std::memcpy(&word, &from[at], sizeof(word));
            is_whole = is_whole && word == word_at(at);
        }
        return is_whole;
    }
    /// Which round a sector says that it is of; 0: it was never written.
    static u64 round_in(std::span<std::byte const> from) {
        u64 head[4];
        std::memcpy(head, from.data(), sizeof(head));
        return head[0] == magic ? head[3] : 0;
    }

private:
    u64 word_at(usize at) const {
        usize const index = at / sizeof(u64);
        return index < std::size(m_head) ? m_head[index] : m_filler;
    }

    u64 m_head[4];
    u64 m_filler;
};

class Stamping {
public:
    Stamping(CommandContext& context, block::Disk& disk, u64 seed, PhysAddr buffers)
        : m_context(context), m_disk(disk), m_seed(seed), m_buffers(buffers) {}

    u8 write(u64 last) {
        for (u64 round = 1; round <= last && !m_context.is_interrupted(); ++round) {
            write_round(round);
        }
        m_context.out.line("stamps: done, {} failed", m_failed);
        return m_failed == 0 ? status::success : status::failure;
    }

    u8 check(u64 flushed) {
        u64 least[stamped_sectors]{};
        for (u64 round = 1; round <= flushed; ++round) {
            for (Write const& each : writes_of(m_seed, round)) {
                std::fill_n(&least[each.slot * slot_sectors], each.sectors, round);
            }
        }
        u64 stamped = 0, torn = 0, lost = 0, unread = 0;
        for (u64 i = 0; i < stamped_sectors; ++i) {
            u64 const sector = first_sector + i;
            auto const read = block::read_block(m_disk, sector, {m_buffers, sector_bytes()});
            if (!read) {
                m_context.out.line("stamps: sector {} cannot be read: {}", sector, read.error());
                ++unread;
                continue;
            }
            auto const content = bytes(0, 1);
            u64 const round = Stamp::round_in(content);
            bool const is_whole =
                round != 0
                    ? Stamp(m_seed, sector, round).is_in(content)
                    : std::ranges::all_of(content, [](std::byte b) { return b == std::byte{}; });
            stamped += round != 0 ? 1 : 0;
            torn += is_whole ? 0 : 1;
            lost += round < least[i] ? 1 : 0;
        }
        m_context.out.line(
            "stamps: {} sectors stamped, {} torn, {} lost, {} unread", stamped, torn, lost, unread);
        return torn + lost + unread == 0 ? status::success : status::failure;
    }

private:
    u32 sector_bytes() const { return m_disk.geometry().sector_bytes; }
    std::span<std::byte> bytes(usize write, u32 sectors) const {
        return std::span(hal::Memory::linear(m_buffers), buffer_pages * page_size.value)
            .subspan(write * slot_sectors * sector_bytes(), u64{sectors} * sector_bytes());
    }
    void prepare(Writes const& writes, u64 round) {
        for (usize i = 0; i < writes.size(); ++i) {
            for (u32 k = 0; k < writes[i].sectors; ++k) {
                Stamp(m_seed, writes[i].sector() + k, round)
                    .write(bytes(i, k + 1).subspan(u64{k} * sector_bytes()));
            }
            m_segments[i] = {
                m_buffers + Bytes{i * slot_sectors * sector_bytes()},
                writes[i].sectors * sector_bytes()};
            block::Request& request = m_requests[i];
            request.operation = Operation::write;
            request.is_through = writes[i].is_through;
            request.sector = writes[i].sector();
            request.count = writes[i].sectors;
            request.segments = std::span(&m_segments[i], 1);
        }
    }
    bool write_together(Writes const& writes) {
        block::Gathering gathering(m_disk);
        bool has_failed = false;
        m_disk.hold();
        for (usize i = 0; i < writes.size(); ++i) {
            has_failed = (!writes[i].is_through && !gathering.submit(m_requests[i])) || has_failed;
        }
        m_disk.release();
        return gathering.wait().has_value() && !has_failed;
    }
    void note(Result<void> const& outcome, u64 round, u64 slot) {
        if (!outcome) {
            ++m_failed;
            m_context.out.line("stamps: {}.{} failed: {}", round, slot, outcome.error());
        }
    }

    void write_round(u64 round) {
        Writes const writes = writes_of(m_seed, round);
        prepare(writes, round);
        if (!write_together(writes)) { // which of them it was shows when each is alone
            for (usize i = 0; i < writes.size(); ++i) {
                if (!writes[i].is_through) {
                    note(block::perform(m_disk, m_requests[i]), round, writes[i].slot);
                }
            }
        }
        for (usize i = 0; i < writes.size(); ++i) {
            if (writes[i].is_through) {
                auto const outcome = block::perform(m_disk, m_requests[i]);
                note(outcome, round, writes[i].slot);
                if (outcome) {
                    m_context.out.line("stamps: {}.{} through", round, writes[i].slot);
                }
            }
        }
        if (auto const outcome = block::flush(m_disk); outcome) {
            m_context.out.line("stamps: {} flushed", round);
        } else {
            ++m_failed;
            m_context.out.line("stamps: {} not flushed: {}", round, outcome.error());
        }
    }

    CommandContext& m_context;
    block::Disk& m_disk;
    u64 m_seed;
    PhysAddr m_buffers;
    u64 m_failed = 0;
    block::Request m_requests[writes_max];
    block::Segment m_segments[writes_max];
};

} // namespace

u8 stamp_disk(CommandContext& context, block::Disk& disk, StampAction action, u64 seed, u64 round) {
    block::Geometry const& geometry = disk.geometry();
    if (geometry.sector_bytes > sector_bytes_max ||
        geometry.sectors < first_sector + stamped_sectors) {
        context.out.line(
            "stamps: {} has not {} sectors of at most {} bytes", disk.name(),
            first_sector + stamped_sectors, sector_bytes_max);
        return status::failure;
    }
    Kernel& kernel = context.kernel;
    auto const buffers = kernel.frames->allocate(memory::FrameRequest{.pages = buffer_pages});
    auto const room = memory::allocate_room<Stamping>(*kernel.heap, 1);
    u8 outcome = status::failure;
    if (buffers && room) {
        Stamping& stamping = *std::construct_at(room.value(), context, disk, seed, buffers.value());
        outcome = action == StampAction::write ? stamping.write(round) : stamping.check(round);
        std::destroy_at(&stamping);
    } else {
        context.out.line("stamps: there is no memory");
    }
    if (room) {
        memory::free_room(*kernel.heap, room.value());
    }
    if (buffers) {
        kernel.frames->free_pages(buffers.value(), buffer_pages).value();
    }
    return outcome;
}

} // namespace twofold::boot
