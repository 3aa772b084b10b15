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

Result<PhysAddr> FrameIndex::add_table() {
    PhysAddr const table = TRY(m_frames.allocate_zeroed(0));
    ++m_tables;
    return table;
}

std::optional<PhysAddr> FrameIndex::get(u64 number) const {
    CHECK(number < m_pages);
    PhysAddr at = m_root;
    for (unsigned level = m_depth; level-- > 0 && at != PhysAddr{};) {
        at = {word(at, number, level).load(acquire)};
    }
    return at != PhysAddr{} ? std::optional(at) : std::nullopt;
}

Result<void> FrameIndex::set(u64 number, PhysAddr frame) {
    CHECK(number < m_pages && frame != PhysAddr{});
    if (m_root == PhysAddr{}) {
        m_root = TRY(add_table());
    }
    PhysAddr table = m_root;
    for (unsigned level = m_depth - 1; level > 0; --level) {
        Word& next = word(table, number, level);
        if (next.load(relaxed) == 0) {
            next.store(TRY(add_table()).value, release);
        }
        table = {next.load(relaxed)};
    }
    Word& last = word(table, number, 0);
    CHECK(last.load(relaxed) == 0);
    last.store(frame.value, release);
    return {};
}

void FrameIndex::clear() {
    if (m_root != PhysAddr{}) {
        clear(m_root, m_depth - 1);
        m_root = {};
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
