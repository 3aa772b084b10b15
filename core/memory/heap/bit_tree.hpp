// A bitmap with summaries: level 0 holds the bits, and a bit of level k + 1 says that a word of
// level k is not zero. Setting, clearing and finding the nearest set bit on either side take one
// word a level, so at most six for 2^32 bits. The heap keeps the granules that are taken in one
// (holes are the runs of zeros, so neighbours coalesce by themselves) and idle pages in another.
//
// Source: the idea of P. van Emde Boas' stratified trees (Mathematical Systems Theory 10, 1977)
// with fan-out 64 and no recursion, as used for the free-page bitmaps of several kernels.
#pragma once

#include "core/base/base.hpp"
#include "core/memory/heap/raw.hpp"

#include <array>

namespace twofold::memory::heap {

/// Not thread-safe. The memory of a level is the caller's: zero-filled, and committed for every
/// word whose bits are touched or lie between a touched bit and bit 0.
class BitTree {
public:
    static constexpr unsigned levels_max = 6;
    static constexpr u64 none = ~u64{0};

    /// How many words level `level` has for `bits` bits.
    static constexpr u64 level_words(u64 bits, unsigned level) {
        u64 words = bits;
        for (unsigned i = 0; i <= level; ++i) {
            words = (words + 63) / 64;
        }
        return words;
    }
    static constexpr unsigned level_count(u64 bits) {
        unsigned levels = 1;
        while (level_words(bits, levels - 1) > 1) {
            ++levels;
        }
        return levels;
    }

    void set_level(unsigned level, std::span<u64> words) {
        CHECK(level < levels_max);
        m_levels[level] = words;
        m_count = level + 1 > m_count ? level + 1 : m_count;
    }

    bool test(u64 bit) const { return (m_levels[0][bit / 64] >> (bit % 64) & 1) != 0; }
    /// The 64 bits from 64 * index on.
    u64 word(u64 index) const { return m_levels[0][index]; }

    /// Sets the bits [first, first + count), which are all clear.
    void set(u64 first, u64 count) {
        for_each_word(first, count, [this](u64 index, u64 mask) {
            u64& target = m_levels[0][index];
            CHECK((target & mask) == 0);
            bool const was_empty = target == 0;
            target |= mask;
            if (was_empty) {
                summarise_set(index);
            }
        });
    }

    /// Clears the bits [first, first + count), which are all set.
    [[gnu::always_inline]] void clear(u64 first, u64 count) {
        u64 const shift = first % 64;
        if (shift + count <= 64 && count != 0) [[likely]] {
            u64 const mask = ~u64{0} >> (64 - count) << shift;
            u64& target = m_levels[0][first / 64];
            CHECK((target & mask) == mask);
            if (target != mask) [[likely]] {
                target &= ~mask;
                return;
            }
        }
        clear_all(first, count);
    }

    /// The lowest set bit at or after `from`; `none` if there is none.
    u64 next_set(u64 from) const {
        u64 bit = from;
        for (unsigned level = 0; level < m_count; ++level) {
            u64 const index = bit / 64;
            u64 const rest =
                index < m_levels[level].size() ? m_levels[level][index] >> (bit % 64) : 0;
            if (rest != 0) {
                return descend_low(level, bit + static_cast<u64>(std::countr_zero(rest)));
            }
            bit = index + 1; // the next word, as a bit of the level above
            if (bit % 64 == 0 && level + 1 < m_count && bit / 64 >= m_levels[level + 1].size()) {
                return none;
            }
        }
        return none;
    }

    /// The highest set bit before `end`; `none` if there is none.
    u64 previous_set(u64 end) const {
        u64 bit = end;
        for (unsigned level = 0; level < m_count && bit != 0; ++level) {
            u64 const last = bit - 1;
            u64 const rest = m_levels[level][last / 64] << (63 - last % 64);
            if (rest != 0) {
                return descend_high(level, last - static_cast<u64>(std::countl_zero(rest)));
            }
            bit = last / 64;
        }
        return none;
    }

    /// Whether every summary bit says what it must, for the words of level 0 below `words`.
    bool is_consistent(u64 words) const {
        for (unsigned level = 0; level + 1 < m_count; ++level) {
            for (u64 index = 0; index < words; ++index) {
                bool const said = (m_levels[level + 1][index / 64] >> (index % 64) & 1) != 0;
                if (said != (m_levels[level][index] != 0)) {
                    return false;
                }
            }
            words = (words + 63) / 64;
        }
        return true;
    }

private:
    [[gnu::noinline]] void clear_all(u64 first, u64 count) {
        for_each_word(first, count, [this](u64 index, u64 mask) {
            u64& target = m_levels[0][index];
            CHECK((target & mask) == mask);
            u64 const left = target & ~mask;
            target = left;
            if (left == 0) {
                summarise_clear(index);
            }
        });
    }
    template<class Visitor>
    [[gnu::always_inline]] static void for_each_word(u64 first, u64 count, Visitor const& visit) {
        CHECK(count > 0);
        if (u64 const shift = first % 64; shift + count <= 64) [[likely]] {
            visit(first / 64, ~u64{0} >> (64 - count) << shift);
            return;
        }
        u64 const last = first + count - 1;
        u64 mask = ~u64{0} << (first % 64);
        for (u64 index = first / 64; index < last / 64; ++index) {
            visit(index, mask);
            mask = ~u64{0};
        }
        visit(last / 64, mask & ~u64{0} >> (63 - last % 64));
    }

    void summarise_set(u64 index) {
        for (unsigned level = 1; level < m_count; ++level) {
            u64& target = m_levels[level][index / 64];
            bool const was_empty = target == 0;
            target |= u64{1} << (index % 64);
            if (!was_empty) {
                return;
            }
            index /= 64;
        }
    }
    void summarise_clear(u64 index) {
        for (unsigned level = 1; level < m_count; ++level) {
            u64& target = m_levels[level][index / 64];
            target &= ~(u64{1} << (index % 64));
            if (target != 0) {
                return;
            }
            index /= 64;
        }
    }
    u64 descend_low(unsigned level, u64 bit) const {
        while (level > 0) {
            --level;
            bit = bit * 64 + static_cast<u64>(std::countr_zero(m_levels[level][bit]));
        }
        return bit;
    }
    u64 descend_high(unsigned level, u64 bit) const {
        while (level > 0) {
            --level;
            bit = bit * 64 + 63 - static_cast<u64>(std::countl_zero(m_levels[level][bit]));
        }
        return bit;
    }

    std::array<std::span<u64>, levels_max> m_levels{};
    unsigned m_count = 0;
};

} // namespace twofold::memory::heap
