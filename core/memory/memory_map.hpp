// The physical memory map, made fit for use: what firmware reports may be unsorted, unaligned,
// overlapping and contradictory; what the kernel works with is ascending, disjoint and made of
// whole pages.
//
// Where ranges overlap, the kind that allows less wins:
//     usable < acpi_reclaimable < acpi_nvs < module < boot < reserved < bad
// so that a page is free only if everything that is said of it says so. A partial page of usable
// memory is dropped, a partial page of anything else counts whole. Pure.
#pragma once

#include "core/base/base.hpp"
#include "hal/boot.hpp"

#include <span>
#include <string_view>

namespace twofold::memory {

/// The stable name of a kind of memory. O(1); any context.
std::string_view kind_name(hal::MemoryKind kind);

class MemoryMap {
public:
    static constexpr usize ranges_max = 128;
    /// Physical addresses have 52 bits at most (SDM volume 3A, section 4.1.4); what is beyond is
    /// cut.
    static constexpr u64 address_end = u64{1} << 52;

    /// Normalises what the machine reports. Errors: no_space, with more than ranges_max ranges in
    /// the report or in the result. O(n^2) for n ranges.
    static Result<MemoryMap> create(std::span<hal::MemoryRange const> reported);

    /// Ascending, disjoint, page-aligned, not empty; neighbours of one kind are merged.
    std::span<hal::MemoryRange const> ranges() const { return m_ranges.items(); }

private:
    using Ranges = FixedVector<hal::MemoryRange, ranges_max>;

    Result<void> append(u64 start, u64 end, hal::MemoryKind kind);

    Ranges m_ranges;
};

} // namespace twofold::memory
