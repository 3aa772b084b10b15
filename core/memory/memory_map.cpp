// Normalising the memory map: cut the address line at every boundary that occurs, and give each
// piece the strictest kind of all ranges over it.
#include "core/memory/memory_map.hpp"

#include <algorithm>

namespace twofold::memory {

namespace {

using hal::MemoryKind;

/// Kinds by how little they allow; a higher number wins an overlap.
constexpr unsigned strictness(MemoryKind kind) {
    switch (kind) {
    case MemoryKind::usable:
        return 0;
    case MemoryKind::acpi_reclaimable:
        return 1;
    case MemoryKind::acpi_nvs:
        return 2;
    case MemoryKind::module:
        return 3;
    case MemoryKind::boot:
        return 4;
    case MemoryKind::reserved:
        return 5;
    case MemoryKind::bad:
        return 6;
    }
    return 5; // a kind that firmware invents is not ours to touch
}

/// A range in whole pages, [start, end).
struct Span {
    u64 start, end;
    MemoryKind kind;
};

Span whole_pages(hal::MemoryRange const& range) {
    constexpr u64 page = page_size.value;
    u64 const start = std::min(range.base.value, MemoryMap::address_end);
    u64 const size = std::min(range.size.value, MemoryMap::address_end - start);
    bool const shrink = range.kind == MemoryKind::usable;
    u64 const first = shrink ? align_up(start, page) : align_down(start, page);
    u64 const last = shrink ? align_down(start + size, page) : align_up(start + size, page);
    bool const empty = size == 0 || last <= first;
    return {first, empty ? first : last, range.kind};
}

} // namespace

std::string_view kind_name(MemoryKind kind) {
    constexpr std::string_view names[hal::memory_kind_count] = {
        "usable", "reserved", "ACPI reclaimable", "ACPI NVS", "bad", "boot", "module"};
    auto const index = static_cast<usize>(kind);
    return index < hal::memory_kind_count ? names[index] : "unknown";
}

Result<MemoryMap> MemoryMap::create(std::span<hal::MemoryRange const> reported) {
    FixedVector<Span, ranges_max> spans;
    FixedVector<u64, 2 * ranges_max> boundaries;
    for (hal::MemoryRange const& range : reported) {
        Span const span = whole_pages(range);
        if (span.start != span.end) {
            TRY(spans.push_back(span));
            TRY(boundaries.push_back(span.start));
            TRY(boundaries.push_back(span.end));
        }
    }
    std::sort(boundaries.begin(), boundaries.end());
    MemoryMap map;
    for (usize i = 0; i + 1 < boundaries.size(); ++i) {
        u64 const start = boundaries[i];
        u64 const end = boundaries[i + 1];
        Span const* winner = nullptr;
        for (Span const& span : spans) {
            bool const covers = span.start <= start && end <= span.end;
            bool const wins = winner == nullptr || strictness(span.kind) > strictness(winner->kind);
            if (start < end && covers && wins) {
                winner = mutant(Mutant::memory_map_overlap) && winner != nullptr ? winner : &span;
            }
        }
        if (winner != nullptr) {
            TRY(map.append(start, end, winner->kind));
        }
    }
    return map;
}

Result<void> MemoryMap::append(u64 start, u64 end, MemoryKind kind) {
    CHECK(start < end && end <= address_end);
    CHECK(is_aligned(start, page_size.value) && is_aligned(end, page_size.value));
    if (!m_ranges.empty()) {
        hal::MemoryRange& last = m_ranges.back();
        u64 const last_end = last.base.value + last.size.value;
        CHECK(last_end <= start);
        if (last_end == start && last.kind == kind) {
            last.size += Bytes{end - start};
            return {};
        }
    }
    return m_ranges.push_back({PhysAddr{start}, Bytes{end - start}, kind});
}

} // namespace twofold::memory
