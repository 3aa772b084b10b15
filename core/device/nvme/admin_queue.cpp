// See admin_queue.hpp.
#include "core/device/nvme/admin_queue.hpp"

#include "core/task/task.hpp"
#include "hal/clock.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <cstring>

namespace twofold::nvme {

void pause_for(Nanos time) {
    task::Threads* const threads = task::Threads::here();
    if (threads != nullptr && sync::current_context() == sync::ExecutionContext::thread) {
        threads->sleep_for(time);
    } else {
        processor::sleep_for(time)
            .value(); // the controller's driver has seen that there is a clock
    }
}

Result<void> AdminQueue::open() {
    m_memory = TRY(
        m_environment.frames.allocate({.pages = pages, .content = memory::FrameContent::zeroed}));
    m_pages = pages;
    auto const mapped = m_dma.map(m_memory, page_size * pages, hal::DmaDirection::both);
    if (!mapped) {
        close();
        return mapped.error();
    }
    m_mapping = mapped.value();
    m_submissions = {room_for<Command>(hal::Memory::linear(m_memory)), entries};
    m_completions = {room_for<Completion>(hal::Memory::linear(m_memory + page_size)), entries};
    return {};
}

void AdminQueue::close() {
    if (m_mapping.size != Bytes{}) {
        m_dma.unmap(m_mapping);
        m_mapping = {};
    }
    if (m_pages != 0) {
        m_environment.frames.free_pages(m_memory, m_pages).value(); // taken by `open`
        m_pages = 0;
    }
}

void AdminQueue::start(u32 doorbell_stride) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    fail_all();
    std::memset(m_submissions.data(), 0, m_submissions.size_bytes());
    std::memset(m_completions.data(), 0, m_completions.size_bytes());
    m_events.clear();
    m_tail = m_head = 0;
    m_phase = true;
    m_stride = doorbell_stride;
    m_runs = true;
    hal::Memory::device_write_barrier();
    m_registers.write_32(reg::admin_attributes, (entries - 1u) << 16 | (entries - 1u));
    m_registers.write_64(reg::admin_submission, m_mapping.address.value);
    m_registers.write_64(reg::admin_completion, (m_mapping.address + page_size).value);
}

void AdminQueue::stop() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    m_runs = false;
    fail_all();
}

/// The controller has forgotten them, or is dead.
void AdminQueue::fail_all() {
    for (Slot& slot : m_slots) {
        slot.state = slot.state == State::in_flight   ? State::failed
                     : slot.state == State::abandoned ? State::free
                                                      : slot.state;
    }
    for (Slot& slot : std::span(m_slots).subspan(commands_max)) {
        slot.state = State::free; // nobody waits for those
    }
}

void AdminQueue::place(Command const& command) {
    m_submissions[m_tail] = command;
    m_tail = static_cast<u16>((m_tail + 1) % entries);
    hal::Memory::device_write_barrier();
    m_registers.write_32(submission_doorbell(0, m_stride), m_tail);
}

/// The slot that the command got; nothing where none is free.
std::optional<u32> AdminQueue::begin(Command command, Data way, std::span<std::byte> data) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    for (u32 i = 0; i < commands_max; ++i) {
        Slot& slot = m_slots[i];
        if (slot.state != State::free) {
            continue;
        }
        slot.id = static_cast<u16>((slot.id & ~((1u << slot_bits) - 1)) + (1u << slot_bits) + i);
        if (way == Data::to_controller) {
            std::memcpy(hal::Memory::linear(page_of(i)), data.data(), data.size());
        }
        if (way != Data::none) {
            command.data[0] = device_page_of(i).value;
        }
        command.id = slot.id;
        slot.state = m_runs ? State::in_flight : State::failed;
        if (m_runs) {
            place(command);
        }
        return i;
    }
    return std::nullopt;
}

