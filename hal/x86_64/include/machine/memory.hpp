// The metal machine: physical memory lies in the linear window at a constant offset.
#pragma once

#include "hal/layout.hpp"
#include "isa/bulk_bytes.hpp"
#include "isa/page_bytes.hpp"

namespace hal {

struct Memory {
    static std::byte* linear(PhysAddr address) {
        CHECK(address.value < Layout::linear.size.value);
        // Sound: the first tables map all RAM here (stub/tables.cpp).
        return reinterpret_cast<std::byte*>(Layout::linear.base.value + address.value);
    }
    static PhysAddr physical(void const* pointer) {
        VirtAddr const address{reinterpret_cast<u64>(pointer)};
        CHECK(Layout::linear.contains(address));
        return {address.value - Layout::linear.base.value};
    }

    // Stores are seen in order and so are loads on this architecture, except write-combining and
    // non-temporal ones, which the fences order too.
    static void device_write_barrier() { asm volatile("sfence" : : : "memory"); }
    static void device_read_barrier() { asm volatile("lfence" : : : "memory"); }

    static void zero_pages(void* target, Bytes size) {
        if (size >= isa::stream_size) {
            fill_bulk(target, 0, size);
        } else {
            isa::zero_pages(target, size);
        }
    }
    static void copy_pages(void* target, void const* source, Bytes size) {
        isa::copy_pages(target, source, size);
    }
    static void copy_bulk(void* target, void const* source, Bytes size) {
        isa::copy_bulk(target, source, size);
    }
    static void fill_bulk(void* target, u64 word, Bytes size) {
        isa::fill_bulk(target, word, size, has_clzero());
    }

private:
    static bool has_clzero() {
        u32 has;
        asm("movl %%gs:20, %0" : "=r"(has)); // CpuBlock::has_clzero
        return has != 0;
    }
};

} // namespace hal
