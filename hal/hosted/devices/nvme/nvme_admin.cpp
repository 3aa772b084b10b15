// Admin commands of the NVMe controller: queues, abort, asynchronous events. See
// nvme_controller.hpp.
#include "hal/hosted/devices/nvme/nvme_controller.hpp"

#include <algorithm>

namespace hosted {

namespace status = nvme::status;
using nvme::AdminOpcode;
using nvme::Command;
using nvme::do_not_retry;

namespace {

constexpr u16 final_status(u16 kind) {
    return kind | do_not_retry;
}
constexpr u16 low(u32 word) {
    return static_cast<u16>(word);
}
constexpr u16 high(u32 word) {
    return static_cast<u16>(word >> 16);
}

bool is_admin_opcode(u8 opcode) {
    switch (static_cast<AdminOpcode>(opcode)) {
    case AdminOpcode::delete_submission_queue:
    case AdminOpcode::create_submission_queue:
    case AdminOpcode::get_log_page:
    case AdminOpcode::delete_completion_queue:
    case AdminOpcode::create_completion_queue:
    case AdminOpcode::identify:
    case AdminOpcode::abort:
    case AdminOpcode::set_features:
    case AdminOpcode::get_features:
    case AdminOpcode::asynchronous_event:
        return true;
    }
    return false;
}

} // namespace

NvmeController::Answer NvmeController::perform_admin(DeviceBus& bus, u32 tag) {
    Command const command = m_requests[tag].command;
    constexpr u8 transfer_bits = 0xc0, fused_bits = 0x03;
    if (!is_admin_opcode(command.opcode)) {
        return {final_status(status::invalid_opcode)};
    }
    if ((command.flags & transfer_bits) != 0) { // no SGL here
        return {final_status(status::invalid_field)};
    }
    if ((command.flags & fused_bits) != 0) {
        return {status::invalid_field};
    }
    switch (static_cast<AdminOpcode>(command.opcode)) {
    case AdminOpcode::delete_submission_queue:
        return delete_submission_queue(command, tag);
    case AdminOpcode::create_submission_queue:
        return create_submission_queue(command);
    case AdminOpcode::get_log_page:
        return {get_log(bus, command)};
    case AdminOpcode::delete_completion_queue:
        return delete_completion_queue(command);
    case AdminOpcode::create_completion_queue:
        return create_completion_queue(command);
    case AdminOpcode::identify:
        return {identify(bus, command)};
    case AdminOpcode::abort:
        return abort(bus, command);
    case AdminOpcode::set_features:
        return set_features(bus, tag);
    case AdminOpcode::get_features:
        return get_features(command);
    case AdminOpcode::asynchronous_event:
        return request_event(bus, tag);
    }
    UNREACHABLE();
}

NvmeController::Answer NvmeController::create_completion_queue(Command const& command) {
    u16 const number = low(command.word10), last = high(command.word10);
    u16 const vector = high(command.word11);
    if (number == 0 || number >= m_completions.size() || m_completions[number].entries != 0) {
        return {final_status(status::invalid_queue_id)};
    }
    if (last == 0 || last >= m_config.entries_max) {
        return {final_status(status::invalid_queue_size)};
    }
    if ((command.data[0] & (page_bytes() - 1)) != 0) {
        return {final_status(status::invalid_prp_offset)};
    }
    if (vector >= vectors) {
        return {final_status(status::invalid_interrupt_vector)};
    }
    if ((command.word11 & nvme::queue_contiguous) == 0) {
        return {final_status(status::invalid_field)};
    }
    bool const interrupts = (command.word11 & nvme::queue_interrupts) != 0;
    m_completions[number] = {
        .at = command.data[0],
        .entries = last + u32{1},
        .vector = vector,
        .has_interrupts = static_cast<u16>(interrupts ? 1 : 0)};
    m_has_made_queues = 1;
    return {};
}

NvmeController::Answer NvmeController::create_submission_queue(Command const& command) {
    u16 const number = low(command.word10), last = high(command.word10);
    u16 const completions = high(command.word11);
    if (completions == 0 || !has_completion_queue(completions)) {
        return {final_status(status::invalid_completion_queue)};
    }
    if (number == 0 || number >= m_submissions.size() || m_submissions[number].entries != 0) {
        return {final_status(status::invalid_queue_id)};
    }
    if (last == 0 || last >= m_config.entries_max) {
        return {final_status(status::invalid_queue_size)};
    }
    if ((command.data[0] & (page_bytes() - 1)) != 0) {
        return {final_status(status::invalid_prp_offset)};
    }
    if ((command.word11 & nvme::queue_contiguous) == 0) {
        return {final_status(status::invalid_field)};
    }
    m_submissions[number] = {
        .at = command.data[0], .entries = last + u32{1}, .completion_queue = completions};
    ++m_completions[completions].users;
    return {};
}

NvmeController::Answer NvmeController::delete_completion_queue(Command const& command) {
    u16 const number = low(command.word10);
    if (number == 0 || !has_completion_queue(number)) {
        return {final_status(status::invalid_completion_queue)};
    }
    if (m_completions[number].users != 0) {
        return {status::invalid_queue_deletion};
    }
    m_completions[number] = {};
    return {};
}

/// What is in flight ends first, without completions of its own: the deletion's says so.
NvmeController::Answer NvmeController::delete_submission_queue(Command const& command, u32 tag) {
    u16 const number = low(command.word10);
    if (number == 0 || !has_submission_queue(number)) {
        return {final_status(status::invalid_queue_id)};
    }
    SubmissionQueue& queue = m_submissions[number];
    std::vector<Waiting>& waiting = m_waiting[queue.completion_queue];
    queue.in_flight -= static_cast<u32>(std::erase_if(
        waiting, [&](Waiting const& each) { return each.submission_queue == number; }));
    for (u32 other = 0; other < m_requests.size(); ++other) {
        Request const& request = m_requests[other];
        bool const is_its = request.is_used != 0 && request.submission_queue == number;
        if (is_its && request.medium != nowhere && medium(request.medium).withdraw(other)) {
            --m_medium_parts[request.medium];
            release(other);
            --queue.in_flight;
        }
    }
    if (queue.in_flight != 0) {
        queue.is_deleted = 1;
        queue.deleter = tag;
        return {pending};
    }
    --m_completions[queue.completion_queue].users;
    queue = {};
    return {};
}

/// The result's lowest bit says that the command was not aborted.
NvmeController::Answer NvmeController::abort(DeviceBus& bus, Command const& command) {
    u16 const number = low(command.word10), id = high(command.word10);
    if (!has_submission_queue(number)) {
        return {final_status(status::invalid_field), 1};
    }
    for (u32 tag = 0; tag < m_requests.size(); ++tag) {
        Request const& request = m_requests[tag];
        if (request.is_used == 0 || request.submission_queue != number ||
            request.command.id != id) {
            continue;
        }
        // Requests for events wait on, as in QEMU's controller.
        bool const was_withdrawn =
            request.medium != nowhere && medium(request.medium).withdraw(tag);
        if (was_withdrawn) {
            --m_medium_parts[request.medium];
            complete(bus, tag, status::aborted_by_request);
            return {status::success, 0};
        }
    }
    return {status::success, 1};
}

NvmeController::Answer NvmeController::request_event(DeviceBus& bus, u32 tag) {
    if (m_event_requests.size() == event_requests_max) {
        return {status::event_limit_exceeded};
    }
    m_event_requests.push_back(tag);
    pass_events(bus);
    return {pending};
}

void NvmeController::add_event(DeviceBus& bus, Event event) {
    if (m_events.size() < events_max) {
        m_events.push_back(event);
        pass_events(bus);
    }
}

/// One event of a type, until its log page has been read.
void NvmeController::pass_events(DeviceBus& bus) {
    for (usize i = 0; i < m_events.size() && !m_event_requests.empty();) {
        Event const event = m_events[i];
        if ((m_masked_events >> event.type & 1) != 0) {
            ++i;
            continue;
        }
        m_events.erase(m_events.begin() + static_cast<i64>(i));
        m_masked_events = static_cast<u8>(m_masked_events | 1u << event.type);
        u32 const tag = m_event_requests.back();
        m_event_requests.pop_back();
        u32 const result = u32{event.log_page} << 16 | u32{event.information} << 8 | event.type;
        complete(bus, tag, status::success, result);
    }
}

void NvmeController::clear_events(u8 type) {
    m_masked_events = static_cast<u8>(m_masked_events & ~(1u << type));
    std::erase_if(m_events, [&](Event const& event) { return event.type == type; });
}

/// Writes what an admin command asked for. The answer is its status.
u16 NvmeController::answer_data(
    DeviceBus& bus, Command const& command, std::span<std::byte const> data) {
    NvmeData where;
    if (u16 const failed = find_data(bus, command, data.size(), page_bytes(), where); failed != 0) {
        return failed;
    }
    for (NvmeSegment const& segment : where.segments) {
        for (u64 done = 0; done < segment.bytes;) { // as reach_data has it
            u64 const at = segment.at + done;
            u64 const here =
                std::min(segment.bytes - done, page_bytes() - (at & (page_bytes() - 1)));
            if (!bus.write({at}, data.first(here))) {
                return status::data_transfer_error;
            }
            data = data.subspan(here);
            done += here;
        }
    }
    return 0;
}

} // namespace hosted
