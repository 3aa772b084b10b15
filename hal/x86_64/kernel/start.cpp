// The start of the boot processor inside the kernel image: descriptor tables, the per-CPU block,
// the stack protector's canary; then the kernel.
#include "hal/entropy.hpp"
#include "hal/upcalls.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "isa/cpuid.hpp"

namespace metal {

namespace {

constinit Machine the_machine;

/// The legacy interrupt controllers may deliver at any moment, on vectors that mean exceptions
/// here: moved out of the way and masked (Intel 8259A data sheet).
void silence_legacy_interrupts() {
    constexpr u16 first = 0x20, second = 0xa0;
    constexpr u8 initialise_with_word_4 = 0x11, second_on_line_2 = 0x04, cascade = 0x02,
                 mode_8086 = 1;
    constexpr u8 first_vector = 0x20, second_vector = 0x28, everything = 0xff;
    write_port(first, initialise_with_word_4);
    write_port(second, initialise_with_word_4);
    write_port(first + 1, first_vector);
    write_port(second + 1, second_vector);
    write_port(first + 1, second_on_line_2);
    write_port(second + 1, cascade);
    write_port(first + 1, mode_8086);
    write_port(second + 1, mode_8086);
    write_port(first + 1, everything);
    write_port(second + 1, everything);
}

u64 random_canary() {
    u64 canary = 0;
    hal::Entropy::fill(std::as_writable_bytes(std::span{&canary, 1}));
    // A zero in its lowest byte stops a text copied over it.
    return canary & ~u64{0xff};
}

} // namespace

Machine& machine() {
    return the_machine;
}

void load_cpu_block(CpuBlock& processor) {
    processor.self = &processor;
    write_msr(msr::gs_base, reinterpret_cast<u64>(&processor));
}

} // namespace metal

extern "C" [[noreturn]] void metal_start(metal::Handover const* handover);

// Has no canary to check: it sets it.
[[gnu::no_stack_protector]] void metal_start(metal::Handover const* handover) {
    metal::Machine& machine = metal::machine();
    machine.handover = handover;
    metal::load_cpu_block(machine.boot_processor); // first: the canary lies there
    metal::load_descriptors(machine.boot_processor);
    machine.boot_processor.canary = metal::random_canary();
    machine.boot_processor.has_clzero =
        isa::has(isa::decode(isa::read_cpuid()), isa::Feature::clzero) ? 1 : 0;
    machine.serial.start();
    metal::silence_legacy_interrupts();
    kernel_start(handover->info);
}
