// The kernel commands that run the tests of tests/support/test.hpp.
#pragma once

#include "core/boot/boot.hpp"

#include <span>

namespace twofold::test {

/// `test [NAME]`: runs the tests whose "suite.name" is NAME or starts with it, all without; `tests`
/// lists them.
std::span<boot::Command const> commands();

} // namespace twofold::test
