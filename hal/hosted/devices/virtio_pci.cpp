// The registers of a device of VIRTIO, and its life. See virtio_pci.hpp; its queues are in
// virtio_queue.cpp.
#include "hal/hosted/devices/virtio_pci.hpp"

#include <algorithm>
#include <cstring>

namespace hosted {

using virtio::Common;

namespace {

constexpr u8 feature_words = 2; // of 32 bits

u32 word_of(u64 features, u32 select) {
    return select < feature_words ? static_cast<u32>(features >> 32 * select) : 0;
}

/// What is behind a capability's header: its structure is in base address 0.
std::vector<u8>
capability_body(virtio::Structure structure, u64 offset, u64 bytes, std::optional<u32> further) {
    std::vector<u8> body = {static_cast<u8>(structure), 0, 0, 0, 0};
    auto const append = [&body](u64 word) {
        for (u32 i = 0; i < sizeof(u32); ++i) {
            body.push_back(static_cast<u8>(word >> 8 * i));
        }
    };
    append(offset);
    append(bytes);
    if (further) {
        append(*further);
    }
    return body;
}

} // namespace

VirtioPci::VirtioPci(VirtioKind const& kind) : m_kind(kind), m_queues(kind.queues) {
    CHECK(kind.queues >= 1 && kind.queues <= queues_max && kind.config_bytes <= config_bytes_max);
    CHECK(is_power_of_two(kind.queue_entries_max) && kind.queue_entries_max <= 32768);
    CHECK((kind.features & virtio::feature_version_1) == 0);
}

PciIdentity VirtioPci::identity() const {
    using virtio::Structure;
    return {
        .device = static_cast<u16>(virtio::first_device_id + m_kind.type),
        .class_and_revision = m_kind.class_and_revision,
        .subsystem = static_cast<u16>(virtio::first_device_id + m_kind.type),
        .register_bytes = register_bytes,
        .vendor = virtio::vendor,
        .messages = {.vectors = vectors(), .table = table_at, .pending = pending_at},
        .capabilities = {
            capability_body(Structure::common, common_at, sizeof(Common), {}),
            capability_body(
                Structure::notify, notify_at, u64{m_kind.queues} * notify_step, notify_step),
            capability_body(Structure::isr, isr_at, 1, {}),
            capability_body(Structure::device, config_at, m_kind.config_bytes, {})}};
}

void VirtioPci::power_on(std::span<std::byte> registers) {
    m_generation = 0;
    cut_power();
    reset(registers);
}

/// All that a driver has set is forgotten.
void VirtioPci::reset(std::span<std::byte> registers) {
    m_device_feature_select = 0;
    m_driver_feature_select = 0;
    m_driver_features = 0;
    m_config_vector = virtio::no_vector;
    m_select = 0;
    m_status = 0;
    std::ranges::fill(m_queues, Queue{.entries = m_kind.queue_entries_max});
    reset_own();
    publish(registers);
    publish_config(registers);
}

/// The common configuration as the device holds it.
void VirtioPci::publish(std::span<std::byte> registers) {
    Common shown{
        .device_feature_select = m_device_feature_select,
        .device_feature = word_of(offered(), m_device_feature_select),
        .driver_feature_select = m_driver_feature_select,
        .driver_feature = word_of(m_driver_features, m_driver_feature_select),
        .config_vector = m_config_vector,
        .queues = static_cast<u16>(m_queues.size()),
        .status = m_status,
        .config_generation = m_generation,
        .queue_select = m_select};
    if (Queue const* const queue = selected()) { // else its size is 0: there is no such queue
        shown.queue_size = queue->entries;
        shown.queue_vector = queue->vector;
        shown.queue_enable = queue->is_enabled;
        shown.queue_notify_offset = m_select;
        shown.descriptors = queue->descriptors;
        shown.available = queue->available;
        shown.used = queue->used;
    }
    CHECK(common_at + sizeof(shown) <= registers.size());
    std::memcpy(registers.data() + common_at, &shown, sizeof(shown));
}

void VirtioPci::publish_config(std::span<std::byte> registers) const {
    fill_config(registers.subspan(config_at, m_kind.config_bytes));
}

void VirtioPci::written(DeviceBus& bus, u64 offset) {
    if (offset < common_at + sizeof(Common)) {
        Common seen;
        std::memcpy(&seen, bus.registers().data() + common_at, sizeof(seen));
        write_common(bus, offset - common_at, seen);
        publish(bus.registers());
        return;
    }
    if (u64 const at = offset - config_at; at < m_kind.config_bytes) {
        config_written(bus, at, bus.registers().subspan(config_at, m_kind.config_bytes));
        publish_config(bus.registers());
        return;
    }
    u64 const queue = (offset - notify_at) / notify_step;
    if (offset >= notify_at && queue < m_queues.size() && is_running() &&
        m_queues[queue].is_enabled != 0) {
        notified(bus, static_cast<u32>(queue));
    }
}

void VirtioPci::write_common(DeviceBus& bus, u64 offset, Common const& seen) {
    switch (offset) {
    case offsetof(Common, device_feature_select):
        m_device_feature_select = seen.device_feature_select;
        break;
    case offsetof(Common, driver_feature_select):
        m_driver_feature_select = seen.driver_feature_select;
        break;
    case offsetof(Common, driver_feature):
        // After FEATURES_OK what was agreed on stays.
        if (m_driver_feature_select < feature_words && (m_status & virtio::features_ok) == 0) {
            u32 const shift = 32 * m_driver_feature_select;
            u64 const others = m_driver_features & ~(u64{~u32{0}} << shift);
            m_driver_features = others | u64{seen.driver_feature} << shift;
        }
        break;
    case offsetof(Common, config_vector):
        m_config_vector = accepted_vector(seen.config_vector);
        break;
    case offsetof(Common, status):
        write_status(bus, seen.status);
        break;
    case offsetof(Common, queue_select):
        m_select = seen.queue_select;
        break;
    default:
        write_queue(bus, offset, seen);
        break;
    }
}

void VirtioPci::write_queue(DeviceBus& bus, u64 offset, Common const& seen) {
    Queue* const queue = selected();
    if (queue == nullptr || offset < offsetof(Common, queue_size)) {
        return;
    }
    if (offset == offsetof(Common, queue_vector)) {
        queue->vector = accepted_vector(seen.queue_vector);
        return;
    }
    if (queue->is_enabled != 0) {
        return; // where it lies is settled; its enabling can only be undone by a reset
    }
    switch (offset) {
    case offsetof(Common, queue_size):
        queue->entries = seen.queue_size;
        break;
    case offsetof(Common, queue_enable):
        if (seen.queue_enable == 1) {
            enable(bus, *queue);
        }
        break;
    case offsetof(Common, descriptors):
    case offsetof(Common, descriptors) + sizeof(u32):
        queue->descriptors = seen.descriptors;
        break;
    case offsetof(Common, available):
    case offsetof(Common, available) + sizeof(u32):
        queue->available = seen.available;
        break;
    case offsetof(Common, used):
    case offsetof(Common, used) + sizeof(u32):
        queue->used = seen.used;
        break;
    default:
        break; // what cannot be written
    }
}

void VirtioPci::write_status(DeviceBus& bus, u8 status) {
    if (status == 0) {
        reset(bus.registers());
        return;
    }
    bool const asks = (status & virtio::features_ok) != 0;
    bool const agrees = (m_driver_features & ~offered()) == 0 &&
                        (m_driver_features & virtio::feature_version_1) != 0;
    // Refused by not showing the bit; so a driver that does not look never gets to DRIVER_OK.
    u8 const refused = asks && !agrees ? virtio::features_ok | virtio::driver_ok : 0;
    u8 const missing = asks ? 0 : virtio::driver_ok;
    m_status = static_cast<u8>(
        (status & ~(refused | missing | virtio::needs_reset)) | (m_status & virtio::needs_reset));
}

void VirtioPci::enable(DeviceBus& bus, Queue& queue) {
    bool const is_sound =
        is_power_of_two(queue.entries) && queue.entries <= m_kind.queue_entries_max &&
        is_aligned(queue.descriptors, sizeof(virtio::Descriptor)) &&
        is_aligned(queue.available, sizeof(u16)) && is_aligned(queue.used, sizeof(u32));
    if (!is_sound || (m_status & virtio::features_ok) == 0) {
        fail(bus);
        return;
    }
    queue.is_enabled = 1;
}

void VirtioPci::raise(DeviceBus& bus, u16 vector) {
    if (vector != virtio::no_vector) {
        bus.interrupt(vector);
    }
}

void VirtioPci::change_config(DeviceBus& bus) {
    ++m_generation;
    publish(bus.registers());
    publish_config(bus.registers());
    if ((m_status & virtio::driver_ok) != 0) {
        raise(bus, m_config_vector);
    }
}

void VirtioPci::fail(DeviceBus& bus) {
    if ((m_status & virtio::needs_reset) == 0) {
        m_status |= virtio::needs_reset;
        publish(bus.registers());
        if ((m_status & virtio::driver_ok) != 0) {
            raise(bus, m_config_vector);
        }
    }
}

void VirtioPci::archive(StateArchive& state) {
    state(m_device_feature_select);
    state(m_driver_feature_select);
    state(m_driver_features);
    state(m_config_vector);
    state(m_select);
    state(m_status);
    state(m_generation);
    state(m_queues);
    archive_own(state);
}

std::vector<std::byte> VirtioPci::save() const {
    StateArchive state;
    // It only reads what it is given: one description serves both directions.
    const_cast<VirtioPci&>(*this).archive(state);
    return state.take();
}

void VirtioPci::load(std::span<std::byte const> state) {
    loading();
    StateArchive in(state);
    archive(in);
    CHECK(!in.has_failed() && in.is_at_end() && m_queues.size() == m_kind.queues);
    loaded();
}

} // namespace hosted
