// See virtio_block.hpp. How the driver is bound to functions is in virtio_block_driver.cpp.
#include "core/device/virtio/virtio_block.hpp"

#include "core/device/virtio/shared_object.hpp"

#include "hal/memory.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace twofold::device {

using namespace virtio::blk;
using block::Operation;
using virtio::load;
using virtio::Segment;
using virtio::store;

namespace {

constexpr u64 wanted_features = feature::size_max | feature::segments_max | feature::read_only |
                                feature::block_size | feature::flush | feature::topology |
                                feature::writable_cache | feature::several_queues |
                                feature::discard | feature::write_zeroes;

} // namespace

VirtioBlock::VirtioBlock(DriverEnvironment const& environment, virtio::Transport& transport)
    : m_environment(environment), m_transport(transport), m_device(environment, transport) {
    set_letter(0);
}

void VirtioBlock::set_letter(u32 letter) {
    CHECK(letter < names_max);
    m_name = {};
    m_name.append("vd").value();
    m_name.append(static_cast<char>('a' + letter)).value();
}

Result<VirtioBlock*>
VirtioBlock::open(DriverEnvironment const& environment, virtio::Transport& transport) {
    CHECK(transport.device_kind() == virtio::device_kind::block);
    auto const room = memory::allocate_room<VirtioBlock>(environment.heap, 1);
    if (!room) {
        transport.close();
        return room.error();
    }
    auto* const disk = new (room.value()) VirtioBlock(environment, transport);
    if (auto const begun = disk->begin(); !begun) {
        disk->close();
        return begun.error();
    }
    return disk;
}

Result<void> VirtioBlock::begin() {
    TRY(m_device.negotiate(wanted_features, 0));
    TRY(m_device.read_configuration([] {}));
    TRY(read_geometry());
    TRY(m_device.bind({}, name()));
    TRY(open_queues());
    m_device.run();
    read_serial();
    return {};
}

Result<void> VirtioBlock::read_geometry() {
    constexpr u32 sector_max = 1u << 16;
    if (m_transport.configuration_size() < configuration::zeroes_segments_max + Bytes{4} &&
        (has(feature::discard) || has(feature::write_zeroes))) {
        return Error::corrupted;
    }
    if (m_transport.configuration_size() < configuration::queues + Bytes{4}) {
        return Error::corrupted;
    }
    u64 const capacity =
        u64{word(configuration::capacity + Bytes{4})} << 32 | word(configuration::capacity);
    u32 const bytes =
        has(feature::block_size) ? word(configuration::block_size) : wire_sector_bytes;
    if (!is_power_of_two(bytes) || bytes < wire_sector_bytes || bytes > sector_max) {
        return Error::corrupted;
    }
    m_wire_shift = static_cast<u32>(std::countr_zero(bytes / wire_sector_bytes));
    u32 const most = has(feature::segments_max) ? word(configuration::segments_max) : 1;
    u32 const size = has(feature::size_max) ? word(configuration::size_max) : 1u << 20;
    u32 const exponent = has(feature::topology) ? word(configuration::topology) & 0xff : 0;
    bool const is_writeback =
        has(feature::writable_cache)
            ? (word(configuration::writeback) & configuration::writeback_mask) != 0
            : has(feature::flush);
    if (capacity >> m_wire_shift == 0 || most == 0 || size < bytes || exponent > 16) {
        return Error::corrupted;
    }
    m_geometry = {
        .sectors = capacity >> m_wire_shift,
        .sector_bytes = bytes,
        .physical_sector_bytes = bytes << exponent,
        // A segment is never longer than the request, so that it is not than the device's limit.
        .sectors_max = std::max(1u, std::min(size, 1u << 20) >> std::countr_zero(bytes)),
        .segments_max = std::min(most, VirtioBlock::segments_max),
        .has_volatile_cache = is_writeback && has(feature::flush),
        .can_deallocate = has(feature::discard),
        .can_write_zeroes = has(feature::write_zeroes),
        .is_read_only = has(feature::read_only)};
    m_discard_max =
        has(feature::discard) ? word(configuration::discard_sectors_max) >> m_wire_shift : 0;
    m_zeroes_max =
        has(feature::write_zeroes) ? word(configuration::zeroes_sectors_max) >> m_wire_shift : 0;
    m_geometry.can_deallocate = m_discard_max != 0;
    m_geometry.can_write_zeroes = m_zeroes_max != 0;
    return {};
}

Result<void> VirtioBlock::open_queues() {
    u32 const offered = has(feature::several_queues)
                            ? word(configuration::queues) >> configuration::queues_shift
                            : 1;
    if (offered == 0) {
        return Error::corrupted;
    }
    u32 const wanted = std::bit_floor(std::min({offered, hal::Cpu::count(), queues_max}));
    for (u32 index = 0; index < wanted; ++index) {
        TRY(open_queue(static_cast<u16>(index)));
    }
    return {};
}

