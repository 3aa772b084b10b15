// See pci_transport.hpp.
#include "core/device/virtio/pci_transport.hpp"

#include "core/device/pci/msix_table.hpp"
#include "core/device/virtio/layout.hpp"
#include "hal/io.hpp"

#include <algorithm>
#include <new>

namespace twofold::device::virtio {

namespace {

constexpr u16 vendor_capability = 0x09;
constexpr u16 modern_first = 0x1040;
constexpr u16 transitional_first = 0x1000;

/// Registers that every device has (section 4.1.4.3).
namespace common {

constexpr Bytes device_features_select{0}, device_features{4}, driver_features_select{8},
    driver_features{12}, configuration_vector{16}, status{20}, generation{21}, queue_select{22},
    queue_entries{24}, queue_vector{26}, queue_enable{28}, queue_notify_offset{30},
    queue_descriptors{32}, queue_available{40}, queue_used{48};
constexpr u32 size = 56;

} // namespace common

enum class Structure : u8 { common = 1, notify = 2, device = 4 };

/// A capability's fields (section 4.1.4).
namespace capability {

constexpr u32 length = 2, structure = 3, bar = 4, offset = 8, bytes = 12, multiplier = 16;
constexpr u8 size = 16;
constexpr u8 notify_size = 20;

} // namespace capability

Result<PciRegisters>
read_registers(pci::FunctionSpace const& space, pci::Function const& function, u32 at) {
    PciRegisters const found{
        .bar = space.read_8(at + capability::bar),
        .offset = space.read_32(at + capability::offset),
        .bytes = space.read_32(at + capability::bytes)};
    auto const bar = std::ranges::find_if(function.bars, [&](pci::Bar const& each) {
        return each.number == found.bar && each.is_memory() && each.kind != pci::BarKind::rom;
    });
    if (bar == function.bars.end() || bar->address == 0 || found.bytes == 0 ||
        u64{found.offset} + found.bytes > bar->size.value || found.offset % 4 != 0) {
        return Error::corrupted;
    }
    return found;
}

PhysAddr address_of(pci::Function const& function, PciRegisters const& registers) {
    auto const bar = std::ranges::find(function.bars, registers.bar, &pci::Bar::number);
    CHECK(bar != function.bars.end()); // read_registers has found it
    return PhysAddr{bar->address} + Bytes{registers.offset};
}

class PciTransport final : public Transport {
public:
    PciTransport(DriverEnvironment const& environment, pci::Function const& function)
        : m_environment(environment),
          m_space(environment.configuration, function.where),
          m_msix(*function.msix),
          m_kind(pci_device_kind(function.header)),
          m_dma(function.where) {}

    Result<void> map(pci::Function const& function, PciLayout const& layout);

    DmaSpace& dma() override { return m_dma; }
    u32 device_kind() const override { return m_kind; }
    std::string_view name() const override { return "PCI"; }

    u32 read_features(u32 word) override {
        hal::Io::write_32(m_common + common::device_features_select, word);
        return hal::Io::read_32(m_common + common::device_features);
    }
    void write_features(u32 word, u32 bits) override {
        hal::Io::write_32(m_common + common::driver_features_select, word);
        hal::Io::write_32(m_common + common::driver_features, bits);
    }
    u8 read_status() override { return hal::Io::read_8(m_common + common::status); }
    void write_status(u8 status) override { hal::Io::write_8(m_common + common::status, status); }

    u16 queue_entries_max(u16 queue) override {
        hal::Io::write_16(m_common + common::queue_select, queue);
        return hal::Io::read_16(m_common + common::queue_entries);
    }
    Result<void> enable_queue(u16 queue, QueueMemory const& memory) override;
    void notify(u16 queue) override {
        if (queue < queues_max) {
            hal::Io::write_16(m_notify + Bytes{m_notify_offsets[queue]}, queue);
        }
    }

    u32 configuration_generation() override {
        return hal::Io::read_8(m_common + common::generation);
    }
    Bytes configuration_size() const override { return m_configuration_size; }
    u32 read_configuration(Bytes offset) override {
        CHECK(offset + Bytes{4} <= m_configuration_size && offset.value % 4 == 0);
        return hal::Io::read_32(m_configuration + offset);
    }
    void write_configuration(Bytes offset, u32 value) override {
        CHECK(offset + Bytes{4} <= m_configuration_size && offset.value % 4 == 0);
        hal::Io::write_32(m_configuration + offset, value);
    }

    Result<void> bind(TransportEvents const& events, std::string_view name) override;
    void request_work() override {
        processor::request_work(processor::this_cpu(), *m_queue_vector);
    }
    void unbind() override;
    void close() override;

private:
    static constexpr u16 queues_max = 8;
    static constexpr u16 no_vector = 0xffff;

