// See frame_index.hpp.
#include "core/memory/space/frame_index.hpp"

#include "core/memory/space/frame_view.hpp"

namespace twofold::memory {

namespace {

constexpr unsigned fanout_bits = 9;

} // namespace

FrameIndex::FrameIndex(SharedFrames& frames, u64 pages) : m_frames(frames), m_pages(pages) {
    CHECK(pages <= pages_max);
    for (u64 covered = fanout; covered < pages; covered *= fanout) {
        ++m_depth;
    }
}

FrameIndex::Word& FrameIndex::word(PhysAddr table, u64 number, unsigned level) const {
    u64 const index = number >> (fanout_bits * level) & (fanout - 1);
    return std::span(frame_object<Word>(table), fanout)[index];
}

Result<PhysAddr> FrameIndex::add_table(FrameStock& stock) {
    std::optional<PhysAddr> const table = stock.take({});
    m_tables += table ? 1 : 0;
    return table ? Result<PhysAddr>(*table) : Result<PhysAddr>(Error::busy);
}

std::optional<PhysAddr> FrameIndex::get(u64 number) const {
    CHECK(number < m_pages);
    PhysAddr at{m_root.load(acquire)};
    for (unsigned level = m_depth; level-- > 0 && at != PhysAddr{};) {
        at = {word(at, number, level).load(acquire)};
    }
    return at != PhysAddr{} ? std::optional(at) : std::nullopt;
}

Result<void> FrameIndex::set(u64 number, PhysAddr frame, FrameStock& stock) {
    CHECK(number < m_pages && frame != PhysAddr{});
    if (m_root.load(relaxed) == 0) {
        m_root.store(TRY(add_table(stock)).value, release);
    }
    PhysAddr table{m_root.load(relaxed)};
    for (unsigned level = m_depth - 1; level > 0; --level) {
        Word& next = word(table, number, level);
        if (next.load(relaxed) == 0) {
            next.store(TRY(add_table(stock)).value, release);
        }
        table = {next.load(relaxed)};
    }
    Word& last = word(table, number, 0);
    CHECK(last.load(relaxed) == 0);
    last.store(frame.value, release);
    return {};
}

void FrameIndex::clear() {
    if (u64 const root = m_root.exchange(0, relaxed); root != 0) {
        clear({root}, m_depth - 1);
    }
    CHECK(m_tables == 0);
}

// Recurses once a level: at most three deep.
void FrameIndex::clear(PhysAddr table, unsigned level) {
    for (Word const& each : std::span(frame_object<Word>(table), fanout)) {
        PhysAddr const below{each.load(relaxed)};
        if (below == PhysAddr{}) {
            continue;
        }
        if (level == 0) {
            m_frames.release(below, 0);
        } else {
            clear(below, level - 1);
        }
    }
    m_frames.release(table, 0);
    --m_tables;
}

} // namespace twofold::memory
