// The split virtqueues of a device of VIRTIO, from the device's side. See virtio_pci.hpp.
//
// Source: VIRTIO 1.2, sections 2.7.5 to 2.7.8 and 2.7.14.
#include "hal/hosted/devices/virtio_pci.hpp"

#include <algorithm>
#include <atomic>

namespace hosted {

using virtio::Descriptor;

namespace {

template<class T>
bool read_value(DeviceBus& bus, u64 at, T& value) {
    return bus.read({at}, std::as_writable_bytes(std::span(&value, 1)));
}

template<class T>
bool write_value(DeviceBus& bus, u64 at, T const& value) {
    return bus.write({at}, std::as_bytes(std::span(&value, 1)));
}

} // namespace

/// Follows the chain that `chain.head` begins. False: it breaks a rule.
bool VirtioPci::walk(DeviceBus& bus, Queue const& queue, VirtioChain& chain) {
    u16 index = chain.head;
    for (u32 length = 0; length < queue.entries; ++length) { // a longer one loops
        Descriptor next;
        if (index >= queue.entries ||
            !read_value(bus, queue.descriptors + u64{index} * sizeof(next), next)) {
            return false;
        }
        bool const writes = (next.flags & virtio::is_writable) != 0;
        bool const is_unknown =
            (next.flags & ~(virtio::has_next | virtio::is_writable)) != 0; // indirect ones too
        bool const wraps = next.address + next.bytes < next.address;
        if (is_unknown || wraps || (!writes && !chain.writable.empty())) {
            return false;
        }
        (writes ? chain.writable : chain.readable).push_back({{next.address}, next.bytes});
        if ((next.flags & virtio::has_next) == 0) {
            return true;
        }
        index = next.next;
    }
    return false;
}

bool VirtioPci::take(DeviceBus& bus, u32 number, VirtioChain& chain) {
    Queue& queue = m_queues[number];
    if (!is_running() || queue.is_enabled == 0) {
        return false;
    }
    u16 made_available = 0;
    if (!read_value(bus, queue.available + virtio::index_offset, made_available)) {
        fail(bus);
        return false;
    }
    auto const waiting = static_cast<u16>(made_available - queue.taken);
    if (waiting == 0) {
        return false;
    }
    std::atomic_thread_fence(std::memory_order_acquire); // entries only behind the index
    chain = {};
    u64 const entry = queue.taken % queue.entries;
    bool const is_sound =
        waiting <= queue.entries &&
        read_value(bus, queue.available + virtio::ring_offset + entry * sizeof(u16), chain.head) &&
        walk(bus, queue, chain);
    if (!is_sound) {
        fail(bus);
        return false;
    }
    ++queue.taken;
    return true;
}

bool VirtioPci::gather(
    DeviceBus& bus, VirtioChain const& chain, u64 skip, std::span<std::byte> to) {
    for (VirtioSegment const& each : chain.readable) {
        u64 const skipped = std::min<u64>(skip, each.bytes);
        skip -= skipped;
        u64 const taken = std::min<u64>(each.bytes - skipped, to.size());
        if (taken != 0 && !bus.read({each.at.value + skipped}, to.first(taken))) {
            fail(bus);
            return false;
        }
        to = to.subspan(taken);
    }
    return to.empty();
}

bool VirtioPci::scatter(DeviceBus& bus, VirtioChain const& chain, std::span<std::byte const> from) {
    for (VirtioSegment const& each : chain.writable) {
        u64 const taken = std::min<u64>(each.bytes, from.size());
        if (taken != 0 && !bus.write(each.at, from.first(taken))) {
            fail(bus);
            return false;
        }
        from = from.subspan(taken);
    }
    return from.empty();
}

void VirtioPci::give_back(DeviceBus& bus, u32 number, VirtioChain const& chain, u64 written_bytes) {
    Queue& queue = m_queues[number];
    if (!is_running()) {
        return; // the driver has lost it meanwhile
    }
    u64 const entry = queue.given_back % queue.entries;
    virtio::UsedEntry const used{chain.head, static_cast<u32>(written_bytes)};
    auto const index = static_cast<u16>(queue.given_back + 1);
    bool is_done = write_value(bus, queue.used + virtio::ring_offset + entry * sizeof(used), used);
    std::atomic_thread_fence(std::memory_order_release); // the index only behind what it counts
    is_done = is_done && write_value(bus, queue.used + virtio::index_offset, index);
    // The driver looks at the index again after it has said that it wants interrupts.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    u16 flags = 0;
    if (!is_done || !read_value(bus, queue.available, flags)) {
        fail(bus);
        return;
    }
    queue.given_back = index;
    if ((flags & virtio::no_interrupt) == 0) {
        raise(bus, queue.vector);
    }
}

} // namespace hosted
