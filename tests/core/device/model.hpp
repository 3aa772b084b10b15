// A model of a bus in memory of the running kernel, and its enumeration.
#pragma once

#include "apps/scenarios/pci_model.hpp"
#include "core/boot/boot.hpp"
#include "tests/support/test.hpp"

namespace twofold::pci::test {

using scenarios::PciModel;
using scenarios::PciModelFunction;
using Heap = memory::KernelHeap;

/// Functions of a model, one after the other, and what enumerating them finds.
class Bus {
public:
    explicit Bus(u8 root = 0)
        : m_heap(*boot::current_kernel().heap), m_model(m_heap), m_root(root), inventory(m_heap) {
        m_model.reserve(functions_max).value();
    }

    /// Adds a function; its number is what bridges are named by.
    PciModelFunction& add(u8 device, u8 parent = PciModelFunction::on_root, u8 function = 0) {
        m_model.emplace().value();
        m_model.back().device = device;
        m_model.back().parent = parent;
        m_model.back().function = function;
        return m_model.back();
    }
    PciModelFunction& add_endpoint(u8 device, u8 parent = PciModelFunction::on_root) {
        PciModelFunction& it = add(device, parent);
        it.begin(0x0010'2f0d, 0xff0000);
        return it;
    }
    /// `buses`: primary, secondary, subordinate from the lowest byte on.
    PciModelFunction& add_bridge(u8 device, u32 buses, u8 parent = PciModelFunction::on_root) {
        PciModelFunction& it = add(device, parent);
        it.begin(0x0002'2f0d, 0x060400, true);
        it.define(0x18, 4, buses, 0x00ff'ffff);
        return it;
    }

    Result<void> enumerate(BusRange range = {0, 0, 0xff}) {
        PciModel bus(m_model.items(), m_root);
        auto const walk = TRY((memory::Box<Enumeration, Heap>::create(
            m_heap, Configuration::of(bus), inventory.store())));
        auto const outcome = walk->run(range);
        reads = bus.reads;
        writes_while_decoding = bus.writes_while_decoding;
        return outcome;
    }
    PciModelFunction& model(usize index) { return m_model[index]; }
    Function const* find(u8 bus, u8 device, u8 function = 0) const {
        return inventory.find({0, bus, device, function});
    }

private:
    static constexpr usize functions_max = 24;

    Heap& m_heap;
    memory::Vector<PciModelFunction, Heap> m_model;
    u8 m_root;

public:
    Inventory<Heap> inventory;
    u64 reads = 0;
    u64 writes_while_decoding = 0;
};

/// One function alone, with its space.
class Single {
public:
    Single() : m_model({&it, 1}) { it.begin(0x0010'2f0d, 0xff0000); }

    FunctionSpace space() { return {Configuration::of(m_model), {}}; }

    PciModelFunction it;

private:
    PciModel m_model;
};

} // namespace twofold::pci::test
