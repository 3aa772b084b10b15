// See virt_queue.hpp.
#include "core/device/virtio/virt_queue.hpp"

#include "core/device/ring/awaited.hpp"
#include "hal/clock.hpp"
#include "hal/cpu.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace twofold::device::virtio {

namespace {

/// The bytes of all segments; none where a segment is empty, or the sum is no length that a device
/// can tell.
std::optional<u64> bytes_of(std::span<Segment const> segments) {
    u64 sum = 0;
    for (Segment const& segment : segments) {
        sum += segment.bytes;
        if (segment.bytes == 0 || sum > UINT32_MAX) {
            return std::nullopt;
        }
    }
    return sum;
}

} // namespace

VirtQueue::VirtQueue(
    DriverEnvironment const& environment,
    Transport& transport,
    u16 index,
    QueueLayout layout,
    PhysAddr memory,
    DmaMapping const& mapping,
    Nanos time_out)
    : m_environment(environment),
      m_transport(transport),
      m_index(index),
      m_layout(layout),
      m_memory(memory),
      m_mapping(mapping),
      m_time_out(time_out),
      m_data(transport.dma()),
      m_free_count(layout.entries),
      m_timer(watch, this) {
    for (u16 i = 0; i < entries_max; ++i) {
        m_next[i] = static_cast<u16>(i + 1); // that of the last one is never followed
    }
}

QueueMemory VirtQueue::memory() const {
    return {
        .descriptors = m_mapping.address + m_layout.descriptors(),
        .available = m_mapping.address + m_layout.available(),
        .used = m_mapping.address + m_layout.used(),
        .entries = m_layout.entries};
}

Result<VirtQueue*> VirtQueue::open(
    DriverEnvironment const& environment,
    Transport& transport,
    u16 index,
    u16 entries,
    Nanos time_out) {
    CHECK(entries != 0 && entries <= entries_max && time_out > Nanos{});
    u16 const most = transport.queue_entries_max(index);
    if (most == 0) {
        return Error::not_found;
    }
    if (!is_power_of_two(most)) {
        return Error::corrupted;
    }
    QueueLayout const layout(std::min(most, std::bit_floor(entries)));
    PhysAddr const memory =
        TRY(environment.frames.allocate({.pages = 1, .content = memory::FrameContent::zeroed}));
    auto const mapping = transport.dma().map(memory, page_size, hal::DmaDirection::both);
    auto const room = mapping ? memory::allocate_room<VirtQueue>(environment.heap, 1)
                              : Result<VirtQueue*>(mapping.error());
    if (!room) {
        if (mapping) {
            transport.dma().unmap(mapping.value());
        }
        TRY(environment.frames.free_pages(memory, 1));
        return room.error();
    }
    auto* const queue = new (room.value())
        VirtQueue(environment, transport, index, layout, memory, mapping.value(), time_out);
    if (auto const enabled = transport.enable_queue(index, queue->memory()); !enabled) {
        // It is not enabled, or the device does not run yet: either way it uses no memory.
        queue->close(Memory::given_back);
        return enabled.error();
    }
    return queue;
}

void VirtQueue::close(Memory memory) {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        CHECK(m_waiting.empty() && m_refused.empty() && m_in_flight == 0);
    }
    processor::TimerQueue::cancel_and_wait(m_timer);
    DriverEnvironment const environment = m_environment;
    m_transport.dma().unmap(m_mapping); // a device that does not stop reaches it no more
    if (memory == Memory::given_back) {
        environment.frames.free_pages(m_memory, 1).value(); // taken by `open`
    }
    this->~VirtQueue();
    memory::free_room(environment.heap, this);
}

template<class T>
T VirtQueue::load(Bytes offset) const {
    T value;
    std::memcpy(&value, hal::Memory::linear(m_memory + offset), sizeof(value));
    return value;
}

template<class T>
void VirtQueue::store(Bytes offset, T const& value) {
    std::memcpy(hal::Memory::linear(m_memory + offset), &value, sizeof(value));
}

Result<void> VirtQueue::submit(QueueRequest& request) {
    CHECK(request.done != nullptr);
    usize const segments = request.to_device.size() + request.to_driver.size();
    auto const bytes = bytes_of(request.to_device);
    if (segments == 0 || segments > m_layout.entries || !bytes || !bytes_of(request.to_driver)) {
        return Error::invalid_argument;
    }
    Notice notice(*this);
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    if (m_is_abandoned) {
        return Error::io_failed;
    }
    TRY(start_watch());
    if (!m_waiting.empty() || segments > m_free_count) {
        m_waiting.push_back(request);
        return {};
    }
    TRY(place(request));
    hal::Memory::device_write_barrier();
    notice.is_due = true;
    return {};
}

/// Has somebody look at the time when the first request that the device has now may be overdue.
Result<void> VirtQueue::start_watch() {
    if (!m_is_watched) {
        TRY(processor::start_timer(m_timer, hal::Clock::now() + m_time_out));
        m_is_watched = true;
    }
    return {};
}

