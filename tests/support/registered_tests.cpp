// See registered_tests.hpp.
#include "tests/support/registered_tests.hpp"

#include "tests/support/test.hpp"

#include <span>

extern "C" {
extern twofold::test::TestCase const* const __start_twofold_tests[];
extern twofold::test::TestCase const* const __stop_twofold_tests[];
}

namespace twofold::test {

std::vector<RegisteredTest> registered_tests() {
    std::vector<RegisteredTest> out;
    for (TestCase const* const test : std::span(__start_twofold_tests, __stop_twofold_tests)) {
        out.push_back(
            {std::string(test->suite), std::string(test->name), test->file,
             static_cast<int>(test->line)});
    }
    return out;
}

} // namespace twofold::test
