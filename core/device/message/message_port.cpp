// See message_port.hpp.
#include "core/device/message/message_port.hpp"

#include "hal/memory.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace twofold::device {

namespace {

constexpr Bytes own_address = ring_register::own, dropped_frames = ring_register::own + Bytes{8};
constexpr u8 send_operation = 1, receive_operation = 2;
static_assert(MessagePort::frame_max == page_size);

struct SendRequest : RingRequest {
    Awaited<Result<u64>> awaited;
};

} // namespace

MessagePort::MessagePort(DriverEnvironment const& environment, RingQueue& queue)
    : m_environment(environment), m_queue(queue), m_address(queue.read_32(own_address)) {
    if (task::Threads* const threads = task::Threads::here()) {
        m_frames.emplace(threads->waiting(), 0u);
    }
}

Result<MessagePort*>
MessagePort::open(DriverEnvironment const& environment, pci::Function const& function) {
    RingQueue* const queue = TRY(RingQueue::open(environment, function, signature, "message"));
    auto const room = memory::allocate_room<MessagePort>(environment.heap, 1);
    if (!room) {
        queue->close();
        return room.error();
    }
    MessagePort* const port = new (room.value()) MessagePort(environment, *queue);
    if (auto const taken = port->take_buffers(); !taken) {
        port->close();
        return taken.error();
    }
    return port;
}

Result<void> MessagePort::take_buffers() {
    for (Buffer& buffer : m_buffers) {
        buffer.owner = this;
        buffer.buffer = TRY(m_environment.frames.allocate(memory::FrameRequest{}));
        TRY(give(buffer));
    }
    return {};
}

void MessagePort::close() {
    m_queue.close();
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        while (!m_received.empty()) {
            m_received.pop_front();
        }
    }
    for (Buffer const& buffer : m_buffers) {
        if (buffer.buffer != PhysAddr{}) {
            m_environment.frames.free_pages(buffer.buffer, 1).value(); // taken by take_buffers
        }
    }
    memory::KernelHeap& heap = m_environment.heap;
    this->~MessagePort();
    memory::free_room(heap, this);
}

/// The buffer waits for the next frame.
Result<void> MessagePort::give(Buffer& buffer) {
    buffer.operation = receive_operation;
    buffer.count = static_cast<u32>(frame_max.value);
    buffer.bytes = frame_max;
    buffer.direction = hal::DmaDirection::from_device;
    buffer.done = [](RingRequest& request, Result<u64> outcome) {
        auto& self = static_cast<Buffer&>(request);
        self.owner->take(self, std::move(outcome));
    };
    return m_queue.submit(buffer);
}

/// A frame has come into the buffer.
void MessagePort::take(Buffer& buffer, Result<u64> outcome) {
    buffer.outcome = std::move(outcome);
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        m_received.push_back(buffer);
    }
    if (m_frames) {
        m_frames->release().value(); // at most as many as there are buffers
    } else {
        m_count.fetch_add(1, release);
    }
}

Result<void> MessagePort::await_frame(Nanos deadline) {
    if (m_frames) {
        return m_frames->acquire_until(deadline) ? Result<void>() : Error::timed_out;
    }
    TRY(processor::wait_until([this] { return m_count.load(acquire) != 0; }, deadline));
    m_count.fetch_sub(1, relaxed); // nobody else: there are no threads
    return {};
}

Result<MessagePort::Received> MessagePort::receive(std::span<std::byte> frame, Nanos deadline) {
    TRY(await_frame(deadline));
    Buffer* buffer = nullptr;
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        buffer = &static_cast<Buffer&>(m_received.pop_front());
    }
    Result<u64> outcome = std::move(buffer->outcome);
    if (!outcome) {
        give(*buffer).value(); // as it was given before: nobody else has it mapped
        return outcome.error();
    }
    Received const received{
        static_cast<u32>(outcome.value() >> 32), {static_cast<u32>(outcome.value())}};
    bool const is_sound = received.size <= frame_max;
    usize const bytes = std::min<usize>(frame.size(), is_sound ? received.size.value : 0);
    std::memcpy(frame.data(), hal::Memory::linear(buffer->buffer), bytes);
    give(*buffer).value(); // the same
    if (!is_sound) {
        return Error::io_failed;
    }
    return bytes < received.size.value ? Result<Received>(Error::truncated) : received;
}

Result<void> MessagePort::send(u32 to, std::span<std::byte const> frame) {
    if (frame.empty() || frame.size() > frame_max.value) {
        return Error::invalid_argument;
    }
    PhysAddr const page = TRY(m_environment.frames.allocate(memory::FrameRequest{}));
    std::memcpy(hal::Memory::linear(page), frame.data(), frame.size());
    SendRequest request;
    request.operation = send_operation;
    request.target = to;
    request.count = static_cast<u32>(frame.size());
    request.buffer = page;
    request.bytes = Bytes{frame.size()};
    request.direction = hal::DmaDirection::to_device;
    request.time_out = time_out;
    request.done = [](RingRequest& self, Result<u64> outcome) {
        static_cast<SendRequest&>(self).awaited.come(std::move(outcome));
    };
    m_queue.submit(request).value(); // a frame of RAM that nobody else has
    auto const outcome = request.awaited.wait();
    TRY(m_environment.frames.free_pages(page, 1));
    return outcome ? Result<void>() : outcome.error();
}

u32 MessagePort::dropped() const {
    return m_queue.read_32(dropped_frames);
}

} // namespace twofold::device
