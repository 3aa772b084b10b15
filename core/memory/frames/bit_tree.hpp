// A set of numbers below a bound, as a bitmap with summaries: bit i of a word one level up says
// whether word i below has any bit. The least member at or above a number is found in as many steps
// as there are levels, ceil(log64(bound)): 3 for a GiB of frames, 5 for 255 GiB.
//
// Source: the hierarchical bitmap of P. van Emde Boas, "Preserving order in a forest in less than
// logarithmic time", FOCS 1975, with a fan-out of 64 and no recursion into summaries.
#pragma once

#include "core/base/base.hpp"

#include <optional>

namespace twofold::memory {

class BitTree {
public:
    /// Enough for 2^42 numbers, more than there can be frames.
    static constexpr unsigned levels_max = 7;

    /// An empty set that holds nothing.
    BitTree() = default;

    /// The words that a set of numbers below `bound` takes. O(levels).
    static constexpr u64 words_for(u64 bound) {
        u64 total = 0;
        u64 words = bound;
        do {
            words = (words + 63) / 64;
            total += words;
        } while (words > 1);
        return total;
    }

    /// An empty set in the storage that is next. Error::no_space.
    static Result<BitTree> create(StorageCursor& storage, u64 bound) {
        BitTree tree;
        u64 words = bound;
        do {
            words = (words + 63) / 64;
            CHECK(tree.m_levels < levels_max);
            tree.m_words[tree.m_levels++] = TRY(storage.take<u64>(words));
        } while (words > 1);
        tree.m_bound = bound;
        return tree;
    }

    u64 count() const { return m_count; }
    bool contains(u64 number) const {
        CHECK(number < m_bound);
        return (m_words[0][number / 64] >> number % 64 & 1) != 0;
    }

    /// Adds a number that is not a member. O(levels), 1 step if a neighbour is.
    void add(u64 number) {
        CHECK(!contains(number));
        ++m_count;
        for (unsigned level = 0; level < m_levels; ++level) {
            u64& word = m_words[level][number / 64];
            bool const known_above = word != 0;
            word |= u64{1} << number % 64;
            if (known_above) {
                return;
            }
            number /= 64;
        }
    }

    /// Takes a member out. O(levels), 1 step if a neighbour stays.
    void remove(u64 number) {
        CHECK(contains(number));
        --m_count;
        for (unsigned level = 0; level < m_levels; ++level) {
            u64& word = m_words[level][number / 64];
            word &= ~(u64{1} << number % 64);
            if (word != 0) {
                return;
            }
            number /= 64;
        }
    }

    /// The least member that is at least `from`. O(levels).
    std::optional<u64> next(u64 from) const {
        u64 at = from;
        for (unsigned level = 0; level < m_levels; ++level) {
            u64 const index = at / 64;
            if (index >= m_words[level].size()) {
                return std::nullopt;
            }
            u64 const rest = m_words[level][index] >> at % 64;
            if (rest != 0) {
                return descend(level, at + static_cast<u64>(std::countr_zero(rest)));
            }
            at = index + 1;
        }
        return std::nullopt;
    }

private:
    /// The least member below bit `at` of `level`.
    u64 descend(unsigned level, u64 at) const {
        while (level > 0) {
            u64 const word = m_words[--level][at];
            CHECK(word != 0);
            at = at * 64 + static_cast<u64>(std::countr_zero(word));
        }
        return at;
    }

    std::span<u64> m_words[levels_max]; ///< level 0 has a bit for each number
    unsigned m_levels = 0;
    u64 m_bound = 0;
    u64 m_count = 0;
};

} // namespace twofold::memory