Result<void> VirtioBlock::open_queue(u16 index) {
    auto* const room = TRY(memory::allocate_room<Queue>(m_environment.heap, 1));
    Queue& queue = *std::construct_at(room);
    m_queues.push_back(&queue).value();
    queue.memory =
        TRY(m_environment.frames.allocate({.pages = 1, .content = memory::FrameContent::zeroed}));
    queue.ring = TRY(m_device.open_queue(index, virtio::VirtQueue::entries_max, time_out));
    // A chain has a header and a status beside the data.
    u32 const most = queue.ring->entries() > 2 ? queue.ring->entries() - 2u : 0;
    m_geometry.segments_max = std::min(m_geometry.segments_max, most);
    if (most == 0) {
        return Error::not_supported;
    }
    sync::SpinLockGuard const guard(queue.lock, sync::save_interrupts);
    for (u32 i = 0; i < slots; ++i) {
        Slot& slot = queue.all[i];
        slot.owner = this;
        slot.queue = &queue;
        slot.memory = queue.memory + Bytes{i * sizeof(Shared)};
        slot.progress = 0;
        slot.QueueRequest::done = finish;
        queue.free.push_back(slot);
    }
    return {};
}

void VirtioBlock::close() {
    m_device.close();
    m_transport.close();
    DriverEnvironment const environment = m_environment;
    for (Queue* const queue : m_queues) {
        {
            sync::SpinLockGuard const guard(queue->lock, sync::save_interrupts);
            CHECK(queue->waiting.empty());
            while (!queue->free.empty()) {
                queue->free.pop_front();
            }
        }
        // A device that does not stop keeps what it may write to.
        if (queue->memory != PhysAddr{} && m_device.is_stopped()) {
            environment.frames.free_pages(queue->memory, 1).value(); // taken by `open_queue`
        }
        std::destroy_at(queue);
        memory::free_room(environment.heap, queue);
    }
    m_queues.clear();
    this->~VirtioBlock();
    memory::free_room(environment.heap, this);
}

/// By the first queue, before anybody else uses it. A device without is as good.
void VirtioBlock::read_serial() {
    Slot* const slot = take_slot(*m_queues[0], nullptr);
    if (slot == nullptr) {
        return;
    }
    fill(*slot, Kind::get_id, 0);
    Segment const out[] = {{slot->memory + Bytes{offsetof(Shared, header)}, sizeof(Header)}};
    Segment const in[] = {
        {slot->memory + Bytes{offsetof(Shared, id)}, id_bytes},
        {slot->memory + Bytes{offsetof(Shared, status)}, 1}};
    auto const written = virtio::perform(*m_queues[0]->ring, out, in);
    auto const shared = load<Shared>(slot->memory);
    if (written && shared.status == status_ok) {
        for (u8 const letter : shared.id) {
            if (letter < ' ' || letter > '~') {
                break;
            }
            m_serial.append(static_cast<char>(letter)).value();
        }
    }
    free_slot(*slot);
}

// ---- requests ----

VirtioBlock::Queue& VirtioBlock::own_queue() const {
    return *m_queues[hal::Cpu::id().value & (m_queues.size() - 1)];
}

/// A slot for the request, which waits where there is none; null then.
VirtioBlock::Slot* VirtioBlock::take_slot(Queue& queue, block::Request* request) {
    sync::SpinLockGuard const guard(queue.lock, sync::save_interrupts);
    if (queue.free.empty() || !queue.waiting.empty()) {
        if (request != nullptr) {
            queue.waiting.push_back(*request);
        }
        return nullptr;
    }
    auto& slot = static_cast<Slot&>(queue.free.pop_front());
    slot.request = request;
    return &slot;
}

Result<void> VirtioBlock::submit(block::Request& request) {
    TRY(block::check(request, m_geometry));
    if (m_is_gone.load(acquire) != 0 || m_device.is_broken()) {
        return Error::io_failed;
    }
    Queue& queue = own_queue();
    Slot* const slot = take_slot(queue, &request);
    if (slot == nullptr) {
        return {}; // whoever frees a slot goes on
    }
    if (auto const begun = begin_step(*slot); !begun) {
        free_slot(*slot);
        go_on(queue);
        return begun;
    }
    return {};
}

void VirtioBlock::fill(Slot& slot, Kind kind, u64 sector) {
    store(slot.memory + Bytes{offsetof(Shared, header)}, Header{.kind = kind, .sector = sector});
    store(slot.memory + Bytes{offsetof(Shared, status)}, u8{0xff}); // none that there is
}

