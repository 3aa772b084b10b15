// Taking, splitting, joining and walking the blocks of a zone.
#include "core/memory/frames/buddy_zone.hpp"

#include <new>

namespace twofold::memory {

Bytes BuddyZone::storage_for(ZonePlan const& plan) {
    u64 total = sizeof(BuddyZone) + alignof(BuddyZone);
    total += (plan.end - plan.first) * sizeof(Atomic<u8>);
    for (unsigned order = 0; order < order_count; ++order) {
        u64 const blocks = ((plan.end - 1) >> order) - (plan.first >> order) + 1;
        total += BitTree::words_for(blocks) * sizeof(u64);
    }
    return {total + alignof(u64)};
}

Result<BuddyZone*> BuddyZone::create(StorageCursor& storage, ZonePlan const& plan) {
    CHECK(plan.first > 0 && plan.first < plan.end);
    auto const place = TRY(storage.take_bytes(sizeof(BuddyZone), alignof(BuddyZone)));
    auto const states = TRY(storage.take<Atomic<u8>>(plan.end - plan.first));
    auto* const zone = new (place.data()) BuddyZone(plan, states);
    sync::SpinLockGuard const guard(zone->m_lock, sync::interrupts_stay_on);
    for (unsigned order = 0; order < order_count; ++order) {
        u64 const blocks = zone->block_index(plan.end - 1, order) + 1;
        zone->m_free[order] = TRY(BitTree::create(storage, blocks));
    }
    // What is a hole and what is memory is told by adopt; until then nothing is.
    fill(states, FrameState::reserved().byte());
    return zone;
}

void BuddyZone::link(FrameNumber block, unsigned order) {
    m_free[order].add(block_index(block, order));
    m_orders |= 1u << order;
    m_free_frames += u64{1} << order;
    set_state(block, FrameState::free(order));
}

void BuddyZone::unlink(FrameNumber block, unsigned order) {
    CHECK(state(block) == FrameState::free(order));
    m_free[order].remove(block_index(block, order));
    if (m_free[order].count() == 0) {
        m_orders &= ~(1u << order);
    }
    m_free_frames -= u64{1} << order;
    set_state(block, FrameState::inside());
}

void BuddyZone::split(FrameNumber block, unsigned from, unsigned to) {
    while (from > to) {
        --from;
        link(block + (u64{1} << from), from);
    }
}

void BuddyZone::adopt(FrameNumber begin, FrameNumber end) {
    CHECK(begin < end && begin >= m_first && end <= m_end);
    std::span<Atomic<u8>> const states = m_states.subspan(begin - m_first, end - begin);
    CHECK(is_filled(states, FrameState::reserved().byte()));
    fill(states, FrameState::inside().byte());
    m_frames += end - begin;
    put_range(begin, end);
}

Result<FrameNumber> BuddyZone::take(unsigned order, FrameNumber limit) {
    CHECK(order <= max_order);
    u32 candidates = m_orders >> order << order;
    while (candidates != 0) {
        auto const found = static_cast<unsigned>(std::countr_zero(candidates));
        FrameNumber const block = block_frame(*m_free[found].next(0), found);
        bool const fits =
            block < limit && (u64{1} << order <= limit - block || mutant(Mutant::frames_limit));
        if (fits) {
            unlink(block, found);
            split(block, found, order);
            return block;
        }
        candidates &= candidates - 1;
    }
    return Error::out_of_memory;
}

BuddyZone::Run BuddyZone::take_singles(u32 most, FrameState state) {
    if (m_orders == 0) {
        return {};
    }
    auto const order = static_cast<unsigned>(std::countr_zero(m_orders));
    FrameNumber const block = block_frame(*m_free[order].next(0), order);
    FrameNumber const end = block + (u64{1} << order);
    auto const count = static_cast<u32>(std::min<u64>(most, end - block));
    unlink(block, order);
    for (Block const rest : Blocks(block + count, end)) {
        link(rest.first, rest.order); // its buddy is what was taken
    }
    fill(m_states.subspan(index_of(block), count), state.byte());
    return {block, count};
}

std::optional<FrameNumber> BuddyZone::free_block_at(FrameNumber frame) const {
    for (unsigned order = 0; order < order_count; ++order) {
        FrameNumber const block = align_down(frame, u64{1} << order);
        if (block < m_first) {
            break;
        }
        if (state(block) == FrameState::free(order)) {
            return block;
        }
    }
    return std::nullopt;
}

Result<void> BuddyZone::take_at(FrameNumber begin, FrameNumber end) {
    if (begin < m_first || begin >= end || end > m_end) {
        return Error::out_of_range;
    }
    for (FrameNumber frame = begin; frame < end;) {
        auto const block = free_block_at(frame);
        if (!block) {
            return state(frame) == FrameState::reserved() ? Error::out_of_range : Error::busy;
        }
        frame = *block + (u64{1} << state(*block).order());
    }
    for (FrameNumber frame = begin; frame < end;) {
        FrameNumber const block = *free_block_at(frame);
        unsigned const order = state(block).order();
        FrameNumber const block_end = block + (u64{1} << order);
        unlink(block, order);
        // Neither piece has a free buddy: the buddies are what was asked for, or beyond.
        for (Block const piece : Blocks(block, std::max(block, begin))) {
            link(piece.first, piece.order);
        }
        for (Block const piece : Blocks(std::min(block_end, end), block_end)) {
            link(piece.first, piece.order);
        }
        frame = block_end;
    }
    return {};
}

FrameNumber BuddyZone::run_start(FrameNumber block, u64 frames_enough) const {
    FrameNumber start = block;
    while (start > m_first && block - start < frames_enough) {
        auto const before = free_block_at(start - 1);
        if (!before) {
            break;
        }
        start = *before;
    }
    return start;
}

FrameNumber BuddyZone::run_end(FrameNumber block, u64 frames_enough) const {
    FrameNumber end = block;
    while (end < m_end && end - block < frames_enough && state(end).is_free()) {
        end += u64{1} << state(end).order();
    }
    return end;
}

std::optional<FrameNumber> BuddyZone::run_around(FrameNumber block, RunShape const& run) const {
    u64 const enough = run.pages + run.alignment;
    FrameNumber const end = std::min(run_end(block, enough), run.limit);
    FrameNumber const begin = align_up(run_start(block, enough), run.alignment);
    bool const fits = begin < end && end - begin >= run.pages;
    return fits ? std::optional(begin) : std::nullopt;
}

/// The order of the largest block that any run of so many frames is sure to hold: 2^k frames side
/// by side hold a whole block of order k - 1, and so do more of them.
static unsigned least_order_of(u64 pages) {
    unsigned const width = static_cast<unsigned>(std::bit_width(pages));
    return std::min(width < 2 ? 0 : width - 2, max_order);
}

BuddyZone::RunSearch BuddyZone::start_search(RunShape const& run) {
    return {.order = least_order_of(run.pages)};
}

Result<FrameNumber>
BuddyZone::look_around_next(RunShape const& run, RunSearch& search, unsigned per_order) const {
    for (; search.order < order_count; ++search.order, search.index = 0) {
        bool const enough = search.looked_at >= per_order;
        auto const index = enough ? std::nullopt : m_free[search.order].next(search.index);
        if (!index) {
            search.looked_at = per_order < candidates_max ? 0 : search.looked_at;
            continue;
        }
        search.index = *index + 1;
        ++search.looked_at;
        auto const begin = run_around(block_frame(*index, search.order), run);
        return begin ? Result<FrameNumber>(*begin) : Error::out_of_memory;
    }
    return Error::out_of_memory;
}

void BuddyZone::put(FrameNumber block, unsigned order) {
    CHECK(is_aligned(block, u64{1} << order) && holds(block, order));
    CHECK(state(block) == FrameState::inside());
    while (order < max_order) {
        FrameNumber const buddy = block ^ (u64{1} << order);
        bool const joins = holds(buddy, order) && state(buddy) == FrameState::free(order);
        if (!joins || mutant(Mutant::frames_merge)) {
            break;
        }
        unlink(buddy, order);
        block = std::min(block, buddy);
        ++order;
    }
    link(block, order);
}

void BuddyZone::put_range(FrameNumber begin, FrameNumber end) {
    for (Block const block : Blocks(begin, end)) {
        put(block.first, block.order);
    }
}

void BuddyZone::mark_allocated(FrameNumber begin, FrameNumber end) {
    using enum FrameState::Continues;
    for (Block const block : Blocks(begin, end)) {
        CHECK(state(block.first) == FrameState::inside());
        auto const part = block.first == begin ? FrameState::Part::first : FrameState::Part::later;
        set_state(
            block.first, FrameState::allocated(block.order, part, block.end() < end ? yes : no));
    }
}

void BuddyZone::unmark(FrameNumber begin, FrameNumber end) {
    for (Block const block : Blocks(begin, end)) {
        CHECK(state(block.first).is_allocated());
        set_state(block.first, FrameState::inside());
    }
}

FrameMisuse BuddyZone::check_allocated(FrameNumber begin, u64 pages) const {
    if (begin < m_first || begin >= m_end) {
        return FrameMisuse::foreign;
    }
    FrameState const start = state(begin);
    if (!start.is_allocated()) {
        if (start == FrameState::reserved()) {
            return FrameMisuse::reserved;
        }
        bool const free = start == FrameState::cached() || free_block_at(begin).has_value();
        return free ? FrameMisuse::double_free : FrameMisuse::inside_block;
    }
    if (start.is_later_part()) {
        return FrameMisuse::inside_block;
    }
    if (pages > m_end - begin) {
        return FrameMisuse::wrong_size;
    }
    FrameNumber const end = begin + pages;
    for (Block const block : Blocks(begin, end)) {
        FrameState const seen = state(block.first);
        bool const matches = seen.is_allocated() && seen.order() == block.order &&
                             seen.is_later_part() == (block.first != begin) &&
                             seen.continues() == (block.end() < end);
        if (!matches) {
            return FrameMisuse::wrong_size;
        }
    }
    return FrameMisuse::none;
}

void BuddyZone::add_statistics(FrameStatistics& total) const {
    total.frames += m_frames;
    total.free_frames += m_free_frames;
    for (unsigned order = 0; order < order_count; ++order) {
        total.free_blocks[order] += m_free[order].count();
    }
}

std::string_view BuddyZone::block_defect(FrameNumber frame, FrameState seen) const {
    unsigned const order = seen.order();
    if (order > max_order || !is_aligned(frame, u64{1} << order) || !holds(frame, order)) {
        return "a block is not aligned, or leaves its zone";
    }
    for (FrameNumber at = frame + 1; at < frame + (u64{1} << order); ++at) {
        if (state(at) != FrameState::inside()) {
            return "a frame inside a block has a state of its own";
        }
    }
    sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
    if (m_free[order].contains(block_index(frame, order)) != seen.is_free()) {
        return "bitmap and state of a block differ";
    }
    FrameNumber const buddy = frame ^ (u64{1} << order);
    if (seen.is_free() && order < max_order && holds(buddy, order) &&
        state(buddy) == FrameState::free(order)) {
        return "two free buddies are not joined";
    }
    FrameNumber const next = frame + (u64{1} << order);
    bool const goes_on = seen.is_allocated() && seen.continues();
    bool const joined = next < m_end && state(next).is_allocated() && state(next).is_later_part();
    return goes_on == joined ? "" : "an allocation of several blocks is not whole";
}

FrameDefect BuddyZone::validate() const {
    u64 free[order_count]{};
    u64 frames = 0;
    for (FrameNumber frame = m_first; frame < m_end;) {
        FrameState const seen = state(frame);
        bool const is_block = seen.is_free() || seen.is_allocated();
        if (!is_block && seen != FrameState::reserved() && seen != FrameState::cached()) {
            return {"a frame belongs to no block", address_of(frame)};
        }
        if (is_block) {
            std::string_view const problem = block_defect(frame, seen);
            if (!problem.empty()) {
                return {problem, address_of(frame)};
            }
            free[seen.order()] += seen.is_free() ? 1 : 0;
        }
        u64 const size = is_block ? u64{1} << seen.order() : 1;
        frames += seen == FrameState::reserved() ? 0 : size;
        frame += size;
    }
    u64 free_frames = 0;
    sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
    for (unsigned order = 0; order < order_count; ++order) {
        bool const offered = (m_orders >> order & 1) != 0;
        if (free[order] != m_free[order].count() || offered != (free[order] != 0)) {
            return {"a bitmap counts other blocks than there are", address_of(m_first)};
        }
        free_frames += free[order] << order;
    }
    if (frames != m_frames || free_frames != m_free_frames) {
        return {"the zone counts other frames than there are", address_of(m_first)};
    }
    return {};
}

} // namespace twofold::memory
