// The image `base`: what every kernel needs, and nothing else. Its size and least memory are gated.
#include "core/boot/boot.hpp"

namespace twofold::boot {

Composition composition() {
    return {
        .image = "base", .steps = basic_steps(), .commands = {basic_commands()}, .scenarios = {}};
}

} // namespace twofold::boot