/// Hands the next step of the slot's request to the device.
Result<void> VirtioBlock::begin_step(Slot& slot) {
    block::Request const& request = *slot.request;
    bool const has_no_flush = !has(feature::flush);
    Operation const operation = slot.is_flushing ? Operation::flush : request.operation;
    u64 const sector = (request.sector + slot.progress) << m_wire_shift;
    usize out = 1;
    usize in = 0;
    auto const add = [&](Segment* to, usize& count) {
        for (block::Segment const& each : request.segments) {
            to[count++] = {each.address, each.bytes};
        }
    };
    auto const add_range = [&](u32 most) {
        Range const range{sector, std::min(request.count - slot.progress, most) << m_wire_shift};
        PhysAddr const place = slot.memory + Bytes{offsetof(Shared, range)};
        store(place, range);
        slot.out[out++] = {place, sizeof(range)};
    };
    Kind kind = Kind::flush;
    switch (operation) {
    case Operation::read:
        kind = Kind::in;
        add(slot.in, in);
        break;
    case Operation::write:
        kind = Kind::out;
        add(slot.out, out);
        break;
    case Operation::flush:
        // Without flushes all is durable when it is done; a read of nothing asks the device.
        kind = has_no_flush ? Kind::get_id : Kind::flush;
        break;
    case Operation::deallocate:
        kind = Kind::discard;
        add_range(m_discard_max);
        break;
    case Operation::write_zeroes:
        kind = Kind::write_zeroes;
        add_range(m_zeroes_max);
        break;
    }
    if (kind == Kind::get_id) {
        slot.in[in++] = {slot.memory + Bytes{offsetof(Shared, id)}, id_bytes};
    }
    fill(slot, kind, has_data(operation) ? sector : 0);
    slot.out[0] = {slot.memory + Bytes{offsetof(Shared, header)}, sizeof(Header)};
    slot.in[in++] = {slot.memory + Bytes{offsetof(Shared, status)}, 1};
    slot.to_device = std::span(slot.out).first(out);
    slot.to_driver = std::span(slot.in).first(in);
    return slot.queue->ring->submit(slot);
}

/// Whether the request needs the device once more.
bool VirtioBlock::has_more(Slot& slot) {
    block::Request const& request = *slot.request;
    u32 const most = request.operation == Operation::deallocate     ? m_discard_max
                     : request.operation == Operation::write_zeroes ? m_zeroes_max
                                                                    : request.count;
    slot.progress += slot.is_flushing ? 0 : std::min(request.count - slot.progress, most);
    bool const is_flush_due = request.operation == Operation::write && request.is_through &&
                              m_geometry.has_volatile_cache && !slot.is_flushing;
    slot.is_flushing = is_flush_due;
    return is_flush_due || slot.progress < request.count;
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the type of `done`
void VirtioBlock::finish(virtio::QueueRequest& request, Result<u32> written) {
    auto& slot = static_cast<Slot&>(request);
    VirtioBlock& self = *slot.owner;
    Result<void> outcome;
    if (!written) {
        outcome = written.error();
    } else {
        u8 const status = load<u8>(slot.memory + Bytes{offsetof(Shared, status)});
        bool const is_unsupported = status == status_unsupported;
        outcome = status == status_ok ? Result<void>()
                  : is_unsupported    ? Result<void>(Error::not_supported)
                                      : Result<void>(Error::io_failed);
    }
    if (outcome && self.has_more(slot)) {
        outcome = self.begin_step(slot);
        if (outcome) {
            return;
        }
    }
    self.end(slot, outcome);
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the type of `done`
void VirtioBlock::end(Slot& slot, Result<void> outcome) {
    block::Request& request = *slot.request;
    Queue& queue = *slot.queue;
    free_slot(slot);
    go_on(queue);
    request.done(request, outcome);
}

void VirtioBlock::free_slot(Slot& slot) {
    sync::SpinLockGuard const guard(slot.queue->lock, sync::save_interrupts);
    slot.request = nullptr;
    slot.progress = 0;
    slot.is_flushing = false;
    slot.queue->free.push_back(slot);
}

/// Begins what waits, while there are slots. In context work, or where nothing was in flight.
void VirtioBlock::go_on(Queue& queue) {
    while (true) {
        Slot* slot = nullptr;
        {
            sync::SpinLockGuard const guard(queue.lock, sync::save_interrupts);
            if (queue.waiting.empty() || queue.free.empty()) {
                return;
            }
            slot = &static_cast<Slot&>(queue.free.pop_front());
            slot->request = &queue.waiting.pop_front();
        }
        if (auto const begun = begin_step(*slot); !begun) {
            block::Request& request = *slot->request;
            free_slot(*slot);
            request.done(request, begun);
        }
    }
}

u32 VirtioBlock::poll() {
    Queue& queue = own_queue();
    u64 const before = queue.ring->counts().completed;
    static_cast<void>(queue.ring->drain()); // what makes no sense the interrupt's work sees, too
    return static_cast<u32>(queue.ring->counts().completed - before);
}

void VirtioBlock::fail() {
    m_is_gone.store(1, twofold::release);
    for (Queue* const queue : m_queues) {
        queue->ring->abandon(Error::io_failed);
        go_on(*queue); // each is refused
    }
}

} // namespace twofold::device
