// The two ways to the running processor's local APIC, and which of them is taken.
#pragma once

#include "hal/x86_64/devices/local_apic.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "isa/device_access.hpp"

namespace metal {

/// Registers in memory, at the same address for every processor.
struct MappedLocalRegisters {
    static constexpr bool is_extended = false;

    VirtAddr base;

    u32 read(LocalRegister name) { return isa::DeviceAccess::read_32(place(name)); }
    void write(LocalRegister name, u32 value) { isa::DeviceAccess::write_32(place(name), value); }
    void write_command(u64) { UNREACHABLE(); }

private:
    VirtAddr place(LocalRegister name) const { return base + Bytes{static_cast<u64>(name) * 16}; }
};

/// Model-specific registers.
struct ExtendedLocalRegisters {
    static constexpr bool is_extended = true;
    static constexpr u32 first = 0x800;

    u32 read(LocalRegister name) {
        return static_cast<u32>(read_msr(first + static_cast<u32>(name)));
    }
    void write(LocalRegister name, u32 value) { write_msr(first + static_cast<u32>(name), value); }
    /// What the caller wrote before is seen by whom the command reaches (SDM 3A, section 11.12.3).
    void write_command(u64 command) {
        asm volatile("mfence\n\tlfence" : : : "memory");
        write_msr(first + static_cast<u32>(LocalRegister::command_low), command);
    }
};

static_assert(LocalRegisters<MappedLocalRegisters> && LocalRegisters<ExtendedLocalRegisters>);

/// Calls `use` with the running processor's local APIC, which has been adopted.
template<class Use>
auto with_local_apic(Use use) {
    ControllerState const& state = machine().controller;
    CHECK(state.mode != LocalMode::none);
    if (state.mode == LocalMode::extended) {
        LocalApic local(ExtendedLocalRegisters{});
        return use(local);
    }
    LocalApic local(MappedLocalRegisters{state.plan.local});
    return use(local);
}

} // namespace metal
