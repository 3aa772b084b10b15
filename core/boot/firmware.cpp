// Reading the firmware's tables through the linear window, and showing them.
#include "core/boot/firmware.hpp"

#include "core/boot/kernel.hpp"
#include "hal/memory.hpp"

namespace twofold::boot {

namespace {

constexpr Column acpi_columns[] = {{"table", 5}, {"address", 18}, {"bytes", 6},
                                   {"rev", 3},   {"oem", 6},      {"content", 0}};

/// Physical memory through the linear window. The machine maps what the tables lie in; whether it
/// did is tried page by page, because the addresses come from the tables themselves.
Result<acpi::TableBytes> read_physical(void*, PhysAddr address, Bytes size) {
    std::byte const* const bytes = hal::Memory::linear(address);
    auto const fault = catch_fault([bytes, size] {
        for (u64 at = 0; at < size.value; at += page_size.value) {
            static_cast<void>(*static_cast<std::byte const volatile*>(&bytes[at]));
        }
        if (size.value != 0) {
            static_cast<void>(*static_cast<std::byte const volatile*>(&bytes[size.value - 1]));
        }
    });
    if (fault) {
        return Error::io_failed;
    }
    return acpi::TableBytes(bytes, size.value);
}

struct Summary {
    u64 processors = 0;
    u64 io_apics = 0;
    u64 overrides = 0;
    u64 memory_ranges = 0;

    void operator()(acpi::Processor const& processor) { processors += processor.enabled ? 1 : 0; }
    void operator()(acpi::IoApic const&) { ++io_apics; }
    void operator()(acpi::InterruptOverride const&) { ++overrides; }
    void operator()(acpi::ProcessorAffinity const&) { ++processors; }
    void operator()(acpi::MemoryAffinity const&) { ++memory_ranges; }
};

using Text = FixedString<120>;

template<class... Args>
void write(Text& text, FormatString<std::type_identity_t<Args>...> format, Args const&... args) {
    char storage[Text::capacity()];
    text.clear();
    text.append(format_to(std::span(storage), format, args...).text).value();
}

Result<void> describe_madt(Text& text, acpi::TableBytes table) {
    acpi::Madt const madt = TRY(acpi::parse_madt(table));
    Summary summary;
    madt.visit(summary);
    write(
        text, "{} processors, local APIC at {:#x}, {} I/O APICs, {} overrides", summary.processors,
        madt.local_apic.value, summary.io_apics, summary.overrides);
    return {};
}

Result<void> describe_srat(Text& text, acpi::TableBytes table) {
    acpi::Srat const srat = TRY(acpi::parse_srat(table));
    Summary summary;
    srat.visit(summary);
    write(
        text, "{} processors and {} memory ranges with a domain", summary.processors,
        summary.memory_ranges);
    return {};
}

Result<void> describe_hpet(Text& text, acpi::TableBytes table) {
    acpi::Hpet const hpet = TRY(acpi::parse_hpet(table));
    write(text, "{} comparators at {:#x}", hpet.comparator_count, hpet.address.value);
    return {};
}

Result<void> describe_mcfg(Text& text, acpi::TableBytes table) {
    acpi::Mcfg const mcfg = TRY(acpi::parse_mcfg(table));
    if (mcfg.count() == 0) {
        write(text, "no PCI configuration space");
        return {};
    }
    acpi::PciConfigurationSpace const first = mcfg.entry(0);
    write(
        text, "PCI buses {} to {} at {:#x}, {} in all", first.first_bus, first.last_bus,
        first.base.value, mcfg.count());
    return {};
}

Result<void> describe_fadt(Text& text, acpi::TableBytes table) {
    acpi::Fadt const fadt = TRY(acpi::parse_fadt(table));
    write(
        text, "PM1a control at {:#x}, interrupt {}, {}reset register", fadt.pm1a_control.address,
        fadt.sci_interrupt, fadt.reset_register ? "" : "no ");
    return {};
}

/// What the kernel understands of a table; the error where it is damaged.
void describe(Text& text, acpi::Tables const& tables, acpi::Signature signature) {
    text.clear();
    auto const table = tables.find(signature);
    Result<void> outcome = table ? Result<void>{} : Result<void>{table.error()};
    if (table && signature == acpi::madt_signature) {
        outcome = describe_madt(text, table.value());
    } else if (table && signature == acpi::srat_signature) {
        outcome = describe_srat(text, table.value());
    } else if (table && signature == acpi::hpet_signature) {
        outcome = describe_hpet(text, table.value());
    } else if (table && signature == acpi::mcfg_signature) {
        outcome = describe_mcfg(text, table.value());
    } else if (table && signature == acpi::fadt_signature) {
        outcome = describe_fadt(text, table.value());
    }
    if (!outcome) {
        write(text, "{}", outcome.error());
    }
}

} // namespace

acpi::PhysicalReader firmware_reader() {
    return {nullptr, read_physical};
}

Result<void> open_firmware_tables(Kernel& kernel) {
    using trace::LogLevel;
    if (!kernel.boot_info.rsdp) {
        kernel.log(LogLevel::info, "the machine has no ACPI tables");
        return {};
    }
    auto const tables = acpi::Tables::open(firmware_reader(), *kernel.boot_info.rsdp);
    if (!tables) {
        kernel.log(
            LogLevel::warning, "the ACPI tables at {} are not used: {}", *kernel.boot_info.rsdp,
            tables.error());
        return {};
    }
    kernel.acpi_tables = tables.value();
    kernel.log(LogLevel::info, "{} ACPI tables", tables.value().count());
    return {};
}

u8 show_firmware_tables(CommandContext& context) {
    if (!context.kernel.acpi_tables) {
        context.out.line("no ACPI tables; 'log' says why");
        return status::success;
    }
    acpi::Tables const& tables = *context.kernel.acpi_tables;
    context.out.table(acpi_columns);
    for (usize i = 0; i < tables.count(); ++i) {
        auto const info = tables.info(i);
        if (!info) {
            context.out.row({"?", PhysAddr{0}, u64{0}, u64{0}, "", error_name(info.error())});
            continue;
        }
        char storage[8];
        Text content;
        describe(content, tables, info.value().signature);
        context.out.row(
            {format_to(std::span(storage), "{}", info.value().signature).text, info.value().address,
             info.value().length, u32{info.value().revision}, info.value().oem.view(),
             content.view()});
    }
    return status::success;
}

} // namespace twofold::boot
