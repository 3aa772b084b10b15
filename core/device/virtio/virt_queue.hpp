// A split virtqueue: chains of buffers to a device and back, many in flight, each given back once,
// whatever the device does.
//
// A request belongs to the queue from `submit` until its `done` is called, never from inside
// `submit`. Where descriptors are missing it waits in the order of arrival. Chains that come back
// are taken in context work. While the device has a chain it reaches its segments, each in the
// direction that it is for, and no longer.
//
// What the device writes is hostile: only the used ring is read, each of its numbers is checked
// against state that the device does not reach, and what makes no sense is an error. A device that
// gives back what it was not given, or gives nothing back in time, may still write to any buffer
// that it has; only a reset ends that, which is Device's (device.hpp): `drain` and `is_overdue` say
// that it is due, and `abandon` gives back what was in flight.
//
// Invariants: a descriptor is on the free list, or in the chain of one request. All state is under
// the lock, and so is the queue's memory.
//
// Source: VIRTIO 1.2, section 2.7.
#pragma once

#include "core/device/environment.hpp"
#include "core/device/virtio/layout.hpp"
#include "core/device/virtio/transport.hpp"

#include <optional>
#include <span>

namespace twofold::device::virtio {

/// A buffer, or a part of one.
struct Segment {
    PhysAddr address;
    u32 bytes = 0;
};

struct QueueRequestsTag;

/// One chain. In memory of whoever asks, with its segments, and not touched while the queue has it.
class QueueRequest : public ListNode<QueueRequestsTag> {
public:
    /// `written`: how many bytes of `to_driver` the device has written, from the first on. Errors:
    /// corrupted (it says that it has written more than there is), io_failed, timed_out. In context
    /// work; the queue has let go of the request.
    using Done = void (*)(QueueRequest& request, Result<u32> written);

    std::span<Segment const> to_device;
    std::span<Segment const> to_driver;
    Done done = nullptr;

private:
    friend class VirtQueue;

    Error m_refusal = Error::io_failed; ///< why the device does not get it
};

/// What has happened on a queue.
struct QueueCounts {
    u64 submitted = 0; ///< to the device
    u64 completed = 0; ///< by the device
    u64 corrupted = 0; ///< answers of the device that made no sense
    u64 abandoned = 0;
};

class VirtQueue {
public:
    static constexpr u16 entries_max = 128;
    static_assert(QueueLayout(entries_max).size() <= page_size);

    /// Queue `index` of a device that has its features and does not run yet, with at most `entries`
    /// entries. What the device has for longer than `time_out` is overdue. In memory of the heap,
    /// until it is closed. Errors: not_found (the device has no such queue), corrupted,
    /// out_of_memory, those of DmaSpace::map and of Transport::enable_queue.
    static Result<VirtQueue*> open(
        DriverEnvironment const& environment,
        Transport& transport,
        u16 index,
        u16 entries,
        Nanos time_out);
    VirtQueue(VirtQueue const&) = delete;
    VirtQueue& operator=(VirtQueue const&) = delete;
    /// Ends the queue of a device that is unbound. Nothing is in flight or waits. `memory`: whether
    /// the device may still reach the queue's memory, which then is lost. Context thread.
    enum class Memory : u8 { given_back, lost };
    void close(Memory memory);

    /// Starts a request. Any context up to irq; no lock of rank `device` or above is held. Errors,
    /// at once: invalid_argument (no segments, an empty one, or more than the queue has entries),
    /// io_failed (the queue is abandoned), not_supported (there is no clock), those of
    /// DmaSpace::map, which a request that waits comes to in the end. O(pages).
    Result<void> submit(QueueRequest& request);

    /// Gives back what the device is done with. Error::corrupted: its answers make no sense. In
    /// context work.
    Result<void> drain();
    /// Whether something is overdue. O(1).
    bool is_overdue();
    /// Nothing is submitted any more. Gives back all that is in flight or waits, with `error`. The
    /// device was reset. In context work, or where no work runs.
    void abandon(Error error);

    /// In a panic: performs one request while nobody else uses the queue any more, and looks for
    /// its end until `time_out` has passed. What else comes back is dropped, and its `done` not
    /// called. Any context, interrupts off. Errors: invalid_state (the queue's lock is held, or its
    /// descriptors are used up), invalid_argument, io_failed (it is abandoned), corrupted,
    /// timed_out. O(segments) and the device's time.
    Result<u32> perform_in_panic(
        std::span<Segment const> to_device, std::span<Segment const> to_driver, Nanos time_out);

