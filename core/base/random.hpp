// Repeatable random numbers from a seed, for tests, workloads and tie-breaking. NOT for secrets.
// Pure; constexpr; the same sequence on every machine, for ever.
//
// Source: D. Blackman and S. Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS
// 47(4), 2021 (xoshiro256**); G. Steele, D. Lea and C. Flood, "Fast splittable pseudorandom number
// generators", OOPSLA 2014 (SplitMix64).
#pragma once

#include "core/base/check.hpp"
#include "core/base/integers.hpp"

#include <array>
#include <bit>

namespace twofold {

/// One word of state; every seed is good. Spreads seeds, and serves where 64 bits suffice.
class SplitMix64 {
public:
    constexpr explicit SplitMix64(u64 seed) : m_state(seed) {}

    constexpr u64 next() {
        m_state += 0x9E37'79B9'7F4A'7C15;
        u64 mixed = m_state;
        mixed = (mixed ^ mixed >> 30) * 0xBF58'476D'1CE4'E5B9;
        mixed = (mixed ^ mixed >> 27) * 0x94D0'49BB'1331'11EB;
        return mixed ^ mixed >> 31;
    }

private:
    u64 m_state;
};

/// xoshiro256**, seeded through SplitMix64. Period 2^256 - 1.
class Random {
public:
    constexpr explicit Random(u64 seed) {
        SplitMix64 spread(seed);
        for (u64& word : m_state) {
            word = spread.next();
        }
    }

    /// 64 uniform bits. O(1).
    constexpr u64 next() {
        u64 const result = std::rotl(m_state[1] * 5, 7) * 9;
        u64 const shifted = m_state[1] << 17;
        m_state[2] ^= m_state[0];
        m_state[3] ^= m_state[1];
        m_state[1] ^= m_state[2];
        m_state[0] ^= m_state[3];
        m_state[2] ^= shifted;
        m_state[3] = std::rotl(m_state[3], 45);
        return result;
    }

    /// A uniform number in [0, limit), without bias; `limit` is at least 1. O(1) expected: each
    /// draw is kept with a probability above one half.
    constexpr u64 below(u64 limit) {
        CHECK(limit > 0);
        u64 const incomplete =
            (0 - limit) % limit; // 2^64 mod limit: drawn values below it are unfair
        for (int draw = 0; draw < draws_max; ++draw) {
            u64 const value = next();
            if (value >= incomplete) {
                return value % limit;
            }
        }
        UNREACHABLE(); // with probability 2^-128
    }

    /// A uniform number in [first, last]. O(1) expected.
    constexpr u64 between(u64 first, u64 last) {
        CHECK(first <= last);
        u64 const count = last - first + 1;
        return count == 0 ? next() : first + below(count);
    }

private:
    static constexpr int draws_max = 128;

    std::array<u64, 4> m_state{};
};

} // namespace twofold
