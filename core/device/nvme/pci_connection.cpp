// See pci_connection.hpp.
#include "core/device/nvme/pci_connection.hpp"

#include "core/device/nvme/driver.hpp"
#include "core/device/pci/msix_table.hpp"

#include <algorithm>
#include <new>

namespace twofold::nvme {

Result<PciConnection*>
PciConnection::open(device::DriverEnvironment const& environment, pci::Function const& function) {
    auto const bar = std::ranges::find_if(function.bars, [](pci::Bar const& each) {
        return each.number == 0 && each.is_memory() && each.kind != pci::BarKind::rom;
    });
    if (bar == function.bars.end() || bar->address == 0 || !function.msix ||
        bar->size < reg::doorbells) {
        return Error::not_supported;
    }
    auto* const room = TRY(memory::allocate_room<PciConnection>(environment.heap, 1));
    auto* const connection = new (room) PciConnection(environment, function);
    connection->let_master(pci::Switch::on);
    if (auto const mapped = connection->map(function, *bar); !mapped) {
        connection->close();
        return mapped.error();
    }
    connection->allow_messages();
    return connection;
}

/// Each vector is masked by itself until it is bound.
void PciConnection::allow_messages() {
    pci::MsixControl control(m_space, m_msix);
    control.set_function_mask(pci::Switch::off);
    control.set_messages(pci::Switch::on);
}

void PciConnection::let_master(pci::Switch wanted) {
    constexpr u32 decode = 2, master = 4;
    u32 const before = m_space.read_16(pci::offset::command) & ~master;
    u32 const after = before | decode | (wanted == pci::Switch::on ? master : 0);
    m_space.write_16(pci::offset::command, static_cast<u16>(after));
}

Result<VirtAddr>
PciConnection::show(pci::Function const& function, u8 number, u32 offset, Bytes size) {
    auto const bar = std::ranges::find(function.bars, number, &pci::Bar::number);
    CHECK(bar != function.bars.end()); // read_msix has found it
    return m_environment.space.map_device(
        PhysAddr{bar->address} + Bytes{offset}, size, hal::CacheMode::uncached);
}

Result<void> PciConnection::map(pci::Function const& function, pci::Bar const& registers) {
    m_registers = TRY(m_environment.space.map_device(
        PhysAddr{registers.address}, registers.size, hal::CacheMode::uncached));
    m_register_bytes = registers.size;
    m_table = TRY(show(
        function, m_msix.table_bar, m_msix.table_offset,
        Bytes{u64{m_msix.vectors} * pci::msix_entry_bytes}));
    m_pending = TRY(show(
        function, m_msix.pending_bar, m_msix.pending_offset,
        Bytes{(u64{m_msix.vectors} + 63) / 64 * sizeof(u64)}));
    return {};
}

Result<void>
PciConnection::bind(u32 vector, CpuId cpu, processor::InterruptBinding const& binding) {
    if (m_bound.full()) {
        return Error::no_space;
    }
    CHECK(vector == m_bound.size()); // one after the other
    auto const bound = TRY(m_environment.interrupts.bind_message(cpu, binding));
    m_bound.push_back(bound).value(); // it is not full
    return set_message(vector);
}

Result<void> PciConnection::set_message(u32 vector) {
    hal::Message const& message = m_bound[vector].message;
    pci::MsixTable table(m_table, m_pending, m_msix.vectors);
    TRY(table.set_message(vector, {message.address.value, message.data}));
    return table.unmask(vector);
}

void PciConnection::restore() {
    let_master(pci::Switch::on);
    for (u32 vector = 0; vector < m_bound.size(); ++vector) {
        set_message(vector).value(); // as when it was bound
    }
    allow_messages();
}

void PciConnection::mask(u32 vector) {
    pci::MsixTable(m_table, m_pending, m_msix.vectors).mask(vector).value(); // there is that one
}

void PciConnection::unmask(u32 vector) {
    pci::MsixTable(m_table, m_pending, m_msix.vectors).unmask(vector).value();
}

Result<void> PciConnection::begin_errands(Errands const& errands) {
    for (usize kind = 0; kind < errand_kinds; ++kind) {
        m_desks[kind].run = errands.run[kind];
        m_desks[kind].object = errands.object;
    }
    if (task::Threads* const threads = task::Threads::here()) {
        constexpr std::string_view names[errand_kinds] = {"nvme", "nvme look"};
        for (usize kind = 0; kind < errand_kinds; ++kind) {
            m_desks[kind].wake.emplace(threads->waiting());
            task::ThreadAttributes attributes;
            attributes.name = names[kind];
            m_desks[kind].worker = TRY(threads->spawn(attributes, work, &m_desks[kind]));
        }
        return {};
    }
    m_errand_vector = TRY(m_environment.interrupts.bind_any(
        {.handler = [](void*, hal::Interruption const&) { return processor::Handling::wake; },
         .argument = this,
         .name = "nvme errands",
         .second_half = errand_work}));
    return {};
}

void PciConnection::work(void* argument) {
    auto& desk = *static_cast<Desk*>(argument);
    while (true) {
        desk.wake->wait();
        desk.wake->reset();
        if (desk.ends.load(acquire) != 0) {
            return;
        }
        desk.run(desk.object);
    }
}

void PciConnection::errand_work(void* self) {
    for (Desk const& desk : static_cast<PciConnection*>(self)->m_desks) {
        desk.run(desk.object);
    }
}

void PciConnection::request_errand(ErrandKind kind) {
    if (Desk& desk = m_desks[static_cast<usize>(kind)]; desk.worker != nullptr) {
        desk.wake->set();
    } else if (m_errand_vector) {
        sync::InterruptGuard const off;
        processor::request_work(processor::this_cpu(), *m_errand_vector);
    }
}

void PciConnection::unbind() {
    for (u32 vector = 0; vector < m_bound.size(); ++vector) {
        mask(vector);
    }
    while (!m_bound.empty()) {
        m_environment.interrupts.unbind(m_bound.back().vector).value(); // it is bound
        m_bound.pop_back();
    }
    if (m_errand_vector) {
        m_environment.interrupts.unbind(*m_errand_vector).value();
        m_errand_vector.reset();
    }
    for (Desk& desk : m_desks) {
        if (desk.worker != nullptr) {
            desk.ends.store(1, release);
            desk.wake->set();
            task::Threads::here()->join(*desk.worker).value(); // nobody else joins it
            desk.worker = nullptr;
        }
    }
}

void PciConnection::cut_off() {
    let_master(pci::Switch::off);
}

void PciConnection::close() {
    CHECK(m_bound.empty());
    for (Desk const& desk : m_desks) {
        CHECK(desk.worker == nullptr);
    }
    pci::MsixControl(m_space, m_msix).set_messages(pci::Switch::off);
    let_master(pci::Switch::off);
    for (VirtAddr const view : {m_registers, m_table, m_pending}) {
        if (view != VirtAddr{}) {
            m_environment.space.unmap_device(view).value(); // `map` has mapped it
        }
    }
    memory::KernelHeap& heap = m_environment.heap;
    this->~PciConnection();
    memory::free_room(heap, this);
}

namespace {

bool matches(pci::Function const& function) {
    pci::Header const& header = function.header;
    u32 const its_class =
        u32{header.base_class} << 16 | u32{header.subclass} << 8 | header.interface;
    return header.kind == pci::HeaderKind::endpoint && its_class == pci_class;
}

Result<device::BoundDevice*>
probe(device::DriverEnvironment const& environment, pci::Function const& function) {
    return static_cast<device::BoundDevice*>(TRY(open_controller(environment, function)));
}

} // namespace

device::Driver const driver{.name = "nvme", .matches = matches, .probe = probe};

Result<Controller*> open_controller(
    device::DriverEnvironment const& environment,
    pci::Function const& function,
    ControllerOptions const& options) {
    PciConnection* const connection = TRY(PciConnection::open(environment, function));
    return Controller::open(
        {.environment = environment,
         .registers = connection->registers(),
         .function = function.where,
         .connection = *connection,
         .options = options});
}

} // namespace twofold::nvme
