// See processors.hpp.
#include "core/boot/processors.hpp"

#include "core/boot/kernel.hpp"
#include "hal/cpu.hpp"
#include "hal/upcalls.hpp"

namespace twofold::boot {

void run_idle(PerCpu& cpu) {
    sync::InterruptGuard const off;
    while (true) { // for as long as the processor runs
        hal::Cpu::idle();
        ++cpu.wakes;
    }
}

} // namespace twofold::boot

extern "C" void kernel_processor_online() {
    using namespace twofold;
    auto* const cpu = static_cast<boot::PerCpu*>(sync::cpu_state());
    CHECK(cpu != nullptr && cpu->id == hal::Cpu::id());
    cpu->is_online.store(1, release);
    boot::run_idle(*cpu);
}
