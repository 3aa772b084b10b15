// Pages of pinned ranges: they come and go when their owner says so.
#include "core/memory/space/address_space.hpp"
#include "core/sync/sync.hpp"

#include <algorithm>

namespace twofold::memory {

namespace {

/// Small pages that are made before the lock is taken once.
constexpr usize commits_at_once = 8;

} // namespace

Range* AddressSpace::pinned_range(VirtAddr base, Bytes size) const {
    Range* const range = m_ranges.find(base);
    bool const holds = range != nullptr && range->kind == RangeKind::pinned &&
                       size.value <= (range->end() - base).value;
    return holds ? range : nullptr;
}

/// The level of the page to be committed at `base`.
Result<unsigned> AddressSpace::commit_level(VirtAddr base, Bytes size) {
    Range const* const range = pinned_range(base, size);
    if (range == nullptr) {
        return Error::not_found;
    }
    unsigned level = std::min(range->level_max, hal::Mmu::highest_leaf_level());
    while (level > 0 && (!is_aligned(base, Table::span(level)) || size < Table::span(level) ||
                         !m_table.is_free(base, level))) {
        --level;
    }
    return level;
}

/// Maps blocks, all of `level`, side by side from `base` on. Each that is mapped becomes frame 0 in
/// `blocks`, and `done` grows by its size.
Result<void> AddressSpace::commit_pages(
    VirtAddr base, std::span<PhysAddr> blocks, unsigned level, Work& work, Bytes& done) {
    Bytes const span = Table::span(level);
    Bytes const size = span * blocks.size();
    return attempt(work, [&]() -> Result<void> {
        m_lock.assert_held();
        for (usize i = 0; i < blocks.size(); ++i) {
            if (blocks[i] == PhysAddr{}) {
                continue; // the stock was short: this one is there already
            }
            VirtAddr const page = base + span * i;
            Range const* const range = pinned_range(page, size - span * i);
            if (range == nullptr) {
                return Error::not_found; // another processor has taken it away
            }
            Leaf const leaf = make_leaf(*range, blocks[i], range->access);
            TRY(m_table.map(page, leaf, level, work.stock));
            blocks[i] = {};
            done += span;
            m_statistics.large_pages += level > 0 ? 1 : 0;
        }
        return {};
    });
}

/// Commits the next page, large where it may be, or the next few small ones.
Result<void> AddressSpace::commit_next(VirtAddr base, Bytes size, Work& work, Bytes& done) {
    unsigned level = TRY(attempt(work, [&]() -> Result<unsigned> {
        m_lock.assert_held();
        return commit_level(base, size);
    }));
    PhysAddr blocks[commits_at_once]{};
    usize count = 0;
    Result<void> outcome{};
    while (true) {
        // As far as a larger page might come next.
        Bytes const span = Table::span(level);
        Bytes const reach = std::min(size, align_up(base + span, Table::span(level + 1)) - base);
        usize const most = level > 0 ? 1 : std::min(commits_at_once, usize{reach / span});
        while (count < most) {
            auto const block = m_frames->allocate_zeroed(Table::order(level));
            if (!block) {
                outcome = block.error();
                break;
            }
            blocks[count++] = block.value();
        }
        if (count != 0 || level == 0) {
            break;
        }
        --level; // many small frames may be left where no large one is
    }
    if (count != 0) {
        outcome = commit_pages(base, std::span(blocks).first(count), level, work, done);
    }
    for (PhysAddr const block : blocks) {
        if (block != PhysAddr{}) {
            m_frames->release(block, Table::order(level));
        }
    }
    return outcome;
}

Result<void> AddressSpace::commit(VirtAddr base, Bytes size) {
    TRY(check_bounds(base, size));
    Work work(*m_frames);
    TRY(attempt(work, [&]() -> Result<void> {
        m_lock.assert_held();
        return pinned_range(base, size) != nullptr ? Result<void>{} : Error::not_found;
    }));
    for (Bytes done{}; done < size;) {
        if (Result<void> const next = commit_next(base + done, size - done, work, done); !next) {
            if (done.value != 0 && !mutant(Mutant::spaces_commit_lost)) {
                decommit_pages(base, done, work, {}).value(); // whole pages: nothing to cut
            }
            return next;
        }
    }
    return {};
}

/// Divides the large page that crosses `boundary`, if one does. Without a frame for the table one
/// of its own serves, the one at `inside`, which nobody will miss; it is returned.
Result<PhysAddr> AddressSpace::split_pinned(VirtAddr boundary, VirtAddr inside, Work& work) {
    Result<void> const split = attempt(work, [&]() -> Result<void> {
        m_lock.assert_held();
        return m_table.split_at(boundary, work.batch, work.stock);
    });
    if (split) {
        return PhysAddr{};
    }
    while (true) {
        std::optional<FrameStock::Content> content;
        PhysAddr const borrowed = TRY(attempt(work, [&]() -> Result<PhysAddr> {
            m_lock.assert_held();
            content = m_table.division_at(boundary);
            auto const found = m_table.translate(inside);
            if (!content || !found) {
                return PhysAddr{};
            }
            bool const is_free = content->level == 1 && !m_frames->is_shared(found->address, 0);
            return is_free ? Result<PhysAddr>(found->address)
                           : Result<PhysAddr>(Error::out_of_memory);
        }));
        if (borrowed == PhysAddr{}) {
            return borrowed; // nothing crosses any more
        }
        Table::fill_table(borrowed, *content);
        bool const linked = TRY(attempt(work, [&]() -> Result<bool> {
            m_lock.assert_held();
            bool const same = m_table.division_at(boundary) == content;
            if (same) {
                m_table.split_with(boundary, borrowed, work.batch);
            }
            return same;
        }));
        if (linked) {
            return borrowed;
        }
    }
}

/// Takes pages of a pinned range away, but for frames that are `kept`.
Result<void> AddressSpace::decommit_pages(
    VirtAddr base, Bytes size, Work& work, std::span<PhysAddr const> kept) {
    return sweep(work, base, size, [&](VirtAddr at, Bytes left) -> Result<Bytes> {
        m_lock.assert_held();
        Range const* const range = pinned_range(at, left);
        return range != nullptr ? unmap_pages(*range, at, left, work, kept)
                                : Result<Bytes>(left); // another processor has taken it away
    });
}

Result<void> AddressSpace::decommit(VirtAddr base, Bytes size) {
    TRY(check_bounds(base, size));
    Work work(*m_frames);
    TRY(attempt(work, [&]() -> Result<void> {
        m_lock.assert_held();
        return pinned_range(base, size) != nullptr ? Result<void>{} : Error::not_found;
    }));
    PhysAddr const first = TRY(split_pinned(base, base, work));
    PhysAddr const last = TRY(split_pinned(base + size, base + (size - page_size), work));
    PhysAddr const borrowed[] = {first, last};
    return decommit_pages(base, size, work, borrowed);
}

} // namespace twofold::memory
