// Where a heap's memory comes from: one contiguous range of addresses, reserved as a whole, whose
// pages become accessible and go back one run at a time. The kernel puts frames behind the pages of
// the heap window; a host process uses private anonymous memory; a test an array of pages.
#pragma once

#include "core/base/base.hpp"

#include <concepts>

namespace twofold::memory {

/// The addresses [base, base + size) that a backing reserved.
struct HeapRange {
    std::byte* base = nullptr;
    Bytes size{};
};

/// What a heap needs below it. Offsets are from the range's base; offsets and sizes are multiples
/// of a page, and size is not 0. The heap calls with its lock held, so never concurrently.
template<class B>
concept HeapBacking = requires(B backing, B const& constant, Bytes offset, Bytes size) {
    /// The range; aligned to a page and constant while the heap lives.
    { constant.range() } -> std::same_as<HeapRange>;
    /// Makes pages accessible that are not; their content is zero. On an error, none of them is.
    { backing.commit(offset, size) } -> std::same_as<Result<void>>;
    /// Takes pages back that were committed; their content is lost. Cannot fail.
    { backing.decommit(offset, size) } -> std::same_as<void>;
};

} // namespace twofold::memory
