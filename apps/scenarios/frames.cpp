// Allocators of frames, on a block of the kernel's own memory: every operation, every misuse, and a
// random workload. Places are recorded as page numbers within the block.
#include "apps/scenarios/scenarios.hpp"
#include "core/memory/memory.hpp"

namespace twofold::scenarios {

namespace {

using namespace twofold::memory;
using namespace twofold::literals;
using twofold::boot::Recorder;

constexpr unsigned block_order = 10; // 4 MiB
constexpr u64 block_pages = u64{1} << block_order;
constexpr u64 hole_first = 600, hole_end = 640;

/// Records under names that begin with the allocator's own.
template<class F>
class Log {
public:
    Log(Recorder& record, std::string_view name, PhysAddr block)
        : m_record(record), m_name(name), m_block(block) {}

    void number(std::string_view what, u64 value) {
        char storage[64];
        m_record.number(name(storage, what), value);
    }
    void place(std::string_view what, Result<PhysAddr> const& place) {
        char storage[64];
        m_record.result(
            name(storage, what), place ? Result<u64>((place.value() - m_block) / page_size)
                                       : Result<u64>(place.error()));
    }
    void outcome(std::string_view what, Result<void> const& outcome) {
        char storage[64];
        m_record.result(name(storage, what), outcome);
    }
    void counts(std::string_view when, F const& frames) {
        FrameStatistics const now = frames.statistics();
        char text[160];
        char storage[64];
        m_record.text(
            name(storage, when),
            format_to(
                std::span(text), "{} free, largest {}, unusable {} ppm, {} + {} - {}, sound {}",
                now.free_frames, now.largest_order().value_or(99), now.fragmentation_ppm(4),
                now.allocations, now.failures, now.frees, !frames.validate().found())
                .text);
    }
    PhysAddr page(u64 index) const { return m_block + page_size * index; }

private:
    std::string_view name(std::span<char> storage, std::string_view what) const {
        return format_to(storage, "{}: {}", m_name, what).text;
    }