/// Context irq. A deadline for each request would be exact; but they are late only once.
void VirtQueue::watch(void* self) {
    auto& queue = *static_cast<VirtQueue*>(self);
    sync::SpinLockGuard const guard(queue.m_lock, sync::save_interrupts);
    queue.m_is_watched = false;
    if (queue.m_in_flight == 0 || queue.m_is_abandoned) {
        return;
    }
    std::optional<Nanos> earliest;
    for (Chain const& chain : queue.m_chains) {
        if (chain.request != nullptr && (!earliest || chain.due < *earliest)) {
            earliest = chain.due;
        }
    }
    CHECK(earliest.has_value());
    if (*earliest <= hal::Clock::now()) {
        queue.m_is_overdue = true;
        queue.m_transport.request_work();
        return;
    }
    processor::start_timer(queue.m_timer, *earliest).value(); // the clock that has called this
    queue.m_is_watched = true;
}

/// Whether the device is to be told, since there is more for it.
bool VirtQueue::place_waiting() {
    bool has_more = false;
    while (!m_waiting.empty()) {
        QueueRequest const& first = m_waiting.front();
        if (first.to_device.size() + first.to_driver.size() > m_free_count) {
            break;
        }
        QueueRequest& next = m_waiting.pop_front();
        if (auto const placed = place(next); placed) {
            has_more = true;
        } else {
            next.m_refusal = placed.error();
            m_refused.push_back(next);
        }
    }
    if (has_more) {
        hal::Memory::device_write_barrier();
    }
    return has_more;
}

/// The device reaches all segments, which get the first descriptors of the free list; on an error,
/// none.
Result<void> VirtQueue::map(QueueRequest const& request) {
    u16 at = m_free_first;
    usize count = 0;
    for (auto const& [segments, direction] :
         {std::pair(request.to_device, hal::DmaDirection::to_device),
          std::pair(request.to_driver, hal::DmaDirection::from_device)}) {
        for (Segment const& segment : segments) {
            auto const mapping = m_data.map(segment.address, Bytes{segment.bytes}, direction);
            if (!mapping) {
                unmap(m_free_first, count);
                return mapping.error();
            }
            m_mapped[at] = mapping.value();
            at = m_next[at];
            ++count;
        }
    }
    return {};
}

/// The device does not reach the first `count` segments of the chain at `head` any more.
void VirtQueue::unmap(u16 head, usize count) {
    for (u16 at = head; count > 0; --count) {
        m_data.unmap(m_mapped[at]);
        at = m_next[at];
    }
}

/// Takes a descriptor from the free list for a segment of a chain that goes on in the list's next.
void VirtQueue::add(Segment const& segment, u16 flags) {
    u16 const at = m_free_first;
    m_free_first = m_next[at];
    --m_free_count;
    bool const has_next = (flags & descriptor_has_next) != 0;
    store(
        m_layout.descriptor(at), Descriptor{
                                     .address = m_mapped[at].address.value,
                                     .bytes = segment.bytes,
                                     .flags = flags,
                                     .next = has_next ? m_free_first : u16{0}});
}

/// Makes a chain of it and puts that into the available ring. There are descriptors enough. Errors:
/// those of DmaSpace::map.
Result<void> VirtQueue::place(QueueRequest& request) {
    TRY(map(request));
    u16 const head = m_free_first;
    auto const segments = static_cast<u16>(request.to_device.size() + request.to_driver.size());
    u16 left = segments;
    for (Segment const& segment : request.to_device) {
        add(segment, --left != 0 ? descriptor_has_next : u16{0});
    }
    for (Segment const& segment : request.to_driver) {
        u16 const next = --left != 0 ? descriptor_has_next : u16{0};
        add(segment, static_cast<u16>(descriptor_is_written | next));
    }
    m_chains[head] = {
        .request = &request,
        .writable = *bytes_of(request.to_driver),
        .segments = segments,
        .due = hal::Clock::now() + m_time_out};
    ++m_in_flight;
    ++m_counts.submitted;
    store(m_layout.available_head(m_available), head);
    hal::Memory::device_write_barrier();
    store(m_layout.available_index(), ++m_available);
    return {};
}

/// Puts the descriptors of a chain back on the free list. Its request is not looked at: the
/// segments of one that was given up in a panic are gone.
void VirtQueue::release(u16 head) {
    Chain& chain = m_chains[head];
    unmap(head, chain.segments);
    u16 last = head;
    for (u16 i = 1; i < chain.segments; ++i) {
        last = m_next[last];
    }
    m_next[last] = m_free_first;
    m_free_first = head;
    m_free_count = static_cast<u16>(m_free_count + chain.segments);
    chain = {};
    --m_in_flight;
}

/// The next request that the device is done with; nothing where there is none.
Result<std::optional<VirtQueue::Taken>> VirtQueue::take_used() {
    Notice notice(*this);
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    if (m_is_abandoned) {
        return std::optional<Taken>();
    }
    auto const taken = TRY(next_used());
    if (taken) {
        notice.is_due = place_waiting();
    }
    return taken;
}

