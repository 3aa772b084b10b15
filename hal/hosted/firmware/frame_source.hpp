// Where the firmware puts things: physical memory handed out upwards, page by page.
#pragma once

#include "hal/hosted/page_walk.hpp"
#include "hal/hosted/rounding.hpp"

#include <cstring>
#include <span>
#include <stdexcept>

namespace hosted::firmware {

/// What the firmware needs does not fit into the machine's memory.
struct OutOfFrames : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class FrameSource {
public:
    /// `is_zero`: what is handed out needs no clearing.
    FrameSource(PhysicalSpan memory, u64 first, bool is_zero)
        : m_memory(memory), m_next(first), m_is_zero(is_zero) {
        CHECK(is_aligned(first, page_size.value));
    }

    /// The physical address of `size` zeroed bytes, page-aligned. Throws OutOfFrames.
    u64 take(u64 size) {
        u64 const rounded = round_up(size, page_size.value);
        if (rounded < size || !m_memory.holds(m_next, rounded)) {
            throw OutOfFrames("the firmware's tables and modules do not fit into the memory");
        }
        u64 const at = m_next;
        m_next += rounded;
        if (!m_is_zero) {
            std::memset(m_memory.base + at, 0, rounded);
        }
        return at;
    }

    /// The same, holding a copy of `bytes`.
    u64 place(std::span<std::byte const> bytes) {
        u64 const at = take(bytes.size());
        if (!bytes.empty()) {
            std::memcpy(m_memory.base + at, bytes.data(), bytes.size());
        }
        return at;
    }

    u64 next() const { return m_next; }
    PhysicalSpan memory() const { return m_memory; }

private:
    PhysicalSpan m_memory;
    u64 m_next;
    bool m_is_zero;
};

} // namespace hosted::firmware