    Recorder& m_record;
    std::string_view m_name;
    PhysAddr m_block;
};

template<class F>
void record_requests(Log<F>& log, F& frames) {
    log.counts("made", frames);
    auto const single = frames.allocate(0);
    log.place("order 0", single);
    auto const large = frames.allocate(5);
    log.place("order 5", large);
    log.place("order 10", frames.allocate(10));
    log.place("order 19", frames.allocate(19));
    auto const run = frames.allocate({.pages = 37, .content = FrameContent::zeroed});
    log.place("37 pages", run);
    auto const aligned = frames.allocate({.pages = 3, .alignment = 256_KiB});
    log.place("3 pages at 256 KiB", aligned);
    auto const there = frames.allocate({.pages = 9, .at = log.page(701)});
    log.place("9 pages at page 701", there);
    log.place("there again", frames.allocate({.pages = 2, .at = log.page(709)}));
    log.place("in the hole", frames.allocate({.at = log.page(hole_first)}));
    auto const low = frames.allocate({.pages = 2, .limit = log.page(300)});
    log.place("2 pages below page 300", low);
    log.place("below nothing", frames.allocate({.limit = log.page(0)}));
    log.place("no pages", frames.allocate({.pages = 0}));
    log.place("odd alignment", frames.allocate({.alignment = 12_KiB}));
    log.place("more than there is", frames.allocate({.pages = 2000}));
    log.place("from node 5", frames.allocate({.node = 5}));
    log.counts("taken", frames);
    log.outcome("double order", frames.free(large.value(), 6));
    log.outcome("half order", frames.free(large.value(), 4));
    log.outcome("inside", frames.free(large.value() + page_size * 2, 1));
    log.outcome("not a page", frames.free(large.value() + 1_B, 0));
    log.outcome("never free", frames.free(log.page(hole_first), 0));
    log.outcome("no frame", frames.free(PhysAddr{0}, 0));
    log.outcome("order 77", frames.free(large.value(), 77));
    log.outcome("36 of 37", frames.free_pages(run.value(), 36));
    log.outcome("37 of 37", frames.free_pages(run.value(), 37));
    log.outcome("37 again", frames.free_pages(run.value(), 37));
    log.outcome("order 5 back", frames.free(large.value(), 5));
    log.outcome("order 0 back", frames.free(single.value(), 0));
    log.outcome("order 0 again", frames.free(single.value(), 0));
    log.outcome("aligned back", frames.free_pages(aligned.value(), 3));
    log.outcome("9 pages back", frames.free_pages(there.value(), 9));
    log.outcome("2 pages back", frames.free(low.value(), 1));
    frames.drain();
    log.counts("given back", frames);
    FrameStatistics const now = frames.statistics();
    for (usize i = 1; i < frame_misuse_count; ++i) {
        log.number(misuse_name(static_cast<FrameMisuse>(i)), now.misuses[i]);
    }
}

/// A hundred pieces come and go at random; what each place was is summed up.
template<class F>
void record_workload(Log<F>& log, F& frames) {
    struct Piece {
        PhysAddr address;
        u64 pages;
    };
    FixedVector<Piece, 100> pieces;
    Random random(7);
    u64 places = 0;
    for (int i = 0; i < 2000; ++i) {
        if (pieces.full() || (!pieces.empty() && random.below(5) < 2)) {
            usize const index = random.below(pieces.size());
            Piece const piece = pieces[index];
            pieces.erase(index);
            static_cast<void>(frames.free_pages(piece.address, piece.pages).has_value());
            continue;
        }
        u64 const pages = 1 + random.below(12);
        if (auto const place = frames.allocate({.pages = pages})) {
            places = places * 31 + (place.value() - log.page(0)) / page_size;
            pieces.push_back({place.value(), pages}).value();
        }
    }
    log.number("places", places);
    log.counts("after the workload", frames);
    for (Piece const& piece : pieces) {
        static_cast<void>(frames.free_pages(piece.address, piece.pages).has_value());
    }
    frames.drain();
    log.counts("and without it", frames);
}

template<class F>
void record_allocator(Recorder& record, std::string_view name, PhysAddr block) {
    Log<F> log(record, name, block);
    hal::MemoryRange const free[] = {
        {block, page_size * hole_first, hal::MemoryKind::usable},
        {log.page(hole_end), page_size * (block_pages - hole_end), hal::MemoryKind::usable}};
    auto const made = F::create({.free = free});
    log.number("exists", made.has_value());
    if (!made) {
        return;
    }
    F& frames = *made.value();
    record_requests(log, frames);
    record_workload(log, frames);
    FailingFrames failing(frames);
    failing.fail_at(2);
    log.number("before the failure", failing.allocate(3).has_value());
    log.place("the failure", failing.allocate(3));
    failing.fail_from(1);
    log.place("failing from now on", failing.allocate({.pages = 2}));
    log.number("asked, failed", failing.asked() * 100 + failing.failed());
}

void record_refused_maps(Recorder& record, PhysAddr block) {
    auto const refused = [&](std::string_view name, std::span<hal::MemoryRange const> free) {
        auto const made = BuddyFrames::create({.free = free});
        record.text(name, made ? "accepted" : error_name(made.error()));
    };
    hal::MemoryRange const overlapping[] = {
        {block, 64_KiB, hal::MemoryKind::usable},
        {block + 60_KiB, 64_KiB, hal::MemoryKind::usable}};
    refused("map that overlaps", overlapping);
    refused("map without memory", {});
    hal::MemoryRange const odd[] = {{block + 1_B, 64_KiB, hal::MemoryKind::usable}};
    refused("map off the pages", odd);
}

} // namespace

void frames(Recorder& record, twofold::boot::Kernel& kernel) {
    auto const block = kernel.frames->allocate(block_order);
    record.truth("block", block.has_value());
    if (!block) {
        return;
    }
    record_allocator<BuddyFrames>(record, "buddy", block.value());
    record_allocator<BitmapFrames>(record, "bitmap", block.value());
    record_refused_maps(record, block.value());
    record.text(
        "the kernel's own: right", misuse_name(kernel.frames->examine(block.value(), block_pages)));
    record.text("and wrong", misuse_name(kernel.frames->examine(block.value(), 1)));
    record.result("block given back", kernel.frames->free(block.value(), block_order));
    kernel.frames->ask_all_to_drain();
    kernel.frames->drain();
    record.truth("the kernel's own are sound", !kernel.frames->validate().found());
}

} // namespace twofold::scenarios
