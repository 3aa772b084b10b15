// How the machine is switched off and started anew, from its FADT and DSDT (ACPI 6.5,
// sections 4.8.3 and 7.4.2) to what the machine can write at the end without asking anybody.
#include "hal/power.hpp"
#include "core/boot/firmware.hpp"
#include "core/boot/kernel.hpp"

namespace twofold::boot {

namespace {

using acpi::GenericAddress;
using hal::RegisterWrite;
using trace::LogLevel;

constexpr u32 sleep_enable = 1u << 13; // of the PM1 control registers
constexpr unsigned sleep_type_shift = 10;
constexpr u32 sleep_fields = 0xfu << sleep_type_shift;
constexpr u8 reduced_sleep_enable = 1u << 5; // of a hardware-reduced machine's register
constexpr unsigned reduced_sleep_type_shift = 2;

/// A write of `value` to `address` in units of `bytes`; memory is mapped. not_supported: no space
/// that is reached without a driver, or a port that does not exist.
Result<RegisterWrite>
make_write(Kernel& kernel, GenericAddress const& address, u8 bytes, u32 value, u32 keep) {
    RegisterWrite made{.bytes = bytes, .keep = keep, .value = value};
    switch (address.space) {
    case GenericAddress::Space::io:
        if (address.address > UINT16_MAX) {
            return Error::not_supported;
        }
        made.space = RegisterWrite::Space::port;
        made.port = static_cast<u16>(address.address);
        return made;
    case GenericAddress::Space::memory: {
        if (!is_aligned(address.address, bytes)) {
            return Error::not_supported;
        }
        made.space = RegisterWrite::Space::memory;
        made.view = TRY(kernel.space->map_device(
            PhysAddr{address.address}, Bytes{bytes}, hal::CacheMode::uncached));
        return made;
    }
    case GenericAddress::Space::pci_configuration:
        break;
    }
    return Error::not_supported;
}

Result<void> plan_soft_off(Kernel& kernel, acpi::Fadt const& fadt, hal::PowerPlan& plan) {
    auto const dsdt = TRY(acpi::read_table(firmware_reader(), fadt.dsdt, acpi::dsdt_signature));
    acpi::SleepTypes const types = TRY(acpi::find_soft_off(dsdt));
    if (fadt.hardware_reduced) {
        if (!fadt.sleep_control) {
            return Error::not_found;
        }
        u32 const value = u32{types.pm1a} << reduced_sleep_type_shift | reduced_sleep_enable;
        plan.power_off[0] = TRY(make_write(kernel, *fadt.sleep_control, 1, value, 0));
        return {};
    }
    if (fadt.smi_command_port != 0 && fadt.acpi_enable != 0) {
        GenericAddress const command{GenericAddress::Space::io, 8, 0, fadt.smi_command_port};
        plan.take_over = TRY(make_write(kernel, command, 1, fadt.acpi_enable, 0));
    }
    constexpr u32 keep = 0xffff & ~(sleep_fields | sleep_enable);
    u8 const pm1[] = {types.pm1a, types.pm1b};
    GenericAddress const controls[] = {fadt.pm1a_control, fadt.pm1b_control};
    for (unsigned i = 0; i < 2; ++i) {
        if (controls[i].address != 0) {
            u32 const value = u32{pm1[i]} << sleep_type_shift | sleep_enable;
            plan.power_off[i] = TRY(make_write(kernel, controls[i], 2, value, keep));
        }
    }
    return {};
}

} // namespace

void adopt_power_plan(Kernel& kernel) {
    if (!kernel.acpi_tables || !kernel.space) {
        return;
    }
    auto const table = kernel.acpi_tables->find(acpi::fadt_signature);
    if (!table) {
        return; // the machine has a door of its own, or none
    }
    hal::PowerPlan plan;
    auto const fadt = acpi::parse_fadt(table.value());
    if (!fadt) {
        kernel.log(LogLevel::warning, "no ACPI power-off and reset: the FADT is {}", fadt.error());
        return;
    }
    if (auto const done = plan_soft_off(kernel, fadt.value(), plan); !done) {
        plan = {};
        kernel.log(LogLevel::warning, "no ACPI power-off: {}", done.error());
    }
    if (fadt.value().reset_register) {
        auto const reset =
            make_write(kernel, *fadt.value().reset_register, 1, fadt.value().reset_value, 0);
        if (reset) {
            plan.reset = reset.value();
        } else {
            kernel.log(LogLevel::warning, "no ACPI reset: {}", reset.error());
        }
    }
    hal::Power::adopt(plan);
}

} // namespace twofold::boot
