// The queues of the NVMe controller: doorbells, fetching, completions. See nvme_controller.hpp.
#include "hal/hosted/devices/nvme/nvme_controller.hpp"

#include <algorithm>
#include <bit>

namespace hosted {

namespace status = nvme::status;
using nvme::Command;
using nvme::Completion;

namespace {

constexpr u8 event_error = static_cast<u8>(nvme::EventType::error);
constexpr u8 wrong_register = 0, wrong_value = 1; // what happened, of error events
constexpr u8 error_page = static_cast<u8>(nvme::LogPage::error);

} // namespace

/// The kernel has written to a doorbell; they are numbered as they lie.
void NvmeController::ring(DeviceBus& bus, u32 doorbell, u32 value) {
    if (!is_running()) {
        return;
    }
    u32 const queue = doorbell / 2;
    bool const is_submission = doorbell % 2 == 0;
    u32 const place = value & 0xffff;
    bool const exists = is_submission ? has_submission_queue(queue) : has_completion_queue(queue);
    if (!exists ||
        place >= (is_submission ? m_submissions[queue].entries : m_completions[queue].entries)) {
        note_error({.submission_queue = static_cast<u16>(queue), .command = 0xffff});
        if (!m_event_requests.empty()) {
            add_event(bus, {event_error, exists ? wrong_value : wrong_register, error_page});
            raise_gathered(bus);
        }
    } else if (is_submission) {
        ring_submissions(bus, static_cast<u16>(queue), place);
    } else {
        ring_completions(bus, static_cast<u16>(queue), place);
    }
}

void NvmeController::ring_submissions(DeviceBus& bus, u16 queue, u32 tail) {
    ++m_counts.doorbells;
    m_submissions[queue].tail = tail;
    if (breaks_down(bus) || is_stalled(bus, queue)) {
        return;
    }
    fetch(bus, queue);
    start_media(bus);
}

void NvmeController::ring_completions(DeviceBus& bus, u16 queue, u32 head) {
    m_completions[queue].head = head;
    if (!m_waiting[queue].empty()) {
        post_waiting(bus, queue);
        // Their commands have made room in submission queues.
        for (u16 each = 0; each < m_submissions.size() && is_running(); ++each) {
            if (has_submission_queue(each) && m_submissions[each].completion_queue == queue) {
                fetch(bus, each);
            }
        }
        start_media(bus);
    }
}

void NvmeController::fetch(DeviceBus& bus, u16 number) {
    // A queue may be deleted by the command before.
    while (is_running() && has_submission_queue(number)) {
        SubmissionQueue& queue = m_submissions[number];
        if (queue.head == queue.tail || queue.in_flight == queue.entries) {
            return;
        }
        Command command;
        DmaAddress const at{queue.at + u64{queue.head} * sizeof(Command)};
        if (!bus.read(at, std::as_writable_bytes(std::span(&command, 1)))) {
            fail(bus);
            return;
        }
        queue.head = queue.head + 1 == queue.entries ? 0 : queue.head + 1;
        ++queue.in_flight;
        ++m_counts.commands;
        execute(bus, number, command);
    }
}

void NvmeController::execute(DeviceBus& bus, u16 queue, Command const& command) {
    u32 const tag = take_request(queue, command);
    if (queue == 0) {
        Answer const answer = perform_admin(bus, tag);
        if (answer.status != pending) {
            complete(bus, tag, answer.status, answer.result);
        }
    } else if (u16 const answer = perform_io(bus, tag); answer != pending) {
        complete(bus, tag, answer);
    }
}

u32 NvmeController::take_request(u16 queue, Command const& command) {
    if (m_free == nobody) {
        m_free = static_cast<u32>(m_requests.size());
        m_requests.emplace_back();
        m_data.emplace_back();
    }
    u32 const tag = m_free;
    m_free = m_requests[tag].next_free;
    m_requests[tag] = {.command = command, .submission_queue = queue, .is_used = 1};
    return tag;
}

void NvmeController::release(u32 tag) {
    m_requests[tag].is_used = 0;
    m_requests[tag].next_free = m_free;
    m_free = tag;
}

/// A command has come to its end.
void NvmeController::complete(DeviceBus& bus, u32 tag, u16 answer, u32 result) {
    Request const& request = m_requests[tag];
    u16 const number = request.submission_queue;
    SubmissionQueue& queue = m_submissions[number];
    u16 status = alter_status(bus, answer);
    if (status != 0) {
        status |= note_error(number, request.command, status);
    }
    Waiting const what{
        .submission_queue = number, .id = request.command.id, .result = result, .status = status};
    u16 const to = queue.completion_queue;
    release(tag);
    if (fails(bus, DeviceFault::nvme_dropped_completion)) {
        --queue.in_flight;
        return;
    }
    if (fails(bus, DeviceFault::nvme_duplicate_completion) && queue.is_deleted == 0 &&
        m_waiting[to].empty() && !is_full(m_completions[to])) {
        ++queue.in_flight; // for each a place
        post(bus, m_completions[to], what);
    }
    if (queue.is_deleted != 0) { // the deletion completes it
        --queue.in_flight;
        end_deletion(bus, number);
    } else if (!m_waiting[to].empty() || is_full(m_completions[to])) {
        m_waiting[to].push_back(what);
    } else {
        post(bus, m_completions[to], what);
    }
}

bool NvmeController::is_full(CompletionQueue const& queue) const {
    u32 const next = queue.tail + 1 == queue.entries ? 0 : queue.tail + 1;
    return next == queue.head;
}

void NvmeController::post(DeviceBus& bus, CompletionQueue& queue, Waiting const& what) {
    SubmissionQueue& from = m_submissions[what.submission_queue];
    Completion const completion{
        .result = what.result,
        .submission_head = static_cast<u16>(from.head),
        .submission_queue = what.submission_queue,
        .id = what.id,
        .status = static_cast<u16>(
            what.status << 1 |
            (queue.phase ^ (fails(bus, DeviceFault::nvme_wrong_phase) ? 1 : 0)))};
    --from.in_flight;
    DmaAddress const at{queue.at + u64{queue.tail} * sizeof(Completion)};
    if (!write_completion(bus, at, completion)) {
        fail(bus);
        return;
    }
    if (++queue.tail == queue.entries) {
        queue.tail = 0;
        queue.phase ^= 1;
    }
    ++m_counts.completions;
    if (queue.has_interrupts != 0) {
        m_gathered |= u64{1} << queue.vector;
    }
}

/// What a driver polls is the last word, with the phase: it is written behind the rest, and whole.
bool NvmeController::write_completion(DeviceBus& bus, DmaAddress at, Completion const& completion) {
    std::span<std::byte> const place =
        bus.reach(at, sizeof(completion), hal::DmaDirection::from_device);
    if (place.empty()) {
        return false;
    }
    auto const words = std::bit_cast<std::array<u64, 2>>(completion);
    auto* const target = reinterpret_cast<u64*>(place.data()); // as aligned as its queue is
    target[0] = words[0];
    __atomic_store_n(target + 1, words[1], __ATOMIC_RELEASE);
    return true;
}

void NvmeController::post_waiting(DeviceBus& bus, u16 number) {
    std::vector<Waiting>& waiting = m_waiting[number];
    usize posted = 0;
    while (posted < waiting.size() && !is_full(m_completions[number]) && is_running()) {
        post(bus, m_completions[number], waiting[posted++]);
    }
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<i64>(posted));
}

