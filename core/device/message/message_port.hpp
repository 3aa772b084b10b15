// Frames to and from other kernels, by the minimal message device that the simulator has. A frame
// that was sent may be lost, come twice, or come after a later one: nothing here mends that.
#pragma once

#include "core/device/model/bound_ring.hpp"
#include "core/device/ring/awaited.hpp"
#include "core/device/ring/ring_queue.hpp"

#include <span>

namespace twofold::device {

class MessagePort {
public:
    static constexpr u16 device_id = 0x21;
    static constexpr u32 signature = 0x444d'4632; ///< "2FMD"
    static constexpr u32 everybody = ~u32{0};     ///< as a destination: all others
    static constexpr Bytes frame_max{4096};
    static constexpr usize buffers = 16; ///< that frames are received into
    static constexpr Nanos time_out{i64{2} * 1'000'000'000};

    struct Received {
        u32 from = 0;
        Bytes size{};
    };

    /// In memory of the heap, until it is closed. Errors: those of RingQueue::open.
    static Result<MessagePort*>
    open(DriverEnvironment const& environment, pci::Function const& function);
    MessagePort(MessagePort const&) = delete;
    MessagePort& operator=(MessagePort const&) = delete;
    /// Stops the device, and ends the driver. Nobody sends or receives. Context thread.
    void close();

    /// The own address. O(1).
    u32 address() const { return m_address; }
    /// Sends a frame of 1 to frame_max bytes and waits until the device has taken it. Context
    /// thread, interrupts on. Errors: invalid_argument, out_of_memory, io_failed, timed_out.
    /// O(bytes).
    Result<void> send(u32 to, std::span<std::byte const> frame);
    /// The next frame that has come, or that comes before `deadline`; its first bytes where
    /// `frame` is too small. Context thread, interrupts on. Errors: timed_out; truncated (it did
    /// not fit, and the rest is gone); io_failed. O(bytes).
    Result<Received> receive(std::span<std::byte> frame, Nanos deadline);
    /// Frames that the device has dropped, because nobody received them in time. O(1).
    u32 dropped() const;

    RingQueue& queue() { return m_queue; }

private:
    struct Buffer : RingRequest {
        MessagePort* owner = nullptr;
        Result<u64> outcome = Error::invalid_state;
    };
    using Frames = task::Semaphore<task::KernelThreads>;

    MessagePort(DriverEnvironment const& environment, RingQueue& queue);
    ~MessagePort() = default;

    Result<void> take_buffers();
    Result<void> give(Buffer& buffer);
    void take(Buffer& buffer, Result<u64> outcome);
    Result<void> await_frame(Nanos deadline);

    DriverEnvironment m_environment;
    RingQueue& m_queue;
    u32 m_address;
    Buffer m_buffers[buffers];
    std::optional<Frames> m_frames; ///< how many have come; where there are threads
    Atomic<u32> m_count{0};         ///< the same, elsewhere

    sync::SpinLock m_lock{sync::LockRank::device};
    IntrusiveList<RingRequest, RingRequestsTag> m_received GUARDED_BY(m_lock); ///< in their order
};

using BoundMessagePort = BoundRing<MessagePort>;
inline constexpr Driver message_port_driver{
    "ring-message", BoundMessagePort::matches, BoundMessagePort::probe};

} // namespace twofold::device
