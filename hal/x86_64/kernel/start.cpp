// The start of the boot processor inside the kernel image: descriptor tables, the per-CPU block,
// the stack protector's canary; then the kernel.
#include "hal/upcalls.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"

namespace metal {

constinit Machine the_machine;

namespace {

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

} // namespace

} // namespace metal

extern "C" {
[[noreturn]] void metal_start(metal::Handover const* handover);
extern std::byte metal_double_fault_stack_end[]; // image.ld
extern std::byte metal_non_maskable_stack_end[];
extern std::byte metal_machine_check_stack_end[];
}

// Has no canary to check: it sets it.
[[gnu::no_stack_protector]] void metal_start(metal::Handover const* handover) {
    using namespace metal;
    Machine& machine = metal::machine();
    machine.handover = handover;
    std::byte* const stack_ends[] = {
        metal_double_fault_stack_end, metal_non_maskable_stack_end, metal_machine_check_stack_end};
    set_exception_stacks(machine.boot_processor, stack_ends);
    fill_vectors();
    begin_processor(machine.boot_processor);
    bool const has_xsave = (read_cr4() & cr4::xsave) != 0;
    machine.extended = isa::extended_format(has_xsave ? read_extended_control() : 0);
    machine.serial.start();
    silence_legacy_interrupts();
    kernel_start(handover->info);
}
