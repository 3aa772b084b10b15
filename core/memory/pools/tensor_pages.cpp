// The pages behind the blocks of a TensorPool, its figures, and the walker.
#include "core/memory/pools/tensor_pool.hpp"

#include <algorithm>

namespace twofold::memory {

namespace {

Bytes begin_of(TensorExtent const& extent) {
    return TensorPool::granule * extent.offset;
}
Bytes end_of(TensorExtent const& extent) {
    return TensorPool::granule * (extent.offset + extent.size);
}

} // namespace

/// Puts pages of 2 MiB at [first, end), where none are. Smaller ones, which the space falls back
/// to, are not what was promised.
Result<void> TensorPool::commit_run(Region& region, Bytes first, Bytes end) {
    TRY(region.window.commit(first, end - first));
    for (Bytes page = first; page < end; page += large_page) {
        if (!region.window.is_whole_at(page)) {
            region.window.decommit(first, end - first);
            return Error::out_of_memory;
        }
    }
    region.seen.committed += end - first;
    region.touched = std::max(region.touched, end);
    return {};
}

/// Sees to it that all pages of `extent` are there. On an error some may have come; they stay, as
/// if they had been used.
Result<void> TensorPool::commit(Region& region, TensorExtent const& extent) {
    Bytes const last = align_up(end_of(extent), large_page);
    Bytes page = align_down(begin_of(extent), large_page);
    while (page < last) {
        Bytes const first = page;
        while (page < last && !region.window.is_committed_at(page)) {
            page += large_page;
        }
        if (first < page) {
            TRY(commit_run(region, first, page));
        } else {
            page += large_page;
        }
    }
    return {};
}

Bytes TensorPool::trim(Region& region) {
    Bytes given{};
    region.index.for_each([&](TensorExtent const& extent) {
        Bytes const first = align_up(begin_of(extent), large_page);
        Bytes const end = std::min(align_down(end_of(extent), large_page), region.touched);
        Bytes there{};
        for (Bytes page = first; page < end; page += large_page) {
            there += region.window.is_committed_at(page) ? large_page : Bytes{};
        }
        if (there.value != 0) {
            region.window.decommit(first, end - first);
            given += there;
        }
    });
    region.seen.committed = region.seen.committed - given;
    return given;
}

Bytes TensorPool::trim() {
    Bytes given{};
    for (Region* const region : m_regions) {
        given += region == nullptr ? Bytes{} : trim(*region);
    }
    return given;
}

Bytes TensorPool::trim(TensorClass kind) {
    CHECK(static_cast<usize>(kind) < tensor_class_count);
    Region* const region = m_regions[static_cast<usize>(kind)];
    return region == nullptr ? Bytes{} : trim(*region);
}

TensorStatistics TensorPool::statistics(TensorClass kind) const {
    CHECK(static_cast<usize>(kind) < tensor_class_count);
    Region const* const region = m_regions[static_cast<usize>(kind)];
    if (region == nullptr) {
        return {};
    }
    TensorStatistics seen = region->seen;
    for (TensorExtent const* extent = region->first; extent != nullptr; extent = extent->after) {
        bool const is_free = extent->state == TensorExtent::State::free;
        ++seen.extents;
        seen.largest_free =
            std::max(seen.largest_free, is_free ? granule_bytes(extent->size) : Bytes{});
    }
    return seen;
}

PoolStatistics TensorPool::records() const {
    return m_extents == nullptr ? PoolStatistics{} : m_extents->statistics();
}

Result<void> TensorPool::verify(Region& region) {
    using State = TensorExtent::State;
    u64 offset = 0;
    u64 blocks = 0;
    u64 free = 0;
    Bytes used{};
    TensorExtent const* before = nullptr;
    for (TensorExtent* extent = region.first; extent != nullptr; extent = extent->after) {
        bool const is_free = extent->state == State::free;
        bool const sound = extent->offset == offset && extent->before == before &&
                           extent->size != 0 && extent->state != State::foreign &&
                           !(is_free && before != nullptr && before->state == State::free);
        if (!sound) {
            return Error::corrupted;
        }
        Bytes const last = is_free ? Bytes{} : end_of(*extent);
        for (Bytes page = align_down(begin_of(*extent), large_page); page < last;
             page += large_page) {
            if (!region.window.is_whole_at(page)) {
                return Error::corrupted;
            }
        }
        free += is_free ? 1 : 0;
        blocks += is_free ? 0 : 1;
        used += is_free ? Bytes{} : granule_bytes(extent->size);
        offset += extent->size;
        before = extent;
    }
    u64 listed = 0;
    bool sound = true;
    region.index.for_each([&](TensorExtent const& extent) {
        ++listed;
        sound = sound && extent.state == State::free;
    });
    Bytes committed{};
    for (Bytes page{}; page < region.touched; page += large_page) {
        committed += region.window.is_committed_at(page) ? large_page : Bytes{};
    }
    sound = sound && granule_bytes(offset) == region.seen.region && listed == free &&
            blocks == region.seen.blocks && used == region.seen.used &&
            committed == region.seen.committed;
    return sound ? Result<void>() : Result<void>(Error::corrupted);
}

Result<void> TensorPool::verify() {
    if (m_extents == nullptr) {
        return {};
    }
    TRY(m_extents->verify());
    for (Region* const region : m_regions) {
        if (region != nullptr) {
            TRY(verify(*region));
        }
    }
    return {};
}

} // namespace twofold::memory
