// Quotients of 128 bits: what defines one, for random operands of all lengths and at the edges.
#include "core/base/base.hpp"
#include "tests/support/test.hpp"

using namespace twofold;

namespace {

using Wide = unsigned __int128;
using SignedWide = __int128;

/// A number of a random length.
Wide random_wide(Random& random) {
    Wide const bits = Wide{random.next()} << 64 | random.next();
    return bits >> random.below(128);
}

/// Kept from the compiler, which would work out the quotient itself.
Wide hidden(Wide value) {
    asm("" : "+m"(value));
    return value;
}

bool is_quotient(Wide dividend, Wide divisor) {
    Wide const quotient = hidden(dividend) / hidden(divisor);
    Wide const rest = hidden(dividend) % hidden(divisor);
    return quotient * divisor + rest == dividend && rest < divisor &&
           (quotient == 0 || dividend - rest >= divisor) && quotient <= dividend;
}

bool is_signed_quotient(SignedWide dividend, SignedWide divisor) {
    auto const quotient = static_cast<SignedWide>(hidden(static_cast<Wide>(dividend))) /
                          static_cast<SignedWide>(hidden(static_cast<Wide>(divisor)));
    auto const rest = static_cast<SignedWide>(hidden(static_cast<Wide>(dividend))) %
                      static_cast<SignedWide>(hidden(static_cast<Wide>(divisor)));
    auto const size = [](SignedWide value) { return value < 0 ? -value : value; };
    return quotient * divisor + rest == dividend && size(rest) < size(divisor) &&
           (rest == 0 || (rest < 0) == (dividend < 0));
}

} // namespace

TEST(WideDivision, QuotientAndRestMakeTheDividend) {
    Random random(11);
    for (u32 i = 0; i < 20'000; ++i) {
        Wide const dividend = random_wide(random);
        Wide const divisor = random_wide(random);
        if (divisor != 0) {
            ASSERT_TRUE(is_quotient(dividend, divisor));
        }
        auto const some = static_cast<SignedWide>(dividend >> 1);
        auto const other = static_cast<SignedWide>(divisor >> 1);
        if (other != 0) {
            ASSERT_TRUE(is_signed_quotient(some, other));
            ASSERT_TRUE(is_signed_quotient(-some, other));
            ASSERT_TRUE(is_signed_quotient(some, -other));
            ASSERT_TRUE(is_signed_quotient(-some, -other));
        }
    }
}

TEST(WideDivision, Edges) {
    constexpr Wide all = ~Wide{0};
    constexpr Wide word = Wide{1} << 64;
    constexpr Wide values[] = {1, 2, word - 1, word, word + 1, all >> 1, all - 1, all};
    for (Wide const dividend : values) {
        for (Wide const divisor : values) {
            ASSERT_TRUE(is_quotient(dividend, divisor));
            ASSERT_TRUE(is_quotient(dividend - 1, divisor));
        }
    }
}