Result<Answer> AdminQueue::end(u32 index, std::span<std::byte> data, Data way) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    Slot& slot = m_slots[index];
    bool const is_done = slot.state == State::done;
    slot.state = State::free;
    if (!is_done) {
        return Error::io_failed;
    }
    if (way == Data::from_controller) {
        std::memcpy(data.data(), hal::Memory::linear(page_of(index)), data.size());
    }
    return slot.answer;
}

bool AdminQueue::is_over(u32 index) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    take();
    return m_slots[index].state != State::in_flight;
}

/// The controller may still have it.
void AdminQueue::give_up(u32 index) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    Slot& slot = m_slots[index];
    slot.state = slot.state == State::in_flight ? State::abandoned : State::free;
}

Result<Answer>
AdminQueue::perform(Command command, Nanos time_out, Data way, std::span<std::byte> data) {
    CHECK(data.size() <= page_size.value && data.empty() == (way == Data::none));
    constexpr u32 looks = 64; ///< before it sleeps
    constexpr Nanos nap_min{20'000}, nap_max{1'000'000};
    Nanos const deadline = hal::Clock::now() + time_out;
    Nanos nap = nap_min;
    std::optional<u32> slot;
    for (u32 look = 0;; ++look) {
        slot = slot ? slot : begin(command, way, data);
        if (slot && is_over(*slot)) {
            return end(*slot, data, way);
        }
        if (look < looks) {
            sync::relax();
            continue;
        }
        bool const is_late = hal::Clock::now() >= deadline;
        if (is_late || m_registers.are_gone()) {
            if (slot) {
                give_up(*slot);
            }
            return !is_late ? Error::io_failed : slot ? Error::timed_out : Error::busy;
        }
        pause_for(nap);
        nap = std::min(nap + nap, nap_max);
    }
}

void AdminQueue::ask_for_events(u32 count) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    for (u32 i = commands_max; m_runs && i < commands_max + std::min(count, events_max); ++i) {
        Slot& slot = m_slots[i];
        if (slot.state != State::free) {
            continue;
        }
        slot.id = static_cast<u16>((slot.id & ~((1u << slot_bits) - 1)) + (1u << slot_bits) + i);
        slot.state = State::in_flight;
        place({.opcode = static_cast<u8>(AdminOpcode::asynchronous_event), .id = slot.id});
    }
}

std::optional<u32> AdminQueue::next_event() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    if (m_events.empty()) {
        return std::nullopt;
    }
    u32 const event = m_events[0];
    m_events.erase(0);
    return event;
}

bool AdminQueue::drain() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    take();
    return !m_events.empty();
}

void AdminQueue::take() {
    u32 taken = 0;
    while (m_runs && taken < entries) {
        Completion const& place = m_completions[m_head];
        u16 status;
        std::memcpy(&status, &place.status, sizeof(status));
        if (((status & 1) != 0) != m_phase) {
            break;
        }
        hal::Memory::device_read_barrier(); // the rest was there when the phase was
        Completion completion;
        std::memcpy(&completion, &place, sizeof(completion));
        ++taken;
        m_head = static_cast<u16>((m_head + 1) % entries);
        m_phase = m_head == 0 ? !m_phase : m_phase;
        u32 const index = completion.id & ((1u << slot_bits) - 1);
        bool const is_known =
            index < slots && m_slots[index].id == completion.id &&
            (m_slots[index].state == State::in_flight || m_slots[index].state == State::abandoned);
        if (!is_known) {
            m_spurious.fetch_add(1, relaxed);
            continue;
        }
        Slot& slot = m_slots[index];
        slot.answer = {Status::of(completion), completion.result};
        bool const is_event = index >= commands_max;
        slot.state = is_event || slot.state == State::abandoned ? State::free : State::done;
        if (is_event && slot.answer.status.is_success() && !m_events.full()) {
            m_events.push_back(completion.result).value(); // it is not full
        }
    }
    if (taken != 0) {
        m_registers.write_32(completion_doorbell(0, m_stride), m_head);
    }
}

} // namespace twofold::nvme
