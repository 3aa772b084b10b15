// See message_device.hpp.
#include "hal/hosted/sim/devices/message_device.hpp"

#include <algorithm>
#include <utility>

namespace hosted {

using ring::Submission;

PciIdentity MessageDevice::identity() const {
    return {.device = message::device_id, .class_and_revision = message::class_and_revision};
}

void MessageDevice::start_up(std::span<std::byte> registers) {
    m_dropped = 0;
    m_expected.clear();
    set_register(registers, message::address, m_config.address);
    set_register(registers, message::frame_bytes_max, message::frame_bytes);
}

void MessageDevice::forget() {
    m_sending.clear();
    m_buffers.clear();
    m_frames.clear();
}

void MessageDevice::submitted(DeviceBus& bus, Submission const& submission) {
    switch (static_cast<message::Operation>(submission.operation)) {
    case message::Operation::send:
        m_sending.push_back({m_next, submission});
        later(bus, m_config.send_ns, m_next++);
        break;
    case message::Operation::receive:
        m_buffers.push_back(submission);
        give(bus);
        break;
    default:
        complete(bus, {.token = submission.token, .status = ring::status_invalid});
        break;
    }
}

void MessageDevice::happened(DeviceBus& bus, u64 id) {
    if ((id & outside) != 0) {
        arrive(bus, id);
        return;
    }
    auto const found = std::ranges::find(m_sending, id, &Sending::id);
    CHECK(found != m_sending.end());
    Submission const what = found->submission;
    m_sending.erase(found);
    send(bus, what);
}

void MessageDevice::send(DeviceBus& bus, Submission const& what) {
    u16 status = ring::status_done;
    MessageFrame frame{.from = m_config.address};
    if (what.count == 0 || what.count > message::frame_bytes || what.target > message::everybody) {
        status = ring::status_invalid;
    } else {
        frame.bytes.resize(what.count);
        status = bus.read({what.buffer}, frame.bytes) ? ring::status_done : ring::status_memory;
    }
    if (status == ring::status_done && m_link != nullptr) {
        m_link->carry(frame, static_cast<u32>(what.target), bus.now_ns());
    }
    complete(bus, {.token = what.token, .status = status});
}

u64 MessageDevice::expect(MessageFrame frame) {
    u64 const tag = outside | m_next_expected++;
    m_expected.emplace(tag, std::move(frame));
    return tag;
}

void MessageDevice::arrive(DeviceBus& bus, u64 tag) {
    auto const found = m_expected.find(tag);
    CHECK(found != m_expected.end());
    MessageFrame frame = std::move(found->second);
    m_expected.erase(found);
    if (!is_running() || m_frames.size() >= m_config.waiting_max) {
        set_register(bus.registers(), message::dropped, ++m_dropped);
        return;
    }
    m_frames.push_back(std::move(frame));
    give(bus);
}

/// Frames go to buffers, each in its order.
void MessageDevice::give(DeviceBus& bus) {
    while (is_running() && !m_frames.empty() && !m_buffers.empty()) {
        MessageFrame const frame = std::move(m_frames.front());
        m_frames.pop_front();
        Submission const buffer = m_buffers.front();
        m_buffers.pop_front();
        ring::Completion completion{.token = buffer.token};
        if (buffer.count < frame.bytes.size()) {
            completion.status = ring::status_invalid;
        } else if (!bus.write({buffer.buffer}, frame.bytes)) {
            completion.status = ring::status_memory;
        } else {
            completion.value = u64{frame.from} << 32 | frame.bytes.size();
        }
        complete(bus, completion);
    }
}

void MessageDevice::save_own(StateWriter& out) const {
    out.put(m_next);
    out.put(m_next_expected);
    out.put(m_dropped);
    out.put<u64>(m_sending.size());
    for (Sending const& each : m_sending) {
        out.put(each.id);
        out.put(each.submission);
    }
    out.put<u64>(m_buffers.size());
    for (Submission const& each : m_buffers) {
        out.put(each);
    }
    out.put<u64>(m_frames.size());
    for (MessageFrame const& each : m_frames) {
        out.put(each.from);
        out.put_bytes(each.bytes);
    }
    out.put<u64>(m_expected.size());
    for (auto const& [tag, frame] : m_expected) {
        out.put(tag);
        out.put(frame.from);
        out.put_bytes(frame.bytes);
    }
}

void MessageDevice::load_own(StateReader& in) {
    m_next = in.get<u32>();
    m_next_expected = in.get<u64>();
    m_dropped = in.get<u32>();
    m_sending.resize(in.get<u64>());
    for (Sending& each : m_sending) {
        each.id = in.get<u32>();
        each.submission = in.get<Submission>();
    }
    m_buffers.resize(in.get<u64>());
    for (Submission& each : m_buffers) {
        each = in.get<Submission>();
    }
    m_frames.resize(in.get<u64>());
    for (MessageFrame& each : m_frames) {
        each.from = in.get<u32>();
        each.bytes = in.get_bytes();
    }
    m_expected.clear();
    for (auto left = in.get<u64>(); left != 0; --left) {
        auto const tag = in.get<u64>();
        MessageFrame frame{.from = in.get<u32>()};
        frame.bytes = in.get_bytes();
        m_expected.emplace(tag, std::move(frame));
    }
}

} // namespace hosted
