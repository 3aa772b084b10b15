// What has come to the PCI bus and what has gone since it was looked at last. See device_model.hpp.
//
// All buses that functions are known on, or that a known bridge leads to, are looked at. A function
// that a driver may have is only asked who it is: its base addresses are not sized again. A bridge
// that comes by itself is not numbered, so what is behind it is not seen.
#include "core/boot/device_model.hpp"
#include "core/boot/kernel.hpp"

#include <algorithm>

namespace twofold::boot {

namespace {

using device::DriverRegistry;

/// Buses of a segment.
struct Buses {
    bool is_known[256]{};

    void add(pci::Function const& function, u16 segment) {
        if (function.where.segment == segment) {
            is_known[function.where.bus] = true;
            is_known[function.buses.secondary] = true; // bus 0, where there is none
        }
    }
};

class Rescan {
public:
    Rescan(PciBus& bus, DriverRegistry& registry)
        : m_bus(bus), m_configuration(pci::Configuration::of(bus.access)), m_registry(registry) {}

    Result<BusChanges> run() {
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

private:
    /// Whether what is there is what was there.
    bool is_there(pci::Function const& function) const {
        pci::FunctionSpace const space(m_configuration, function.where);
        u32 const identity = u32{function.header.device} << 16 | function.header.vendor;
        return space.read_32(0) == identity;
    }

    void take_departed() {
        auto const gone = [this]() -> pci::Function const* {
            for (pci::Function const& function : m_bus.functions.functions()) {
                if (!is_there(function)) {
                    return &function;
                }
            }
            return nullptr;
        };
        while (pci::Function const* const function = gone()) {
            pci::Address const where = function->where;
            // That it is not known to the registry is as well.
            static_cast<void>(m_registry.depart(where, device::Removal::gone));
            m_bus.functions.remove(where);
            ++m_changes.departed;
        }
    }

    Result<void> scan(u16 segment) {
        Buses buses;
        for (pci::Function const& function : m_bus.functions.functions()) {
            buses.add(function, segment);
        }
        for (u32 bus = 0; bus < 256; ++bus) {
            for (u8 device = 0; buses.is_known[bus] && device < pci::Address::devices; ++device) {
                TRY(scan_device({segment, static_cast<u8>(bus), device, 0}));
            }
        }
        return {};
    }

    Result<void> scan_device(pci::Address first) {
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
    void give_addresses(pci::Function const& function) {
        auto const known = m_bus.functions.functions();
        auto const bridge = std::ranges::find_if(known, [&](pci::Function const& each) {
            return each.where.segment == function.where.segment && each.buses.secondary != 0 &&
                   each.buses.secondary == function.where.bus;
        });
        if (bridge != known.end()) {
            static_cast<void>(
                pci::assign_addresses(m_configuration, bridge->where, function, known));
        }
    }

    Result<void> take_arrived(pci::Address where) {
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

    PciBus& m_bus;
    pci::Configuration m_configuration;
    DriverRegistry& m_registry;
    BusChanges m_changes;
};

} // namespace

Result<BusChanges> rescan_devices(Kernel& kernel) {
    PciBus* const bus = TRY(pci_bus(kernel));
    DeviceModel* const model = TRY(device_model(kernel));
    return with_registry(
        *model, [&](DriverRegistry& registry) { return Rescan(*bus, registry).run(); });
}

} // namespace twofold::boot
