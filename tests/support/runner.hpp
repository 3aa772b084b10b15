// The kernel commands that run the tests of tests/support/test.hpp.
#pragma once

#include "core/boot/boot.hpp"

#include "tests/support/test.hpp"

#include <span>

namespace twofold::test {

/// `test [NAME]`: runs the tests whose "suite.name" is NAME or starts with it, all without; `tests`
/// lists them.
boot::CommandTable commands();

/// Every test of the image.
std::span<TestCase const* const> all_tests();

/// Runs a test's body; returns how many of its expectations failed, a fault and blocks of the heap
/// that it left behind among them. Failures are told as those of `test` are.
u64 run_body(boot::CommandContext& context, TestCase const& test);

/// `edges PLACE [LIMIT] [TIMES]`, in the image `edges` alone (tests/support/edges/): runs each test
/// whose source lies in tests/PLACE with an interrupt at every edge, then, where it takes no more
/// than LIMIT edges, once for each of them with an interrupt there alone; what the kernel shares is
/// looked over after each run. With TIMES an edge that a test takes more often is interrupted the
/// first TIMES times, and then now and again.
boot::CommandTable edge_commands();

} // namespace twofold::test
