// What a controller (controller.hpp) has done about what goes wrong, and how it is suspended and
// removed.
#include "core/device/nvme/controller.hpp"

#include "hal/clock.hpp"

#include <algorithm>

namespace twofold::nvme {

processor::Handling Controller::take_queue(void* interrupt, hal::Interruption const&) {
    static_cast<QueueInterrupt*>(interrupt)->queue->note_interrupt();
    return processor::Handling::wake;
}

void Controller::drain_queue(void* interrupt) {
    QueuePair& queue = *static_cast<QueueInterrupt*>(interrupt)->queue;
    u32 found = queue.drain();
    if (found == 0 && mutant(Mutant::device_interrupt_trusted)) {
        queue.presume_done();
    }
    while (found >= QueuePair::drain_max) {
        found = queue.drain();
    }
}

processor::Handling Controller::take_admin(void*, hal::Interruption const&) {
    return processor::Handling::wake;
}

void Controller::drain_admin(void* self) {
    auto& controller = *static_cast<Controller*>(self);
    if (controller.m_admin.drain()) {
        controller.request(Errand::events);
    }
}

/// There is but one vector for all.
void Controller::drain_all(void* self) {
    auto& controller = *static_cast<Controller*>(self);
    for (QueuePair* const queue : controller.m_queues) {
        queue->note_interrupt();
        while (queue->drain() >= QueuePair::drain_max) {
        }
    }
    drain_admin(self);
}

/// Under the queue's lock, up to irq.
void Controller::take_overdue(void* self) {
    if (!mutant(Mutant::device_timeout_idle)) {
        static_cast<Controller*>(self)->request(Errand::overdue);
    }
}

void Controller::request(Errand errand) {
    m_errands.fetch_or(errand, acquire_release);
    m_connection.request_errand(ErrandKind::recovery);
}

void Controller::request_look() {
    m_look_wanted.store(1, release);
    m_connection.request_errand(ErrandKind::look);
}

void Controller::run_errands() {
    recover();
    look();
}

void Controller::recover() {
    while (m_errands.load(acquire) != 0) {
        if (m_is_on_errand.exchange(1, acquire_release) != 0) {
            return; // who runs them looks again
        }
        while (u32 const wanted = m_errands.exchange(0, acquire_release)) {
            do_errands(wanted);
        }
        m_is_on_errand.store(0, release);
    }
}

/// The same for looks. One while the controller is reset is made again behind that.
void Controller::look() {
    while (m_look_wanted.load(acquire) != 0) {
        if (m_is_looking.exchange(1, acquire_release) != 0) {
            return;
        }
        while (m_look_wanted.exchange(0, acquire_release) != 0) {
            if (state() == ControllerState::running) {
                look_for_namespaces();
            }
        }
        m_is_looking.store(0, release);
    }
}

void Controller::do_errands(u32 wanted) {
    ControllerState const now = state();
    if (now == ControllerState::dead || now == ControllerState::suspended) {
        return;
    }
    if ((wanted & Errand::reset_due) != 0) {
        restart(ResetCause::failure);
    } else if ((wanted & Errand::reset_wanted) != 0) {
        restart(ResetCause::request);
    } else if ((wanted & Errand::overdue) != 0) {
        look_for_overdue();
    }
    if ((wanted & Errand::events) != 0 && state() == ControllerState::running) {
        take_events();
    }
}

/// The caller is who runs errands, until it gives them back. Looks first: one that is under way may
/// wait for recovery.
void Controller::take_errands() {
    constexpr Nanos nap{200'000};
    while (m_is_looking.exchange(1, acquire_release) != 0) {
        pause_for(nap);
    }
    take_recovery();
}

void Controller::take_recovery() {
    constexpr Nanos nap{200'000};
    while (m_is_on_errand.exchange(1, acquire_release) != 0) {
        pause_for(nap);
    }
}

void Controller::give_errands() {
    m_is_on_errand.store(0, release);
    m_is_looking.store(0, release);
    run_errands();
}

void Controller::look_for_overdue() {
    constexpr u32 aborts_max = 8; // beyond that a reset is quicker
    for (QueuePair* const queue : m_queues) {
        u32 const found = queue->drain();
        if (mode() != CompletionMode::polling) {
            m_lost_interrupts.fetch_add(found, relaxed);
        }
    }
    u32 const status = m_registers.status();
    bool needs_reset = (status & csts::fatal) != 0 || (status & csts::ready) == 0;
    Nanos const now = hal::Clock::now();
    u32 aborts = 0;
    for (QueuePair* const queue : m_queues) {
        while (auto const late = queue->next_overdue(now)) {
            needs_reset = needs_reset || late->was_aborted || ++aborts > aborts_max ||
                          !abort(*queue, late->id);
        }
    }
    if (needs_reset) {
        restart(ResetCause::failure);
        return;
    }
    for (QueuePair* const queue : m_queues) {
        queue->drain(); // what was aborted
        queue->watch_again();
    }
}

/// Whether the controller has answered; the command comes back by itself then.
bool Controller::abort(QueuePair const& queue, u16 id) {
    m_aborts.fetch_add(1, relaxed);
    return m_admin
        .perform(
            {.opcode = static_cast<u8>(AdminOpcode::abort),
             .word10 = u32{id} << 16 | queue.plan().number},
            m_options.abort_time)
        .has_value();
}

void Controller::restart(ResetCause cause) {
    m_resets.fetch_add(1, relaxed);
    m_state.store(ControllerState::resetting, release);
    for (QueuePair* const queue : m_queues) {
        queue->stop();
    }
    m_admin.stop();
    if (!start_again(cause)) {
        die();
        return;
    }
    request_look(); // who knows what it has forgotten
}

/// From any state. What was in flight is with the controller again.
Result<void> Controller::start_again(ResetCause cause) {
    TRY(disable());
    for (QueuePair* const queue : m_queues) {
        queue->drain(); // what it was done with before
        queue->take_back(cause);
    }
    m_admin.start(m_capabilities.doorbell_stride());
    TRY(enable());
    TRY(identify_controller());
    u32 const count = static_cast<u32>(m_queues.size());
    if (TRY(ask_for_queues(count)) < count) {
        return Error::io_failed;
    }
    TRY(create_queues());
    start_events();
    m_state.store(ControllerState::running, release);
    for (QueuePair* const queue : m_queues) {
        queue->resume();
        queue->drain(); // what has failed
    }
    return {};
}

/// Nothing of it is used any more but `remove`.
void Controller::die() {
    m_state.store(ControllerState::dead, release);
    m_admin.stop();
    m_connection.cut_off(); // from here on it writes to nothing that is given back
    for (QueuePair* const queue : m_queues) {
        queue->kill(Error::io_failed);
    }
}

Result<void> Controller::reset() {
    request(Errand::reset_wanted);
    run_errands();
    constexpr Nanos nap{1'000'000};
    while (has_errands()) { // each of them ends
        pause_for(nap);
    }
    return state() == ControllerState::dead ? Result<void>(Error::io_failed) : Result<void>();
}

/// What has happened is read, which is also what allows the controller to tell of the next.
void Controller::take_events() {
    alignas(u64) std::byte log[sizeof(HealthLog)];
    static_cast<void>(m_admin.drain());
    while (auto const event = m_admin.next_event()) {
        m_event_count.fetch_add(1, relaxed);
        auto const type = static_cast<EventType>(*event & 7);
        u32 const what = *event >> 8 & 0xff;
        if (type == EventType::error) {
            static_cast<void>(read_log(
                LogPage::error, all_namespaces, std::span(log).first(sizeof(ErrorLogEntry))));
            if ((m_registers.status() & csts::fatal) != 0) {
                m_errands.fetch_or(Errand::reset_due, acquire_release);
            }
        } else if (type == EventType::health) {
            static_cast<void>(read_log(LogPage::health, all_namespaces, log));
        } else if (type == EventType::notice && what == notice_namespaces_changed) {
            auto const list = memory::Box<IdentifyNamespace, memory::KernelHeap>::create(
                m_environment.heap); // a page: the list is as long as that
            if (list) {
                static_cast<void>(read_log(
                    LogPage::changed_namespaces, all_namespaces,
                    std::as_writable_bytes(std::span(list.value().operator->(), 1))));
            }
            request_look();
        }
    }
    m_admin.ask_for_events(m_facts.event_limit);
}

/// Errors: timed_out. The caller runs errands, and nothing new gets to the controller.
Result<void> Controller::wait_until_ebbed() {
    constexpr Nanos nap{200'000};
    Nanos const deadline = hal::Clock::now() + m_options.time_out + m_options.abort_time;
    for (QueuePair* const queue : m_queues) {
        while (!queue->has_ebbed()) {
            queue->drain();
            if (hal::Clock::now() > deadline) {
                return Error::timed_out;
            }
            if (!queue->has_ebbed()) {
                pause_for(nap);
            }
        }
    }
    return {};
}

Result<void> Controller::suspend() {
    take_errands();
    if (state() != ControllerState::running) {
        give_errands();
        return Error::invalid_state;
    }
    for (QueuePair* const queue : m_queues) {
        queue->ebb();
    }
    if (auto const ebbed = wait_until_ebbed(); !ebbed) {
        for (QueuePair* const queue : m_queues) {
            queue->resume();
        }
        m_errands.fetch_or(Errand::overdue, acquire_release);
        give_errands();
        return ebbed;
    }
    m_state.store(ControllerState::suspended, release);
    for (QueuePair* const queue : m_queues) {
        queue->stop();
    }
    m_admin.stop();
    shut_down();
    give_errands();
    return {};
}

Result<void> Controller::resume() {
    take_errands();
    if (state() != ControllerState::suspended) {
        give_errands();
        return Error::invalid_state;
    }
    m_connection.restore();
    auto const again = start_again(ResetCause::request);
    if (!again) {
        die();
    } else {
        set_mode(mode());
        m_look_wanted.store(1, release);
    }
    give_errands();
    return again;
}

void Controller::remove(device::Removal how) {
    take_errands(); // of looks it is the last
    if (how == device::Removal::gone) {
        die();
    }
    m_is_on_errand.store(0, release);
    recover(); // who uses the disks is waited for, and may wait for that
    while (true) {
        auto const spaces = namespaces();
        if (spaces.empty()) {
            break;
        }
        withdraw(*spaces[0]);
    }
    take_recovery(); // and never gives it back
    if (state() == ControllerState::running) {
        for (QueuePair* const queue : m_queues) {
            queue->ebb();
        }
        static_cast<void>(wait_until_ebbed()); // what does not come back fails below
        for (QueuePair* const queue : m_queues) {
            queue->stop();
        }
        m_admin.stop();
        shut_down();
    }
    m_state.store(ControllerState::dead, release);
    close();
}

} // namespace twofold::nvme
