// See mmio_transport.hpp.
#include "core/device/virtio/mmio_transport.hpp"

#include "core/device/virtio/layout.hpp"
#include "hal/io.hpp"

#include <new>
#include <optional>

namespace twofold::device::virtio {

namespace {

constexpr u32 magic = 0x7472'6976; // "virt"
constexpr u32 modern_version = 2;
constexpr Bytes registers_max{u64{1} << 20};

/// Registers (section 4.2.2), 32 bits each.
namespace offset {

constexpr Bytes magic{0x000}, version{0x004}, kind{0x008}, device_features{0x010},
    device_features_select{0x014}, driver_features{0x020}, driver_features_select{0x024},
    queue_select{0x030}, queue_entries_max{0x034}, queue_entries{0x038}, queue_ready{0x044},
    queue_notify{0x050}, interrupt_status{0x060}, interrupt_acknowledge{0x064}, status{0x070},
    queue_descriptors{0x080}, queue_available{0x090}, queue_used{0x0a0}, generation{0x0fc},
    configuration{0x100};

} // namespace offset

class MmioTransport final : public Transport {
public:
    MmioTransport(
        DriverEnvironment const& environment, VirtAddr registers, MmioPlace const& place, u32 kind)
        : m_environment(environment), m_registers(registers), m_place(place), m_kind(kind) {}

    DmaSpace& dma() override { return m_dma; }
    u32 device_kind() const override { return m_kind; }
    std::string_view name() const override { return "MMIO"; }

    u32 read_features(u32 word) override {
        write(offset::device_features_select, word);
        return read(offset::device_features);
    }
    void write_features(u32 word, u32 bits) override {
        write(offset::driver_features_select, word);
        write(offset::driver_features, bits);
    }
    u8 read_status() override { return static_cast<u8>(read(offset::status)); }
    void write_status(u8 status) override { write(offset::status, status); }

    u16 queue_entries_max(u16 queue) override {
        write(offset::queue_select, queue);
        u32 const most = read(offset::queue_entries_max);
        return most > UINT16_MAX ? u16{1} << 15 : static_cast<u16>(most);
    }
    Result<void> enable_queue(u16 queue, QueueMemory const& memory) override;
    void notify(u16 queue) override { write(offset::queue_notify, queue); }

    u32 configuration_generation() override { return read(offset::generation); }
    Bytes configuration_size() const override { return m_place.size - offset::configuration; }
    u32 read_configuration(Bytes at) override {
        CHECK(at + Bytes{4} <= configuration_size() && at.value % 4 == 0);
        return read(offset::configuration + at);
    }
    void write_configuration(Bytes at, u32 value) override {
        CHECK(at + Bytes{4} <= configuration_size() && at.value % 4 == 0);
        write(offset::configuration + at, value);
    }

    Result<void> bind(TransportEvents const& events, std::string_view name) override;
    void request_work() override {
        m_news.fetch_or(queues_bit, acquire_release);
        processor::request_work(processor::this_cpu(), *m_vector);
    }
    void unbind() override {
        if (m_vector) {
            m_environment.interrupts.unbind(*m_vector).value(); // it is bound
            m_vector.reset();
        }
    }
    void close() override;

private:
    static constexpr u32 queues_bit = 1, configuration_bit = 2; ///< of the interrupt status

    ~MmioTransport() = default;

    u32 read(Bytes at) const { return hal::Io::read_32(m_registers + at); }
    void write(Bytes at, u32 value) { hal::Io::write_32(m_registers + at, value); }
    void write_64(Bytes at, u64 value) {
        write(at, static_cast<u32>(value));
        write(at + Bytes{4}, static_cast<u32>(value >> 32));
    }
    static processor::Handling take_interrupt(void* self, hal::Interruption const& interruption);
    static void work(void* self);

