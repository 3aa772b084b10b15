// The hosted machine's physical memory, as the kernel sees it through the linear window.
#pragma once

#include "hal/hosted/cpu_block.hpp"

#include <isa/bulk_bytes.hpp>
#include <isa/page_bytes.hpp>

namespace hal {

using namespace twofold;

struct Memory {
    static std::byte* linear(PhysAddr address) {
        // Sound: the window is reserved for this machine; the MMU checks every access to it.
        return reinterpret_cast<std::byte*>(hosted::cpu_block().linear_base + address.value);
    }
    static PhysAddr physical(void const* pointer) {
        return {reinterpret_cast<u64>(pointer) - hosted::cpu_block().linear_base};
    }
    // Device models run on the thread that does the access: program order is what they see.
    static void device_write_barrier() { asm volatile("" ::: "memory"); }
    static void device_read_barrier() { asm volatile("" ::: "memory"); }

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
        isa::fill_bulk(target, word, size, hosted::cpu_block().has_clzero);
    }
};

} // namespace hal
