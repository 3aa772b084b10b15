// The extended registers of kernel threads that own them. What an interrupt comes over is saved by
// its entry anyway, since the machine's own code uses the registers; `save` is what makes them the
// thread's, whose entry may end on another thread of the host.
#include "hal/extended_state.hpp"

#include "hal/hosted/guest/guest_cpu.hpp"

#include <isa/extended_state.hpp>

namespace hal {

namespace {

/// The same for all processors of a host.
isa::ExtendedFormat format() {
    hosted::CpuBlock const& block = hosted::cpu_block();
    return {block.extended_mask, block.extended_bytes, block.extended_instruction};
}

} // namespace

Bytes ExtendedState::area_bytes() {
    return {format().bytes};
}

void ExtendedState::prepare(std::span<std::byte> area) {
    isa::prepare_state(area, format());
}

void ExtendedState::restore(std::span<std::byte> area) {
    isa::restore_state(area, format());
}

void ExtendedState::save(std::span<std::byte> area) {
    isa::save_state(area, format());
}

void ExtendedState::save_control(std::span<std::byte> area) {
    isa::save_state_control(area, format());
}

} // namespace hal
