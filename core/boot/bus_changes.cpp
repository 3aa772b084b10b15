// See bus_changes.hpp.
#include "core/boot/bus_changes.hpp"

#include "core/boot/kernel.hpp"

#include <algorithm>

namespace twofold::boot {

namespace {

/// Buses of a segment that functions are on, or that bridges lead to.
struct KnownBuses {
    bool is_known[256]{};

    void add(pci::Function const& function, u16 segment) {
        if (function.where.segment == segment) {
            is_known[function.where.bus] = true;
            is_known[function.buses.secondary] = true; // bus 0, where there is none
        }
    }
};

} // namespace

Result<BusChanges> Rescan::run() {
    take_departed();
    u32 segments = 0;
    for (pci::Function const& function : m_bus.functions.functions()) {
        segments = std::max(segments, u32{function.where.segment} + 1);
    }
    for (u32 segment = 0; segment < segments; ++segment) {
        TRY(scan(static_cast<u16>(segment)));
    }
    return m_changes;
}

/// Whether what is there is what was there.
bool Rescan::is_there(pci::Function const& function) const {
    pci::FunctionSpace const space(m_configuration, function.where);
    u32 const identity = u32{function.header.device} << 16 | function.header.vendor;
    return space.read_32(0) == identity;
}

bool Rescan::is_known(u16 segment, u8 bus) const {
    return std::ranges::any_of(m_bus.functions.functions(), [&](pci::Function const& each) {
        return each.where.segment == segment && each.where.bus == bus;
    });
}

void Rescan::forget(pci::Address where, device::Removal how) {
    // That the registry does not know it, or that no driver has it, is as well.
    static_cast<void>(m_registry.depart(where, how));
    static_cast<void>(m_registry.depart(where, device::Removal::gone));
    m_bus.functions.remove(where);
    ++m_changes.departed;
}

void Rescan::take_departed() {
    while (true) {
        auto const known = m_bus.functions.functions();
        auto const gone = std::ranges::find_if_not(
            known, [this](pci::Function const& function) { return is_there(function); });
        if (gone == known.end()) {
            return;
        }
        forget(gone->where, device::Removal::gone);
    }
}

void Rescan::take_away(u16 segment, u8 first, u8 last, device::Removal how) {
    while (true) {
        auto const known = m_bus.functions.functions();
        auto const found = std::ranges::find_if(known, [&](pci::Function const& each) {
            return each.where.segment == segment && each.where.bus >= first &&
                   each.where.bus <= last;
        });
        if (found == known.end()) {
            return;
        }
        forget(found->where, how);
    }
}

Result<void> Rescan::scan(u16 segment) {
    KnownBuses buses;
    for (pci::Function const& function : m_bus.functions.functions()) {
        buses.add(function, segment);
    }
    for (u32 bus = 0; bus < 256; ++bus) {
        if (buses.is_known[bus]) {
            TRY(scan_bus(segment, static_cast<u8>(bus)));
        }
    }
    return {};
}

Result<void> Rescan::scan_bus(u16 segment, u8 bus) {
    for (u8 device = 0; device < pci::Address::devices; ++device) {
        TRY(scan_device({segment, bus, device, 0}));
    }
    return {};
}

Result<void> Rescan::scan_device(pci::Address first) {
    constexpr u32 header_type = 0x0e;
    constexpr u8 several = 0x80;
    pci::FunctionSpace const space(m_configuration, first);
    if (space.read_32(0) == ~u32{0}) {
        return {};
    }
    u8 const functions =
        (space.read_8(header_type) & several) != 0 ? pci::Address::functions : u8{1};
    for (u8 function = 0; function < functions; ++function) {
        pci::Address where = first;
        where.function = function;
        if (m_bus.functions.find(where) == nullptr) {
            TRY(take_arrived(where));
        }
    }
    return {};
}

/// It may be without some afterwards; then its driver cannot take it, and says so.
void Rescan::give_addresses(pci::Function const& function) {
    auto const known = m_bus.functions.functions();
    auto const bridge = std::ranges::find_if(known, [&](pci::Function const& each) {
        return each.where.segment == function.where.segment && each.buses.secondary != 0 &&
               each.buses.secondary == function.where.bus;
    });
    if (bridge != known.end()) {
        static_cast<void>(pci::assign_addresses(m_configuration, bridge->where, function, known));
    }
}

void Rescan::complete() {
    for (pci::Function const& function : m_bus.functions.functions()) {
        pci::FunctionSpace const space(m_configuration, function.where);
        bool const is_idle = (space.read_16(pci::offset::command) & 3) == 0; // decodes nothing
        if (is_idle && pci::lacks_addresses(function)) {
            give_addresses(function);
            if (auto const completed = pci::read_function(space)) {
                m_bus.functions.complete(*completed);
            }
        }
    }
}

Result<void> Rescan::take_arrived(pci::Address where) {
    pci::FunctionSpace const space(m_configuration, where);
    auto function = pci::read_function(space);
    if (function && pci::lacks_addresses(*function)) {
        give_addresses(*function);
        function = pci::read_function(space);
    }
    if (!function) {
        return {};
    }
    TRY(m_bus.functions.insert(*function));
    ++m_changes.arrived;
    if (auto const arrived = m_registry.arrive(*function); !arrived) {
        ++m_changes.failed;
        return m_registry.find(where) == nullptr ? arrived : Result<void>();
    }
    return {};
}

Result<BusChanges> rescan_devices(Kernel& kernel) {
    PciBus* const bus = TRY(pci_bus(kernel));
    DeviceModel* const model = TRY(device_model(kernel));
    return with_registry(
        *model, [&](device::DriverRegistry& registry) { return Rescan(*bus, registry).run(); });
}

} // namespace twofold::boot
