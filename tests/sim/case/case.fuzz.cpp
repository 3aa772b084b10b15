// Fuzzes what reads cases. The first byte chooses: the rest is a case, or ranges. What is accepted
// is printed and read again as the same; everything else is refused in one line.
#include "tests/sim/case/catalogue.hpp"

#include <cstdlib>

using namespace twofold;

namespace {

constexpr usize input_bytes_max = usize{1} << 14;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(u8 const* data, usize size);

extern "C" int LLVMFuzzerTestOneInput(u8 const* data, usize size) {
    if (size == 0 || size > input_bytes_max) {
        return 0;
    }
    static sim::Catalogue const catalogue = sim::test_catalogue();
    std::string const text(data + 1, data + size);
    if (data[0] % 2 == 0) {
        auto const made = sim::parse_case(text, catalogue);
        if (made) {
            auto const again = sim::parse_case(sim::to_json(*made, catalogue), catalogue);
            require(again && *again == *made);
        } else {
            require(made.error().reason.find('\n') == std::string::npos);
            require(sim::to_json(made.error()).find('\n') == std::string::npos);
        }
    } else if (auto const ranges = sim::Ranges::parse(text)) {
        require(sim::Ranges::parse(ranges->text()) == ranges);
        for (sim::Range const& range : ranges->all()) {
            require(range.first <= range.last && ranges->contains(range.last));
        }
    }
    return 0;
}
