// The running program as a kernel image: where it lies, and the table of its function symbols,
// which is added to the program after linking as the section `.twofold.symbols`.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>
#include <span>

namespace hosted {

using namespace twofold;

struct Image {
    u64 base = 0; ///< where its first byte runs
    u64 size = 0;
    std::span<std::byte const> symbols; ///< empty if the program carries none

    /// The program that runs. Its symbols stay mapped for the life of the process. A few system
    /// calls.
    static Image self();
};

} // namespace hosted
