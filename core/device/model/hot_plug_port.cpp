// See hot_plug_port.hpp.
#include "core/device/model/hot_plug_port.hpp"

#include <algorithm>
#include <new>

namespace twofold::device {

namespace {

constexpr u16 decode_and_master = 6;

} // namespace

bool HotPlugPort::matches(pci::Function const& function) {
    return function.slot.has_value();
}

Result<BoundDevice*>
HotPlugPort::probe(DriverEnvironment const& environment, pci::Function const& function) {
    if (environment.slots == nullptr || (!function.msi && !function.msix)) {
        return Error::not_supported;
    }
    TRY(environment.slots->begin());
    auto* const room = TRY(memory::allocate_room<HotPlugPort>(environment.heap, 1));
    auto* const port = new (room) HotPlugPort(environment, function);
    if (auto const begun = port->begin(function); !begun) {
        port->give_back();
        return begun.error();
    }
    return port;
}

Result<void> HotPlugPort::begin(pci::Function const& function) {
    m_space.write_16(
        pci::offset::command,
        static_cast<u16>(m_space.read_16(pci::offset::command) | decode_and_master));
    auto const bound = TRY(m_environment.interrupts.bind_message(
        CpuId{0},
        {.handler = [](void*, hal::Interruption const&) { return processor::Handling::wake; },
         .argument = this,
         .name = "pcie-port",
         .second_half = work}));
    m_vector = bound.vector;
    pci::Message const message{bound.message.address.value, bound.message.data};
    if (m_msix) {
        TRY(map_table(function));
        pci::MsixTable table(m_table, m_pending, m_msix->vectors);
        TRY(table.set_message(0, message));
        TRY(table.unmask(0));
        pci::MsixControl(m_space, *m_msix).set_messages(pci::Switch::on);
    } else {
        pci::Msi msi(m_space, *m_msi);
        TRY(msi.set_message(message, 1));
        msi.set_messages(pci::Switch::on);
    }
    static_cast<void>(m_slot.take_news()); // of before
    m_slot.set_interrupts(pci::Switch::on);
    m_environment.slots->changed(); // what has come before is looked at, too
    return {};
}

Result<void> HotPlugPort::map_table(pci::Function const& function) {
    auto const show = [&](u8 number, u32 offset, u32 bytes) -> Result<VirtAddr> {
        auto const bar = std::ranges::find(function.bars, number, &pci::Bar::number);
        if (bar == function.bars.end() || bar->address == 0) {
            return Error::not_supported; // nobody has given it an address
        }
        return m_environment.space.map_device(
            PhysAddr{bar->address} + Bytes{offset}, Bytes{bytes}, hal::CacheMode::uncached);
    };
    u32 const words = (u32{m_msix->vectors} + 63) / 64;
    m_table = TRY(show(
        m_msix->table_bar, m_msix->table_offset, u32{m_msix->vectors} * pci::msix_entry_bytes));
    m_pending = TRY(
        show(m_msix->pending_bar, m_msix->pending_offset, words * static_cast<u32>(sizeof(u64))));
    return {};
}

void HotPlugPort::work(void* self) {
    auto const& port = *static_cast<HotPlugPort*>(self);
    port.m_environment.slots->changed();
}

void HotPlugPort::give_back() {
    if (m_vector) {
        m_environment.interrupts.unbind(*m_vector).value(); // it is bound
    }
    for (VirtAddr const view : {m_table, m_pending}) {
        if (view != VirtAddr{}) {
            m_environment.space.unmap_device(view).value(); // map_table has mapped it
        }
    }
    memory::KernelHeap& heap = m_environment.heap;
    this->~HotPlugPort();
    memory::free_room(heap, this);
}

void HotPlugPort::remove(Removal how) {
    if (how == Removal::orderly) {
        m_slot.set_interrupts(pci::Switch::off);
    }
    give_back();
}

Result<void> HotPlugPort::suspend() {
    m_slot.set_interrupts(pci::Switch::off);
    return {};
}

Result<void> HotPlugPort::resume() {
    m_slot.set_interrupts(pci::Switch::on);
    m_environment.slots->changed();
    return {};
}

} // namespace twofold::device
