// Physical memory through the linear window, and the barriers that order it against devices.
#pragma once

#include "core/base/base.hpp"

#include <concepts>

#include <machine/memory.hpp>

namespace hal {

using namespace twofold;

template<class M>
concept MemoryContract =
    requires(PhysAddr address, void const* pointer, void* target, Bytes size, u64 word) {
        /// Where the kernel sees physical `address`: inside the linear window. Valid for RAM that
        /// the memory map reports, except the kernel image (kind `boot`), which may be left out.
        /// O(1).
        { M::linear(address) } -> std::same_as<std::byte*>;
        /// The inverse, for pointers into the linear window only. O(1).
        { M::physical(pointer) } -> std::same_as<PhysAddr>;
        /// Orders earlier writes before later writes, and earlier reads before later reads, as a
        /// device sees them.
        { M::device_write_barrier() } -> std::same_as<void>;
        { M::device_read_barrier() } -> std::same_as<void>;
        /// Fills `size` bytes at `target` with zeros, or with those at `pointer`, which lie
        /// elsewhere; whole pages, page-aligned. The quickest way with general registers alone. Any
        /// context; both may be memory whose first touch faults. O(size).
        { M::zero_pages(target, size) } -> std::same_as<void>;
        { M::copy_pages(target, pointer, size) } -> std::same_as<void>;
        /// The same for any number of bytes, at any address, or for words, whose size is a multiple
        /// of theirs. Data larger than the caches is written past them. O(size).
        { M::copy_bulk(target, pointer, size) } -> std::same_as<void>;
        { M::fill_bulk(target, word, size) } -> std::same_as<void>;
    };
static_assert(MemoryContract<Memory>, "the machine's Memory does not keep the contract");

} // namespace hal
