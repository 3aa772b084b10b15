// The extended registers of threads that own them. CR0.TS is set while somebody runs who owns none,
// so that an instruction that uses one faults.
#include "hal/extended_state.hpp"

#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"

namespace hal {

Bytes ExtendedState::area_bytes() {
    return {metal::machine().extended.bytes};
}

void ExtendedState::prepare(std::span<std::byte> area) {
    isa::prepare_state(area, metal::machine().extended);
}

void ExtendedState::restore(std::span<std::byte> area) {
    metal::clear_task_switched();
    isa::restore_state(area, metal::machine().extended);
}

void ExtendedState::save(std::span<std::byte> area) {
    isa::save_state(area, metal::machine().extended);
}

void ExtendedState::save_control(std::span<std::byte> area) {
    isa::save_state_control(area, metal::machine().extended);
}

void ExtendedState::forbid() {
    metal::set_task_switched();
}

} // namespace hal
