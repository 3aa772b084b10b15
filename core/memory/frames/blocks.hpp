// Naturally aligned blocks of frames, and how a range is cut into the fewest of them. Pure.
#pragma once

#include "core/memory/frames/frame_allocator.hpp"

#include <algorithm>

namespace twofold::memory {

/// A block by itself.
struct Block {
    FrameNumber first;
    unsigned order;

    constexpr FrameNumber end() const { return first + (u64{1} << order); }
};

/// The fewest naturally aligned blocks that make up [begin, end), ascending, for a range-based
/// loop: O(orders) of them, and one for each GiB.
class Blocks {
public:
    constexpr Blocks(FrameNumber begin, FrameNumber end) : m_begin(begin), m_end(end) {}

    class Iterator {
    public:
        constexpr Iterator(FrameNumber at, FrameNumber end) : m_at(at), m_end(end) {}
        constexpr Block operator*() const {
            CHECK(m_at < m_end);
            auto const aligned = static_cast<unsigned>(std::countr_zero(m_at));
            auto const fits = static_cast<unsigned>(std::bit_width(m_end - m_at)) - 1;
            return {m_at, std::min({aligned, fits, max_order})};
        }
        constexpr Iterator& operator++() {
            m_at = (**this).end();
            return *this;
        }
        constexpr bool operator!=(Iterator const& other) const { return m_at < other.m_at; }

    private:
        FrameNumber m_at;
        FrameNumber m_end;
    };
    constexpr Iterator begin() const { return {m_begin, m_end}; }
    constexpr Iterator end() const { return {m_end, m_end}; }

private:
    FrameNumber m_begin;
    FrameNumber m_end;
};

} // namespace twofold::memory