    u16 entries() const { return m_layout.entries; }
    QueueCounts counts();

private:
    struct Chain {
        QueueRequest* request = nullptr; ///< of the chain that begins here, if one does
        u64 writable = 0;                ///< bytes of its `to_driver`
        u16 segments = 0;
        Nanos due{};
    };
    struct Taken {
        QueueRequest* request;
        Result<u32> written;
    };

    VirtQueue(
        DriverEnvironment const& environment,
        Transport& transport,
        u16 index,
        QueueLayout layout,
        PhysAddr memory,
        DmaMapping const& mapping,
        Nanos time_out);
    ~VirtQueue() = default;

    QueueMemory memory() const;
    Result<void> start_watch() REQUIRES(m_lock);
    Result<void> map(QueueRequest const& request) REQUIRES(m_lock);
    void unmap(u16 head, usize count) REQUIRES(m_lock);
    void add(Segment const& segment, u16 flags) REQUIRES(m_lock);
    Result<void> place(QueueRequest& request) REQUIRES(m_lock);
    QueueRequest* take_refused();
    /// Tells the device, where that is due, once the lock is given back: the write to its register
    /// leads out of the machine.
    struct Notice {
        explicit Notice(VirtQueue& of) : queue(of) {}
        Notice(Notice const&) = delete;
        Notice& operator=(Notice const&) = delete;
        ~Notice() {
            if (is_due) {
                queue.m_transport.notify(queue.m_index);
            }
        }

        VirtQueue& queue;
        bool is_due = false;
    };

    bool place_waiting() REQUIRES(m_lock);
    void release(u16 head) REQUIRES(m_lock);
    Result<std::optional<Taken>> take_used();
    Result<std::optional<Taken>> next_used() REQUIRES(m_lock);
    Result<u32> poll_for(QueueRequest const& request, Nanos time_out) REQUIRES(m_lock);
    QueueRequest* take_any();
    static void watch(void* self);

    template<class T>
    T load(Bytes offset) const;
    template<class T>
    void store(Bytes offset, T const& value);

    DriverEnvironment m_environment;
    Transport& m_transport;
    u16 m_index;
    QueueLayout m_layout;
    PhysAddr m_memory;    ///< a page
    DmaMapping m_mapping; ///< of that
    Nanos m_time_out;

    sync::SpinLock m_lock{sync::LockRank::device};
    IntrusiveList<QueueRequest, QueueRequestsTag> m_waiting GUARDED_BY(m_lock);
    /// That waited and cannot be mapped; to be given back in context work.
    IntrusiveList<QueueRequest, QueueRequestsTag> m_refused GUARDED_BY(m_lock);
    Chain m_chains[entries_max] GUARDED_BY(m_lock);      ///< by the first descriptor's index
    u16 m_next[entries_max] GUARDED_BY(m_lock);          ///< of the chain, or of the free list
    DmaMapping m_mapped[entries_max] GUARDED_BY(m_lock); ///< of what is in flight
    DmaLane m_data GUARDED_BY(m_lock);                   ///< that it is mapped by
    u16 m_free_first GUARDED_BY(m_lock) = 0;
    u16 m_free_count GUARDED_BY(m_lock) = 0;
    u16 m_in_flight GUARDED_BY(m_lock) = 0;
    u16 m_available GUARDED_BY(m_lock) = 0; ///< these two run on for ever, modulo 2^16
    u16 m_used GUARDED_BY(m_lock) = 0;
    bool m_is_abandoned GUARDED_BY(m_lock) = false;
    bool m_is_overdue GUARDED_BY(m_lock) = false;
    bool m_is_watched GUARDED_BY(m_lock) = false; ///< the timer is queued, or in its function
    QueueRequest m_in_panic GUARDED_BY(m_lock);   ///< of perform_in_panic
    QueueCounts m_counts GUARDED_BY(m_lock);
    processor::Timer m_timer;
};

/// Performs one request and waits for it; returns how many bytes were written. Context thread,
/// interrupts on. Errors: those of `submit` and of QueueRequest::Done.
Result<u32>
perform(VirtQueue& queue, std::span<Segment const> to_device, std::span<Segment const> to_driver);

} // namespace twofold::device::virtio