    DriverEnvironment m_environment;
    VirtAddr m_registers;
    MmioPlace m_place;
    u32 m_kind;
    DmaSpace m_dma; ///< it is on no bus
    TransportEvents m_events;
    std::optional<hal::Vector> m_vector;
    Atomic<u32> m_news{0}; ///< interrupt status that has been acknowledged and not been told of
};

Result<void> MmioTransport::enable_queue(u16 queue, QueueMemory const& memory) {
    write(offset::queue_select, queue);
    if (read(offset::queue_ready) != 0) {
        return Error::already_exists;
    }
    write(offset::queue_entries, memory.entries);
    write_64(offset::queue_descriptors, memory.descriptors.value);
    write_64(offset::queue_available, memory.available.value);
    write_64(offset::queue_used, memory.used.value);
    write(offset::queue_ready, 1);
    return read(offset::queue_ready) == 1 ? Result<void>() : Error::corrupted;
}

Result<void> MmioTransport::bind(TransportEvents const& events, std::string_view name) {
    m_events = events;
    m_vector = TRY(m_environment.interrupts.bind_line(
        {.line = m_place.line, .trigger = hal::Trigger::level, .polarity = hal::Polarity::high},
        {.handler = take_interrupt, .argument = this, .name = name, .second_half = work}));
    return m_environment.interrupts.unmask_line(m_place.line);
}

/// The line stays up until all that it tells of is acknowledged.
processor::Handling MmioTransport::take_interrupt(void* self, hal::Interruption const&) {
    auto& transport = *static_cast<MmioTransport*>(self);
    u32 const news = transport.read(offset::interrupt_status) & (queues_bit | configuration_bit);
    if (news == 0) {
        return processor::Handling::not_mine;
    }
    transport.write(offset::interrupt_acknowledge, news);
    transport.m_news.fetch_or(news, acquire_release);
    return processor::Handling::wake;
}

void MmioTransport::work(void* self) {
    auto& transport = *static_cast<MmioTransport*>(self);
    u32 const news = transport.m_news.exchange(0, acquire_release);
    TransportEvents const& events = transport.m_events;
    if ((news & queues_bit) != 0) {
        events.queues(events.object);
    }
    if ((news & configuration_bit) != 0) {
        events.configuration(events.object);
    }
}

void MmioTransport::close() {
    CHECK(!m_vector);
    DriverEnvironment const environment = m_environment;
    environment.space.unmap_device(m_registers).value(); // it was mapped for this one
    this->~MmioTransport();
    memory::free_room(environment.heap, this);
}

/// Whether the registers are those of a device of that kind.
Result<void> identify(VirtAddr registers, u32 kind) {
    if (hal::Io::read_32(registers + offset::magic) != magic) {
        return Error::not_supported;
    }
    // Where no device is plugged in the version says nothing.
    if (hal::Io::read_32(registers + offset::kind) != kind) {
        return Error::not_found;
    }
    return hal::Io::read_32(registers + offset::version) == modern_version ? Result<void>()
                                                                           : Error::not_supported;
}

} // namespace

Result<MmioPlace> parse_mmio_place(std::string_view text) {
    usize const at = text.find('@');
    usize const colon = text.find(':');
    if (at == std::string_view::npos || colon == std::string_view::npos || colon < at) {
        return Error::invalid_argument;
    }
    auto const size = parse_size(slice(text, 0, at));
    auto const address = parse_unsigned(slice(text, at + 1, colon - at - 1));
    auto const line = parse_unsigned(slice(text, colon + 1, text.size() - colon - 1));
    if (!size || !address || !line || size.value() == Bytes{} || size.value() > registers_max ||
        line.value() > UINT32_MAX || address.value() > UINT64_MAX - registers_max.value) {
        return Error::invalid_argument;
    }
    return MmioPlace{
        .registers = {address.value()},
        .size = size.value(),
        .line = {static_cast<u32>(line.value())}};
}

Result<Transport*>
open_mmio_transport(DriverEnvironment const& environment, MmioPlace const& place, u32 kind) {
    if (place.size <= offset::configuration || place.registers.value % 4 != 0) {
        return Error::invalid_argument;
    }
    VirtAddr const registers =
        TRY(environment.space.map_device(place.registers, place.size, hal::CacheMode::uncached));
    if (auto const identified = identify(registers, kind); !identified) {
        TRY(environment.space.unmap_device(registers));
        return identified.error();
    }
    auto const room = memory::allocate_room<MmioTransport>(environment.heap, 1);
    if (!room) {
        TRY(environment.space.unmap_device(registers));
        return room.error();
    }
    return new (room.value()) MmioTransport(environment, registers, place, kind);
}

} // namespace twofold::device::virtio
