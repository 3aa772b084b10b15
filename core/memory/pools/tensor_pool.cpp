// Blocks: how they are found, cut, joined and given back. Shares: tensor_bytes.cpp; pages and the
// walker: tensor_pages.cpp.
#include "core/memory/pools/tensor_pool.hpp"

#include <algorithm>

namespace twofold::memory {

namespace {

/// Every way of running out is one error to whoever asks for a block.
template<class T>
Result<T> running_out(Result<T> outcome) {
    return outcome || outcome.error() != Error::no_space ? std::move(outcome)
                                                         : Result<T>(Error::out_of_memory);
}

bool is_sensible(TensorRequest const& request) {
    return request.size.value != 0 && static_cast<usize>(request.kind) < tensor_class_count &&
           is_power_of_two(request.alignment.value) && request.alignment <= TensorPool::large_page;
}

} // namespace

std::string_view tensor_class_name(TensorClass which) {
    constexpr std::string_view names[tensor_class_count] = {
        "weights", "activations", "key_value", "scratch"};
    auto const index = static_cast<usize>(which);
    return index < tensor_class_count ? names[index] : "unknown";
}

Result<TensorPool> TensorPool::create(KernelSpace& space, Bytes region) {
    if (region.value == 0 || region > region_max) {
        return Error::invalid_argument;
    }
    return TensorPool(space, align_up(region, large_page));
}

Bytes TensorPool::default_region() {
    Bytes const share = {hal::Layout::current().views.size.value / 8};
    return std::min(align_down(share, large_page), region_max);
}

TensorPool::TensorPool(TensorPool&& other)
    : m_space(std::exchange(other.m_space, nullptr)), m_region_size(other.m_region_size) {
    CHECK(other.m_extents == nullptr);
}

TensorPool::~TensorPool() {
    CHECK(m_foreign == 0);
    for (Region* const region : m_regions) {
        if (region != nullptr) {
            CHECK(region->seen.blocks == 0);
            while (TensorExtent* const extent = region->first) {
                region->first = extent->after;
                forget(*extent);
            }
            m_region_records->destroy(region).value();
        }
    }
    if (m_region_records != nullptr) {
        Regions::close(*m_region_records).value();
    }
    if (m_extents != nullptr) {
        Extents::close(*m_extents).value();
    }
}

/// Opens the pools of records, once.
Result<void> TensorPool::open_records() {
    if (m_extents == nullptr) {
        if (!m_extent_window) {
            m_extent_window.emplace(TRY(PoolWindow::create(
                *m_space, {.size = Extents::range_for(extents_max), .name = "tensor records"})));
        }
        m_extents = TRY(Extents::create(*m_extent_window, extents_max));
    }
    if (m_region_records == nullptr) {
        if (!m_region_window) {
            m_region_window.emplace(TRY(PoolWindow::create(
                *m_space,
                {.size = Regions::range_for(tensor_class_count), .name = "tensor regions"})));
        }
        m_region_records = TRY(Regions::create(*m_region_window, tensor_class_count));
    }
    return {};
}

Result<TensorPool::Region*> TensorPool::region_of(TensorClass kind) {
    TRY(open_records());
    Region*& place = m_regions[static_cast<usize>(kind)];
    if (place != nullptr) {
        return place;
    }
    TensorExtent* const whole = TRY(m_extents->make());
    auto window = PoolWindow::create(
        *m_space, {.size = m_region_size, .level = 1, .name = tensor_class_name(kind)});
    auto const region = window ? m_region_records->make(std::move(window).value())
                               : Result<Region*>(window.error());
    if (!region) {
        forget(*whole);
        return region.error();
    }
    whole->size = m_region_size / granule;
    whole->kind = kind;
    region.value()->first = whole;
    region.value()->seen.region = m_region_size;
    region.value()->index.insert(*whole);
    place = region.value();
    return place;
}

void TensorPool::forget(TensorExtent& extent) {
    Result<void> const ended = m_extents->destroy(&extent);
    CHECK(ended.has_value());
}

/// Cuts `extent` behind `front` granules; returns the part behind. Both are in no list.
Result<TensorExtent*> TensorPool::divide(TensorExtent& extent, u64 front) {
    CHECK(front > 0 && front < extent.size);
    TensorExtent* const behind = TRY(m_extents->make());
    behind->offset = extent.offset + front;
    behind->size = extent.size - front;
    behind->kind = extent.kind;
    behind->before = &extent;
    behind->after = extent.after;
    if (behind->after != nullptr) {
        behind->after->before = behind;
    }
    extent.after = behind;
    extent.size = front;
    return behind;
}

/// An extent of exactly `granules` at a multiple of `alignment` granules, in no list any more.
Result<TensorExtent*> TensorPool::take_extent(Region& region, u64 granules, u64 alignment) {
    TensorExtent* extent = region.index.find(granules + (alignment - 1));
    if (extent == nullptr) {
        return Error::out_of_memory;
    }
    region.index.remove(*extent);
    u64 const front = align_up(extent->offset, alignment) - extent->offset;
    if (front != 0) {
        auto const behind = divide(*extent, front);
        region.index.insert(*extent);
        extent = TRY(behind);
    }
    if (extent->size > granules) {
        auto const rest = divide(*extent, granules);
        if (!rest) {
            free_extent(region, *extent);
            return rest.error();
        }
        region.index.insert(*rest.value());
    }
    extent->state = TensorExtent::State::used;
    return extent;
}

/// Takes the extent behind `first` into it. Neither is in a list.
void TensorPool::absorb(TensorExtent& first) {
    TensorExtent& second = *first.after;
    first.size += second.size;
    first.after = second.after;
    if (first.after != nullptr) {
        first.after->before = &first;
    }
    forget(second);
}

/// Joins an extent that is in no list with free neighbours, and lists it.
void TensorPool::free_extent(Region& region, TensorExtent& extent) {
    constexpr auto free = TensorExtent::State::free;
    extent.state = free;
    TensorExtent* whole = &extent;
    TensorExtent* const after = whole->after;
    if (after != nullptr && after->state == free && !mutant(Mutant::pools_join)) {
        region.index.remove(*after);
        absorb(*whole);
    }
    TensorExtent* const before = whole->before;
    if (before != nullptr && before->state == free) {
        region.index.remove(*before);
        absorb(*before);
        whole = before;
    }
    region.index.insert(*whole);
}

Result<TensorExtent*> TensorPool::try_allocate(TensorRequest const& request) {
    Region& region = *TRY(running_out(region_of(request.kind)));
    if (request.size > m_region_size) {
        return Error::out_of_memory;
    }
    u64 const granules = align_up(request.size, granule) / granule;
    u64 const alignment = std::max(request.alignment, granule) / granule;
    TensorExtent* const extent = TRY(running_out(take_extent(region, granules, alignment)));
    if (Result<void> const there = commit(region, *extent); !there) {
        free_extent(region, *extent);
        return there.error();
    }
    return extent;
}

Result<TensorBytes> TensorPool::allocate(TensorRequest const& request) {
    if (!is_sensible(request)) {
        return Error::invalid_argument;
    }
    auto extent = try_allocate(request);
    if (!extent && trim().value != 0) {
        extent = try_allocate(request); // with the pages that rested here and in other classes
    }
    Region* const region = m_regions[static_cast<usize>(request.kind)];
    if (!extent) {
        if (region != nullptr) {
            ++region->seen.failures;
            trim(*region);
        }
        return extent.error();
    }
    TensorExtent& made = *extent.value();
    TensorStatistics& seen = region->seen;
    ++seen.blocks;
    ++seen.allocations;
    seen.used += granule_bytes(made.size);
    seen.used_max = std::max(seen.used_max, seen.used);
    std::span<std::byte> const all(region->window.range().base, m_region_size.value);
    TensorBytes share =
        hand_out(made, all.subspan(granule_bytes(made.offset).value, request.size.value));
    if (request.zeroed) {
        share.fill(0);
    }
    return share;
}

TensorBytes TensorPool::hand_out(TensorExtent& extent, std::span<std::byte> bytes) {
    extent.bytes = bytes;
    extent.serial = ++m_serial;
    extent.shares.store(1, relaxed);
    return TensorBytes(*this, extent, bytes);
}

Result<void> TensorPool::prefault(TensorClass kind, Bytes size) {
    TensorBytes const block = TRY(allocate({.kind = kind, .size = size}));
    return {}; // its pages stay when it goes
}

Result<TensorBytes> TensorPool::adopt(std::span<std::byte> memory) {
    if (memory.empty()) {
        return Error::invalid_argument;
    }
    TRY(running_out(open_records()));
    TensorExtent* const extent = TRY(running_out(m_extents->make()));
    extent->state = TensorExtent::State::foreign;
    extent->size = memory.size();
    ++m_foreign;
    return hand_out(*extent, memory);
}

Result<TensorBytes> TensorPool::open(TensorHandle handle) {
    if (m_extents == nullptr) {
        return Error::out_of_range;
    }
    TensorExtent& extent = *TRY(m_extents->find(handle.record));
    if (extent.state == TensorExtent::State::free || extent.serial != handle.serial) {
        return Error::invalid_state;
    }
    extent.shares.fetch_add(1, relaxed);
    return TensorBytes(*this, extent, extent.bytes);
}

/// The last share has gone.
void TensorPool::give_back(TensorExtent& extent) {
    if (extent.state == TensorExtent::State::foreign) {
        --m_foreign;
        forget(extent);
        return;
    }
    Region& region = *m_regions[static_cast<usize>(extent.kind)];
    --region.seen.blocks;
    region.seen.used = region.seen.used - granule_bytes(extent.size);
    free_extent(region, extent);
}

} // namespace twofold::memory