Result<std::optional<VirtQueue::Taken>> VirtQueue::next_used() {
    auto const pending = static_cast<u16>(load<u16>(m_layout.used_index()) - m_used);
    hal::Memory::device_read_barrier();
    if (pending == 0) {
        return std::optional<Taken>();
    }
    if (pending > m_in_flight) {
        ++m_counts.corrupted;
        return Error::corrupted;
    }
    auto const used = load<UsedElement>(m_layout.used_element(m_used));
    if (used.head >= m_layout.entries || m_chains[used.head].request == nullptr) {
        ++m_counts.corrupted;
        return Error::corrupted;
    }
    ++m_used;
    ++m_counts.completed;
    Chain const& chain = m_chains[used.head];
    bool const is_too_long = used.bytes > chain.writable;
    m_counts.corrupted += is_too_long ? 1 : 0;
    Taken const taken{
        chain.request, is_too_long ? Result<u32>(Error::corrupted) : Result<u32>(used.bytes)};
    release(static_cast<u16>(used.head));
    return std::optional<Taken>(taken);
}

Result<u32> VirtQueue::perform_in_panic(
    std::span<Segment const> to_device, std::span<Segment const> to_driver, Nanos time_out) {
    usize const segments = to_device.size() + to_driver.size();
    if (segments == 0 || !bytes_of(to_device) || !bytes_of(to_driver)) {
        return Error::invalid_argument;
    }
    Result<u32> outcome = Error::invalid_state;
    m_lock.call_in_panic([&] {
        m_lock.assert_held();
        if (m_is_abandoned) {
            outcome = Error::io_failed;
        } else if (segments <= m_free_count) {
            m_in_panic.to_device = to_device;
            m_in_panic.to_driver = to_driver;
            // NOLINTNEXTLINE(performance-unnecessary-value-param): the type of `done`
            m_in_panic.done = [](QueueRequest&, Result<u32>) {}; // of an abandoned queue
            auto const placed = place(m_in_panic);
            if (!placed) {
                outcome = placed.error();
                return;
            }
            hal::Memory::device_write_barrier();
            m_transport.notify(m_index);
            outcome = poll_for(m_in_panic, time_out);
        }
    });
    return outcome;
}

/// A request that does not come back stays in flight: nobody asks for anything more.
Result<u32> VirtQueue::poll_for(QueueRequest const& request, Nanos time_out) {
    constexpr u32 looks_max = 1u << 24; // where the clock stands still
    Nanos const due = hal::Clock::now() + time_out;
    for (u32 look = 0; look < looks_max; ++look) {
        auto const taken = TRY(next_used());
        if (taken && taken->request == &request) {
            return taken->written;
        }
        if (!taken) {
            if (hal::Clock::now() > due) {
                break;
            }
            hal::Cpu::pause();
        }
    }
    m_is_abandoned = true; // the device may still write, and what it was told of is gone
    return Error::timed_out;
}

Result<void> VirtQueue::drain() {
    while (true) {
        while (QueueRequest* const refused = take_refused()) {
            refused->done(*refused, refused->m_refusal);
        }
        auto const taken = TRY(take_used());
        if (!taken) {
            return {};
        }
        taken->request->done(*taken->request, taken->written);
    }
}

/// One that waited and cannot be mapped; null: there is none.
QueueRequest* VirtQueue::take_refused() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return m_refused.empty() ? nullptr : &m_refused.pop_front();
}

bool VirtQueue::is_overdue() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return m_is_overdue && !m_is_abandoned;
}

/// One that is in flight or waits, taken from the queue; null: there is none.
QueueRequest* VirtQueue::take_any() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    m_is_abandoned = true;
    if (!m_refused.empty()) {
        return &m_refused.pop_front();
    }
    if (m_in_flight == 0) {
        return m_waiting.empty() ? nullptr : &m_waiting.pop_front();
    }
    auto const chain =
        std::ranges::find_if(m_chains, [](Chain const& each) { return each.request != nullptr; });
    CHECK(chain != std::ranges::end(m_chains));
    QueueRequest* const request = chain->request;
    release(static_cast<u16>(chain - std::ranges::begin(m_chains)));
    ++m_counts.abandoned;
    return request;
}

void VirtQueue::abandon(Error error) {
    while (QueueRequest* const request = take_any()) {
        request->done(*request, error);
    }
}

QueueCounts VirtQueue::counts() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return m_counts;
}

Result<u32>
perform(VirtQueue& queue, std::span<Segment const> to_device, std::span<Segment const> to_driver) {
    struct Waiting : QueueRequest {
        Awaited<Result<u32>> outcome;
    };
    Waiting request;
    request.to_device = to_device;
    request.to_driver = to_driver;
    request.done = [](QueueRequest& self, Result<u32> written) {
        static_cast<Waiting&>(self).outcome.come(std::move(written));
    };
    TRY(queue.submit(request));
    return request.outcome.wait();
}

} // namespace twofold::device::virtio
