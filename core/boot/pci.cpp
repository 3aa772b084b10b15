// See pci.hpp.
#include "core/boot/pci.hpp"

#include "core/boot/kernel.hpp"
#include "hal/pci.hpp"

#include <utility>

namespace twofold::boot {

namespace {

using trace::LogLevel;

constexpr Column function_columns[] = {{"function", 12}, {"id", 9},     {"class", 6},
                                       {"kind", 20},     {"header", 8}, {"buses", 8},
                                       {"vectors", 15},  {"defects", 0}};
constexpr Column bar_columns[] = {{"function", 12}, {"bar", 3},    {"space", 8},
                                  {"address", 18},  {"bytes", 12}, {"flags", 0}};
constexpr Column capability_columns[] = {
    {"function", 12}, {"offset", 18}, {"list", 8}, {"number", 6}, {"capability", 0}};

constexpr Bytes bus_bytes{u64{1} << 20}; // of memory-mapped configuration space

/// The firmware's description of it, or why there is none.
Result<acpi::Mcfg> find_mcfg(Kernel const& kernel) {
    if (!kernel.acpi_tables) {
        return Error::not_found;
    }
    return acpi::parse_mcfg(TRY(kernel.acpi_tables->find(acpi::mcfg_signature)));
}

Result<void> attach_space(Kernel& kernel, acpi::PciConfigurationSpace const& space) {
    u64 const buses = u64{space.last_bus} - space.first_bus + 1;
    PhysAddr const first = space.base + bus_bytes * space.first_bus;
    VirtAddr const view =
        TRY(kernel.space->map_device(first, bus_bytes * buses, hal::CacheMode::uncached));
    auto const attached = hal::Pci::attach({view, space.segment, space.first_bus, space.last_bus});
    if (!attached) {
        kernel.space->unmap_device(view).value(); // it was mapped just now
    }
    return attached;
}

/// Enumerates one range. What was found before an error stays.
Result<void> enumerate(Kernel& kernel, PciBus& bus, pci::BusRange range) {
    auto const walk = TRY((memory::Box<pci::Enumeration, memory::KernelHeap>::create(
        *kernel.heap, pci::Configuration::of(bus.access), bus.functions.store())));
    return walk->run(range);
}

/// Every range of buses that the machine reaches: those of the firmware's table, else all of
/// segment 0.
Result<void> enumerate_all(Kernel& kernel, PciBus& bus) {
    auto const mcfg = find_mcfg(kernel);
    bool has_first_segment = false;
    for (usize i = 0; mcfg && i < mcfg.value().count(); ++i) {
        acpi::PciConfigurationSpace const space = mcfg.value().entry(i);
        if (hal::Pci::space_bytes(space.segment, space.first_bus) == 0) {
            continue; // not attached, and no other way leads there
        }
        has_first_segment = has_first_segment || space.segment == 0;
        TRY(enumerate(kernel, bus, {space.segment, space.first_bus, space.last_bus}));
    }
    if (!has_first_segment && hal::Pci::space_bytes(0, 0) != 0) {
        TRY(enumerate(kernel, bus, {.segment = 0, .first = 0, .last = 0xff}));
    }
    return {};
}

using PciText = FixedString<256>;

template<class... Args>
std::string_view
write_text(PciText& out, FormatString<std::type_identity_t<Args>...> format, Args const&... args) {
    char storage[PciText::capacity()];
    out.clear();
    out.append(format_to(std::span(storage), format, args...).text).value();
    return out.view();
}

std::string_view address_text(PciText& out, pci::Address where) {
    return write_text(
        out, "{:04x}:{:02x}:{:02x}.{}", where.segment, where.bus, where.device, where.function);
}

std::string_view vectors_text(PciText& out, pci::Function const& function) {
    u32 const msi = function.msi ? function.msi->vectors() : 0;
    u32 const msix = function.msix ? u32{function.msix->vectors} : 0;
    if (msi != 0 && msix != 0) {
        return write_text(out, "MSI {} MSI-X {}", msi, msix);
    }
    if (msi != 0) {
        return write_text(out, "MSI {}", msi);
    }
    return msix != 0 ? write_text(out, "MSI-X {}", msix) : std::string_view();
}

/// Their names, as many as fit.
std::string_view defects_text(PciText& out, pci::Defects defects) {
    out.clear();
    defects.visit([&](pci::Defect defect) {
        std::string_view const name = pci::defect_name(defect);
        if (out.capacity() - out.size() > name.size()) {
            out.append(out.empty() ? "" : " ").value();
            out.append(name).value();
        }
    });
    return out.view();
}

void show_function(CommandOutput& out, pci::Function const& function) {
    pci::Header const& header = function.header;
    PciText where, id, number, buses, vectors, defects;
    bool const has_buses = function.buses.secondary != 0;
    out.row(
        {address_text(where, function.where),
         write_text(id, "{:04x}:{:04x}", header.vendor, header.device),
         write_text(
             number, "{:02x}{:02x}{:02x}", header.base_class, header.subclass, header.interface),
         pci::class_name(header.base_class, header.subclass), pci::header_kind_name(header.kind),
         has_buses
             ? write_text(
                   buses, "{:02x}-{:02x}", function.buses.secondary, function.buses.subordinate)
             : std::string_view(),
         vectors_text(vectors, function), defects_text(defects, function.defects)});
}

void show_bars(CommandOutput& out, pci::Function const& function) {
    PciText where;
    for (pci::Bar const& bar : function.bars) {
        out.row(
            {address_text(where, function.where), u32{bar.number}, pci::bar_kind_name(bar.kind),
             PhysAddr{bar.address}, bar.size, bar.prefetchable ? "prefetchable" : ""});
    }
}

void show_capabilities(CommandOutput& out, pci::Function const& function) {
    PciText where;
    for (pci::Capability const& capability : function.capabilities) {
        out.row(
            {address_text(where, function.where), PhysAddr{capability.offset},
             capability.is_extended() ? "extended" : "classic", u32{capability.id},
             pci::capability_name(capability)});
    }
}

/// All tables of `lspci`.
void show_functions(void* output, std::span<pci::Function const> functions) {
    CommandOutput& out = *static_cast<CommandOutput*>(output);
    out.table(function_columns);
    for (pci::Function const& function : functions) {
        show_function(out, function);
    }
    out.table(bar_columns);
    for (pci::Function const& function : functions) {
        show_bars(out, function);
    }
    out.table(capability_columns);
    for (pci::Function const& function : functions) {
        show_capabilities(out, function);
    }
}

} // namespace

u32 MachineAccess::space_bytes(pci::Address where) {
    return hal::Pci::space_bytes(where.segment, where.bus);
}

u32 MachineAccess::read(pci::Address where, u32 offset, u32 width) {
    switch (width) {
    case 1:
        return hal::Pci::read_8(where, offset);
    case 2:
        return hal::Pci::read_16(where, offset);
    default:
        return hal::Pci::read_32(where, offset);
    }
}

void MachineAccess::write(pci::Address where, u32 offset, u32 width, u32 value) {
    switch (width) {
    case 1:
        hal::Pci::write_8(where, offset, static_cast<u8>(value));
        return;
    case 2:
        hal::Pci::write_16(where, offset, static_cast<u16>(value));
        return;
    default:
        hal::Pci::write_32(where, offset, value);
    }
}

Result<void> open_pci(Kernel& kernel) {
    auto const mcfg = find_mcfg(kernel);
    if (!mcfg) {
        if (mcfg.error() != Error::not_found) {
            kernel.log(LogLevel::warning, "the table of PCI buses is not used: {}", mcfg.error());
        }
        return {};
    }
    for (usize i = 0; i < mcfg.value().count(); ++i) {
        acpi::PciConfigurationSpace const space = mcfg.value().entry(i);
        auto const attached = attach_space(kernel, space);
        if (attached) {
            kernel.log(
                LogLevel::info, "PCI buses {} to {} of segment {} at {}", space.first_bus,
                space.last_bus, space.segment, space.base);
        } else {
            kernel.log(
                LogLevel::warning, "the PCI buses of segment {} at {} are not used: {}",
                space.segment, space.base, attached.error());
        }
    }
    return {};
}

Result<PciBus*> pci_bus(Kernel& kernel) {
    if (kernel.pci != nullptr) {
        return kernel.pci;
    }
    PciBus* const room = TRY(memory::allocate_room<PciBus>(*kernel.heap, 1));
    PciBus* const bus = std::construct_at(room, *kernel.heap);
    bus->outcome = enumerate_all(kernel, *bus);
    if (!bus->outcome) {
        kernel.log(
            LogLevel::warning, "PCI: {} functions found, then {}",
            bus->functions.functions().size(), bus->outcome.error());
    }
    kernel.pci = bus;
    return bus;
}

void forget_pci(Kernel& kernel) {
    if (PciBus* const bus = std::exchange(kernel.pci, nullptr)) {
        std::destroy_at(bus);
        kernel.heap->free(room_for<std::byte>(bus)).value();
    }
}

u8 show_pci(CommandContext& context) {
    auto const bus = pci_bus(context.kernel);
    if (!bus) {
        context.out.line("lspci: the bus cannot be enumerated: {}", bus.error());
        return status::failure;
    }
    auto const functions = bus.value()->functions.functions();
    CommandOutput& out = context.out;
    if (functions.empty() && bus.value()->outcome) {
        out.line("no PCI bus is reached on this machine");
        return status::success;
    }
    // Where functions may come and go, a copy is shown: who reads may take long.
    if (auto const copied = context.kernel.copy_functions; copied == nullptr) {
        show_functions(&out, functions);
    } else if (!copied(context.kernel, show_functions, &out)) {
        out.line("lspci: the functions do not fit into the memory");
        return status::failure;
    }
    if (!bus.value()->outcome) {
        out.line("lspci: the enumeration ended early: {}", bus.value()->outcome.error());
        return status::failure;
    }
    return status::success;
}

} // namespace twofold::boot