void NvmeController::raise_gathered(DeviceBus& bus) {
    for (u64 left = std::exchange(m_gathered, 0); left != 0; left &= left - 1) {
        if (fails(bus, DeviceFault::nvme_lost_interrupt)) {
            continue;
        }
        ++m_counts.interrupts;
        bus.interrupt(static_cast<u32>(std::countr_zero(left)));
    }
}

/// Begins what was submitted, and takes what is done at once.
void NvmeController::start_media(DeviceBus& bus) {
    for (u16 number = 0; number < m_medium_parts.size(); ++number) {
        if (m_medium_parts[number] != 0) {
            medium(number).start(bus);
        }
    }
    reap(bus);
}

void NvmeController::reap(DeviceBus& bus) {
    note_sizes(bus);
    // What ends makes room for what waits in the queues, which may end at once, too.
    while (reap_once(bus)) {
        fetch_all(bus);
    }
    bool const is_idle = std::ranges::all_of(m_medium_parts, [](u32 parts) { return parts == 0; });
    if (m_is_stopping != 0 && is_idle) {
        end_stop(bus);
    }
    raise_gathered(bus);
}

/// Whether anything has ended.
bool NvmeController::reap_once(DeviceBus& bus) {
    bool has_ended = false;
    for (u16 number = 0; number < m_medium_parts.size(); ++number) {
        m_outcomes.clear();
        medium(number).reap(bus, m_outcomes);
        has_ended = has_ended || !m_outcomes.empty();
        for (NvmeOutcome const& outcome : m_outcomes) {
            ended(bus, number, outcome);
        }
    }
    return has_ended;
}

void NvmeController::ended(DeviceBus& bus, u16 number, NvmeOutcome const& outcome) {
    CHECK(m_medium_parts[number] != 0);
    --m_medium_parts[number];
    if (outcome.tag == shutdown_tag) {
        --m_shutdown_parts;
        if (m_shutdown_parts == 0) {
            end_shutdown(bus);
        }
        return;
    }
    if (m_is_stopping != 0 || (m_status & nvme::csts::fatal) != 0) {
        return; // nobody waits for it any more, or a reset alone helps
    }
    Request& request = m_requests[outcome.tag];
    CHECK(request.is_used != 0 && request.parts != 0);
    if (outcome.status != 0) {
        request.status = outcome.status;
    }
    if (--request.parts == 0) {
        count(number, request);
        complete(bus, outcome.tag, request.status);
    }
}

/// Takes what has waited for a place.
void NvmeController::fetch_all(DeviceBus& bus) {
    for (u16 queue = 0; queue < m_submissions.size() && is_running(); ++queue) {
        if (m_submissions[queue].head != m_submissions[queue].tail) {
            fetch(bus, queue);
        }
    }
    for (u16 number = 0; number < m_medium_parts.size(); ++number) {
        if (m_medium_parts[number] != 0) {
            medium(number).start(bus);
        }
    }
}

void NvmeController::end_deletion(DeviceBus& bus, u16 number) {
    SubmissionQueue& queue = m_submissions[number];
    if (queue.in_flight != 0) {
        return;
    }
    u32 const deleter = queue.deleter;
    --m_completions[queue.completion_queue].users;
    queue = {};
    complete(bus, deleter, status::success);
}

} // namespace hosted
