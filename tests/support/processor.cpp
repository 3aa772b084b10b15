// What kernel code on a host thread asks of the machine around it, where there is none: a spin
// gives the host's processor away at once, and no interrupt is ever pending. See processor.hpp.
#include "hal/cpu.hpp"
#include "hal/interrupt.hpp"

#include <cstdio>
#include <cstdlib>
#include <sched.h>

namespace hosted {

void yield_to_host() {
    cpu_block().pauses = 0;
    sched_yield();
}

void deliver_pending() {
    std::fputs("an interrupt on a thread that has none\n", stderr);
    std::abort();
}

} // namespace hosted
