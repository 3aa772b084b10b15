// The kernel tests that this program is linked with, for programs that cannot include
// tests/support/test.hpp because GoogleTest spells its macros the same.
#pragma once

#include <string>
#include <vector>

namespace twofold::test {

struct RegisteredTest {
    std::string suite;
    std::string name;
    char const* file;
    int line;
};

/// All of them, in the order of the link.
std::vector<RegisteredTest> registered_tests();

} // namespace twofold::test
