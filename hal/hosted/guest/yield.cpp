// A live processor that spins gives the host's away now and then.
#include "hal/cpu.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"

#include <sanitizer_choice.hpp>

namespace hosted {

void yield_to_host() {
    Undisturbed const self;
    self.cpu().pauses = 0;
    if (self.cpu().in_kernel && (self.cpu().count > 1 || sanitizer::holds_signals_back)) {
        exit_to_machine(self.cpu(), Request::yield);
    }
}

} // namespace hosted