    ~PciTransport() = default;

    Result<VirtAddr> show(pci::Function const& function, PciRegisters const& registers) {
        return m_environment.space.map_device(
            address_of(function, registers), Bytes{registers.bytes}, hal::CacheMode::uncached);
    }
    Result<void> map_vectors(pci::Function const& function);
    Result<hal::Vector> bind_vector(u32 entry, std::string_view name, processor::WorkFunction work);
    void write_64(Bytes offset, u64 value) {
        hal::Io::write_32(m_common + offset, static_cast<u32>(value));
        hal::Io::write_32(m_common + offset + Bytes{4}, static_cast<u32>(value >> 32));
    }
    /// Entry 0 of the table tells of the configuration; entry 1 of queues, where there is one.
    u16 queue_entry() const { return m_msix.vectors > 1 ? 1 : 0; }

    static processor::Handling take_interrupt(void*, hal::Interruption const&) {
        return processor::Handling::wake;
    }
    static void queue_work(void* self);
    static void configuration_work(void* self);
    static void shared_work(void* self);

    DriverEnvironment m_environment;
    pci::FunctionSpace m_space;
    pci::MsixInfo m_msix;
    u32 m_kind;
    DmaSpace m_dma;
    VirtAddr m_common{};
    VirtAddr m_notify{};
    VirtAddr m_configuration{};
    VirtAddr m_table{};
    VirtAddr m_pending{};
    Bytes m_configuration_size{};
    u32 m_notify_bytes = 0;
    u32 m_notify_multiplier = 0;
    u64 m_notify_offsets[queues_max]{};
    TransportEvents m_events;
    std::optional<hal::Vector> m_queue_vector; ///< also of the configuration, where it is alone
    std::optional<hal::Vector> m_configuration_vector;
};

Result<void> PciTransport::map(pci::Function const& function, PciLayout const& layout) {
    m_common = TRY(show(function, layout.common));
    m_notify = TRY(show(function, layout.notify));
    m_notify_bytes = layout.notify.bytes;
    m_notify_multiplier = layout.notify_multiplier;
    if (layout.configuration) {
        m_configuration = TRY(show(function, *layout.configuration));
        m_configuration_size = Bytes{layout.configuration->bytes};
    }
    return map_vectors(function);
}

Result<void> PciTransport::map_vectors(pci::Function const& function) {
    // read_msix has found both inside base addresses.
    m_table = TRY(show(
        function,
        {m_msix.table_bar, m_msix.table_offset, u32{m_msix.vectors} * pci::msix_entry_bytes}));
    u32 const words = (u32{m_msix.vectors} + 63) / 64;
    m_pending = TRY(show(
        function,
        {m_msix.pending_bar, m_msix.pending_offset, words * static_cast<u32>(sizeof(u64))}));
    return {};
}

Result<void> PciTransport::enable_queue(u16 queue, QueueMemory const& memory) {
    if (queue >= queues_max) {
        return Error::not_supported;
    }
    hal::Io::write_16(m_common + common::queue_select, queue);
    if (hal::Io::read_16(m_common + common::queue_enable) != 0) {
        return Error::already_exists;
    }
    u64 const offset =
        u64{hal::Io::read_16(m_common + common::queue_notify_offset)} * m_notify_multiplier;
    if (offset % sizeof(u16) != 0 || offset + sizeof(u16) > m_notify_bytes) {
        return Error::corrupted;
    }
    m_notify_offsets[queue] = offset;
    hal::Io::write_16(m_common + common::queue_entries, memory.entries);
    hal::Io::write_16(m_common + common::queue_vector, queue_entry());
    if (hal::Io::read_16(m_common + common::queue_vector) != queue_entry()) {
        return Error::no_space;
    }
    write_64(common::queue_descriptors, memory.descriptors.value);
    write_64(common::queue_available, memory.available.value);
    write_64(common::queue_used, memory.used.value);
    hal::Io::write_16(m_common + common::queue_enable, 1);
    return {};
}

Result<hal::Vector>
PciTransport::bind_vector(u32 entry, std::string_view name, processor::WorkFunction work) {
    auto const bound = TRY(m_environment.interrupts.bind_message(
        CpuId{0},
        {.handler = take_interrupt, .argument = this, .name = name, .second_half = work}));
    pci::MsixTable table(m_table, m_pending, m_msix.vectors);
    table.set_message(entry, {bound.message.address.value, bound.message.data}).value();
    table.unmask(entry).value(); // there is one of that number
    return bound.vector;
}

Result<void> PciTransport::bind(TransportEvents const& events, std::string_view name) {
    m_events = events;
    pci::MsixControl control(m_space, m_msix);
    control.set_function_mask(pci::Switch::on);
    control.set_messages(pci::Switch::on);
    if (queue_entry() != 0) {
        m_configuration_vector = TRY(bind_vector(0, name, configuration_work));
        m_queue_vector = TRY(bind_vector(queue_entry(), name, queue_work));
    } else {
        m_queue_vector = TRY(bind_vector(0, name, shared_work));
    }
    hal::Io::write_16(m_common + common::configuration_vector, 0);
    if (hal::Io::read_16(m_common + common::configuration_vector) == no_vector) {
        return Error::no_space;
    }
    control.set_function_mask(pci::Switch::off);
    return {};
}

void PciTransport::queue_work(void* self) {
    auto const& events = static_cast<PciTransport*>(self)->m_events;
    events.queues(events.object);
}

void PciTransport::configuration_work(void* self) {
    auto const& events = static_cast<PciTransport*>(self)->m_events;
    events.configuration(events.object);
}

void PciTransport::shared_work(void* self) {
    queue_work(self);
    configuration_work(self);
}

void PciTransport::unbind() {
    for (auto* const vector : {&m_queue_vector, &m_configuration_vector}) {
        if (*vector) {
            m_environment.interrupts.unbind(**vector).value(); // it is bound
            vector->reset();
        }
    }
}

void PciTransport::close() {
    CHECK(!m_queue_vector && !m_configuration_vector);
    pci::MsixControl(m_space, m_msix).set_messages(pci::Switch::off);
    constexpr u16 master = 4; // without it the function reaches no memory, whatever it does
    m_space.write_16(
        pci::offset::command,
        static_cast<u16>(m_space.read_16(pci::offset::command) & ~u32{master}));
    for (VirtAddr const view : {m_common, m_notify, m_configuration, m_table, m_pending}) {
        if (view != VirtAddr{}) {
            m_environment.space.unmap_device(view).value(); // `map` has mapped it
        }
    }
    memory::KernelHeap& heap = m_environment.heap;
    this->~PciTransport();
    memory::free_room(heap, this);
}

} // namespace

u32 pci_device_kind(pci::Header const& header) {
    if (header.vendor != pci_vendor || header.kind != pci::HeaderKind::endpoint) {
        return device_kind::none;
    }
    if (header.device >= modern_first && header.device < modern_first + 0x40) {
        return header.device - u32{modern_first};
    }
    bool const is_transitional =
        header.device >= transitional_first && header.device < modern_first;
    return is_transitional ? u32{header.subsystem} : device_kind::none;
}

Result<PciLayout> read_pci_layout(pci::FunctionSpace const& space, pci::Function const& function) {
    PciLayout layout;
    bool has_common = false, has_notify = false;
    for (pci::Capability const& each : function.capabilities) {
        if (each.is_extended() || each.id != vendor_capability ||
            space.read_8(each.offset + capability::length) < capability::size) {
            continue;
        }
        // The first of each structure that is there is the one that the device would have used.
        switch (static_cast<Structure>(space.read_8(each.offset + capability::structure))) {
        case Structure::common:
            if (!has_common) {
                layout.common = TRY(read_registers(space, function, each.offset));
                has_common = true;
            }
            break;
        case Structure::notify:
            if (!has_notify) {
                layout.notify = TRY(read_registers(space, function, each.offset));
                layout.notify_multiplier = space.read_32(each.offset + capability::multiplier);
                has_notify =
                    space.read_8(each.offset + capability::length) >= capability::notify_size;
            }
            break;
        case Structure::device:
            if (!layout.configuration) {
                layout.configuration = TRY(read_registers(space, function, each.offset));
            }
            break;
        }
    }
    if (!has_common || !has_notify) {
        return Error::not_supported;
    }
    return layout.common.bytes >= common::size ? Result<PciLayout>(layout) : Error::corrupted;
}

Result<Transport*>
open_pci_transport(DriverEnvironment const& environment, pci::Function const& function) {
    pci::FunctionSpace const space(environment.configuration, function.where);
    PciLayout const layout = TRY(read_pci_layout(space, function));
    if (!function.msix) {
        return Error::not_supported;
    }
    PciTransport* const room = TRY(memory::allocate_room<PciTransport>(environment.heap, 1));
    auto* const transport = new (room) PciTransport(environment, function);
    constexpr u16 decode_and_master = 6;
    space.write_16(
        pci::offset::command,
        static_cast<u16>(space.read_16(pci::offset::command) | decode_and_master));
    if (auto const mapped = transport->map(function, layout); !mapped) {
        transport->close();
        return mapped.error();
    }
    return transport;
}

} // namespace twofold::device::virtio
