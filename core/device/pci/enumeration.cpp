// See enumeration.hpp.
#include "core/device/pci/enumeration.hpp"

#include "core/base/base.hpp"

namespace twofold::pci {

std::optional<Function> read_function(FunctionSpace const& space) {
    Defects defects;
    auto const header = read_header(space, defects);
    if (!header) {
        return std::nullopt;
    }
    Function found{.where = space.where(), .header = *header};
    found.bars = read_bars(space, header->kind, defects);
    found.capabilities = read_capabilities(space, *header, defects);
    auto const list = found.capabilities.items();
    if (auto const msi = find_capability(list, capability_id::msi)) {
        if (auto const read = read_msi(space, *msi, defects)) {
            found.msi = read.value();
        }
    }
    if (auto const msix = find_capability(list, capability_id::msix)) {
        if (auto const read = read_msix(space, *msix, found.bars.items(), defects)) {
            found.msix = read.value();
        }
    }
    auto const express = find_capability(list, capability_id::pci_express);
    if (header->kind == HeaderKind::bridge && express) {
        found.slot = read_slot(space, *express);
    }
    found.defects = defects;
    return found;
}

Result<void> Enumeration::run(BusRange range) {
    if (range.first > range.last) {
        return Error::invalid_argument;
    }
    m_range = range;
    for (unsigned bus = range.first; bus <= range.last; ++bus) {
        if (!is_free(bus, nobody)) {
            continue;
        }
        usize const first = m_bridges.size();
        TRY(scan_bus(static_cast<u8>(bus), nobody, FirmwareNumbers::kept));
        for (usize index = first; index < m_bridges.size(); ++index) { // grows while it runs
            if (m_bridges[index].is_settled) {
                TRY(scan_behind(index, FirmwareNumbers::kept));
            }
        }
    }
    TRY(number_bridges());
    for (Bridge& bridge : m_bridges) {
        settle(bridge);
    }
    return {};
}

/// Adds every function of a bus; bridges among them are appended to m_bridges, and forward from
/// then on what is theirs alone.
Result<void> Enumeration::scan_bus(u8 bus, u16 owner, FirmwareNumbers numbers) {
    usize const first = m_bridges.size();
    for (u8 device = 0; device < Address::devices; ++device) {
        Address where{m_range.segment, bus, device, 0};
        bool several = false;
        if (!TRY(scan_function(where, owner, several))) {
            continue;
        }
        for (u8 function = 1; several && function < Address::functions; ++function) {
            where.function = function;
            bool ignored = false; // what function 0 says counts
            static_cast<void>(TRY(scan_function(where, owner, ignored)));
        }
    }
    for (usize index = first; index < m_bridges.size(); ++index) {
        claim_or_shut(index, numbers);
    }
    return {};
}

/// Adds the function at `where`; false if there is none.
Result<bool> Enumeration::scan_function(Address where, u16 owner, bool& several) {
    FunctionSpace const space(m_configuration, where);
    auto found = read_function(space);
    if (!found) {
        return false;
    }
    m_used[where.bus] = true;
    several = found->header.several_functions;
    if (found->header.kind == HeaderKind::bridge &&
        !m_bridges.push_back({.where = where, .buses = read_bus_numbers(space), .owner = owner})) {
        found->defects.add(Defect::bridges_many);
    }
    TRY(m_store.add(m_store.context, *found));
    return true;
}

Result<void> Enumeration::scan_behind(usize index, FirmwareNumbers numbers) {
    Bridge& bridge = m_bridges[index];
    bridge.first_child = bridge.next_child = static_cast<u16>(m_bridges.size());
    TRY(scan_bus(bridge.buses.secondary, static_cast<u16>(index + 1), numbers));
    bridge.last_child = static_cast<u16>(m_bridges.size());
    return {};
}

/// Gives a bridge the buses that its registers name, if they can stay; else it forwards nothing
/// until it is numbered.
void Enumeration::claim_or_shut(usize index, FirmwareNumbers numbers) {
    Bridge& bridge = m_bridges[index];
    if (bridge.buses.secondary == 0) {
        return; // never numbered
    }
    if (numbers == FirmwareNumbers::kept) {
        auto const problem = problem_of(bridge);
        if (!problem) {
            bridge.is_settled = true;
            own(bridge.buses.secondary, bridge.buses.subordinate, static_cast<u16>(index + 1));
            m_used[bridge.buses.secondary] = true;
            return;
        }
        bridge.defects.add(*problem);
    }
    bridge.buses = {.primary = bridge.where.bus};
    write_bus_numbers(FunctionSpace(m_configuration, bridge.where), bridge.buses);
}

/// Why the firmware's numbers cannot stay, if they cannot.
std::optional<Defect> Enumeration::problem_of(Bridge const& bridge) const {
    BusNumbers const& buses = bridge.buses;
    if (buses.secondary == bridge.where.bus) {
        return Defect::bridge_points_at_itself;
    }
    if (buses.primary != bridge.where.bus) {
        return Defect::bridge_primary_wrong;
    }
    if (buses.subordinate < buses.secondary) {
        return Defect::bridge_reversed;
    }
    BusNumbers const parent = bridge.owner == nobody ? BusNumbers{0, m_range.first, m_range.last}
                                                     : m_bridges[bridge.owner - usize{1}].buses;
    if (buses.secondary < parent.secondary || buses.subordinate > parent.subordinate) {
        return Defect::bridge_outside_parent;
    }
    for (unsigned bus = buses.secondary; bus <= buses.subordinate; ++bus) {
        if (!is_free(bus, bridge.owner)) {
            return Defect::bridge_bus_taken;
        }
    }
    return std::nullopt;
}

/// Numbers the bridges that are left, each with all that is found behind it before the next.
Result<void> Enumeration::number_bridges() {
    usize const known = m_bridges.size(); // what is found behind them is numbered on the way
    for (usize top = 0; top < known; ++top) {
        if (m_bridges[top].is_settled || !TRY(open(top))) {
            continue;
        }
        usize current = top;
        for (;;) { // bounded: each step takes a child away or goes up
            Bridge& bridge = m_bridges[current];
            if (bridge.next_child < bridge.last_child) {
                usize const child = bridge.next_child++;
                current = TRY(open(child)) ? child : current;
                continue;
            }
            close(current);
            if (current == top) {
                break;
            }
            current = bridge.owner - usize{1};
        }
    }
    return {};
}

/// Gives a bridge the lowest free run of its parent's buses, and scans the first of them. False if
/// there is none or the bridge does not take it: then nothing is behind it.
Result<bool> Enumeration::open(usize index) {
    Bridge& bridge = m_bridges[index];
    FunctionSpace const space(m_configuration, bridge.where);
    bridge.is_settled = true;
    bridge.buses = {.primary = bridge.where.bus};
    unsigned first = bridge.where.bus + 1u;
    while (first <= m_range.last && !is_free(first, bridge.owner)) {
        ++first;
    }
    if (first > m_range.last) {
        bridge.defects.add(Defect::bridge_without_number);
        write_bus_numbers(space, bridge.buses); // forwards nothing
        return false;
    }
    unsigned last = first;
    while (last < m_range.last && is_free(last + 1, bridge.owner)) {
        ++last;
    }
    BusNumbers const wanted{bridge.where.bus, static_cast<u8>(first), static_cast<u8>(last)};
    write_bus_numbers(space, wanted);
    if (read_bus_numbers(space) != wanted) {
        bridge.defects.add(Defect::bridge_stuck);
        write_bus_numbers(space, bridge.buses);
        return false;
    }
    bridge.buses = wanted;
    own(wanted.secondary, wanted.subordinate, static_cast<u16>(index + 1));
    m_used[first] = true;
    TRY(scan_behind(index, FirmwareNumbers::discarded));
    return true;
}

/// Gives back the buses at the end of a run that nothing behind the bridge has taken.
void Enumeration::close(usize index) {
    Bridge& bridge = m_bridges[index];
    u8 last = bridge.buses.subordinate;
    while (last > bridge.buses.secondary && !m_used[last]) {
        --last;
    }
    if (last < bridge.buses.subordinate) {
        own(static_cast<u8>(last + 1), bridge.buses.subordinate, bridge.owner);
        bridge.buses.subordinate = last;
        write_bus_numbers(FunctionSpace(m_configuration, bridge.where), bridge.buses);
    }
}

void Enumeration::settle(Bridge& bridge) {
    m_store.settle(m_store.context, bridge.where, bridge.buses, bridge.defects);
}

void Enumeration::own(u8 first, u8 last, u16 owner) {
    for (unsigned bus = first; bus <= last; ++bus) {
        m_owner[bus] = owner;
    }
}

} // namespace twofold::pci
