// Filling and copying whole pages with general registers alone: page faults do it, and kernel code
// has no vector registers. The string instructions move whole cache lines on processors of the last
// ten years; in words of eight bytes, so that an emulator that counts instructions counts an
// eighth. bench/memory/spaces.cpp holds them against unrolled loops.
//
// Source: Intel 64 and IA-32 Architectures Optimization Reference Manual, section 3.7.6.
#pragma once

#include "core/base/base.hpp"

namespace isa {

using namespace twofold;

/// Fills `size` bytes at `target`, whole pages, with zeros. O(size).
inline void zero_pages(void* target, Bytes size) {
    CHECK(is_aligned(size.value, page_size.value));
    u64 words = size.value / sizeof(u64);
    asm volatile("rep stosq" : "+D"(target), "+c"(words) : "a"(u64{0}) : "memory");
}

/// Copies `size` bytes, whole pages, from `source` to `target`, which do not overlap. O(size).
inline void copy_pages(void* target, void const* source, Bytes size) {
    CHECK(is_aligned(size.value, page_size.value));
    u64 words = size.value / sizeof(u64);
    asm volatile("rep movsq" : "+D"(target), "+S"(source), "+c"(words) : : "memory");
}

} // namespace isa
