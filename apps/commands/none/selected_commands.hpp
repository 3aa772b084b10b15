// What an image has where nobody chose commands of their own.
#pragma once

#include "core/boot/boot.hpp"

namespace twofold {

struct SelectedCommands {
    static constexpr boot::CommandTable table{};
};

} // namespace twofold
