// Division of integers of 128 bits, which compiled code calls and the processor has no instruction
// for. (The compiler's own library may use the bytes below the stack, which an interrupt would
// overwrite.)
//
// Source of the method: H. Warren, "Hacker's Delight", 2nd edition, section 9-5: with a divisor of
// more than a word, the quotient of its upper word is too large by one at most.
#include "core/base/integers.hpp"

#include <bit>

using namespace twofold;

namespace {

using Wide = unsigned __int128;
using SignedWide = __int128;

struct Division {
    Wide quotient;
    Wide rest;
};

/// (upper * 2^64 + lower) / divisor, where upper is less than the divisor.
u64 divide_word(u64 upper, u64 lower, u64 divisor, u64& rest) {
    u64 quotient;
    asm("divq %4" : "=a"(quotient), "=d"(rest) : "0"(lower), "1"(upper), "r"(divisor) : "cc");
    return quotient;
}

Division divide(Wide dividend, Wide divisor) {
    auto const upper = static_cast<u64>(dividend >> 64);
    auto const lower = static_cast<u64>(dividend);
    if (divisor >> 64 == 0) {
        auto const by = static_cast<u64>(divisor);
        u64 rest = 0;
        u64 const high = divide_word(0, upper, by, rest); // by zero: the processor's exception
        u64 const low = divide_word(rest, lower, by, rest);
        return {Wide{high} << 64 | low, rest};
    }
    auto const shift = static_cast<u32>(std::countl_zero(static_cast<u64>(divisor >> 64)));
    auto const scaled = static_cast<u64>(divisor << shift >> 64);
    u64 unused = 0;
    u64 quotient =
        divide_word(upper >> 1, upper << 63 | lower >> 1, scaled, unused) >> (63 - shift);
    quotient -= quotient != 0 ? 1 : 0;
    Wide rest = dividend - divisor * quotient;
    if (rest >= divisor) {
        ++quotient;
        rest -= divisor;
    }
    return {quotient, rest};
}

Wide magnitude(SignedWide value) {
    return value < 0 ? -static_cast<Wide>(value) : static_cast<Wide>(value);
}

} // namespace

extern "C" {

Wide __udivti3(Wide dividend, Wide divisor);
Wide __umodti3(Wide dividend, Wide divisor);
SignedWide __divti3(SignedWide dividend, SignedWide divisor);
SignedWide __modti3(SignedWide dividend, SignedWide divisor);

Wide __udivti3(Wide dividend, Wide divisor) {
    return divide(dividend, divisor).quotient;
}

Wide __umodti3(Wide dividend, Wide divisor) {
    return divide(dividend, divisor).rest;
}

SignedWide __divti3(SignedWide dividend, SignedWide divisor) {
    Wide const quotient = divide(magnitude(dividend), magnitude(divisor)).quotient;
    return static_cast<SignedWide>((dividend < 0) != (divisor < 0) ? -quotient : quotient);
}

SignedWide __modti3(SignedWide dividend, SignedWide divisor) {
    Wide const rest = divide(magnitude(dividend), magnitude(divisor)).rest;
    return static_cast<SignedWide>(dividend < 0 ? -rest : rest);
}
}
