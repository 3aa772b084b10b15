// The state of one frame, in one byte. Only the first frame of a block says what the block is; the
// frames inside hold `inside`, so neither allocating nor freeing a block costs more for its size.
//
//     0x00        inside a block (free or allocated), not its first frame
//     0x01        reserved: not this allocator's to hand out
//     0x02        in a magazine
//     0x20 | k    first frame of a free block of order k
//     0x80 | k    first frame of an allocated block of order k,
//          0x20   that goes on: the next block belongs to the same allocation
//          0x40   that is a part: an earlier block begins the allocation
#pragma once

#include "core/memory/frames/frame_allocator.hpp"

namespace twofold::memory {

class FrameState {
public:
    enum class Continues : u8 { no, yes };
    enum class Part : u8 { first, later };

    constexpr explicit FrameState(u8 byte) : m_byte(byte) {}

    static constexpr FrameState inside() { return FrameState(0); }
    static constexpr FrameState reserved() { return FrameState(1); }
    static constexpr FrameState cached() { return FrameState(2); }
    static constexpr FrameState free(unsigned order) {
        CHECK(order <= max_order);
        return FrameState(static_cast<u8>(free_bit | order));
    }
    static constexpr FrameState
    allocated(unsigned order, Part part = Part::first, Continues continues = Continues::no) {
        CHECK(order <= max_order);
        u8 const flags =
            (continues == Continues::yes ? goes_on : 0) | (part == Part::later ? later : 0);
        return FrameState(static_cast<u8>(allocated_bit | flags | order));
    }

    constexpr u8 byte() const { return m_byte; }
    constexpr bool operator==(FrameState const&) const = default;

    constexpr bool is_free() const { return (m_byte & (allocated_bit | free_bit)) == free_bit; }
    constexpr bool is_allocated() const { return (m_byte & allocated_bit) != 0; }
    /// Of the first frame of a block, free or allocated.
    constexpr unsigned order() const { return m_byte & order_mask; }
    /// Of an allocated block.
    constexpr bool continues() const { return (m_byte & goes_on) != 0; }
    constexpr bool is_later_part() const { return (m_byte & later) != 0; }

private:
    static constexpr u8 order_mask = 0x1f, free_bit = 0x20, goes_on = 0x20, later = 0x40,
                        allocated_bit = 0x80;
    static_assert(max_order <= order_mask);

    u8 m_byte;
};

} // namespace twofold::memory
