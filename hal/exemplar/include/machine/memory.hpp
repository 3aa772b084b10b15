// The exemplar machine: the contract as bare declarations. Compiled, never linked.
#pragma once

#include "core/base/base.hpp"

namespace hal {

using namespace twofold;

struct Memory {
    static std::byte* linear(PhysAddr address);
    static PhysAddr physical(void const* pointer);
    static void device_write_barrier();
    static void device_read_barrier();
    static void zero_pages(void* target, Bytes size);
    static void copy_pages(void* target, void const* source, Bytes size);
    static void copy_bulk(void* target, void const* source, Bytes size);
    static void fill_bulk(void* target, u64 word, Bytes size);
};

} // namespace hal
