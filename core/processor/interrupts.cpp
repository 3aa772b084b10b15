// See interrupts.hpp.
#include "core/processor/interrupts.hpp"

#include "core/processor/work.hpp"

#include "core/processor/dispatch.hpp"
#include "hal/clock.hpp"

#include <algorithm>
#include <utility>

namespace twofold::processor {

void note_handling(
    CpuLocal& cpu, InterruptTable::Entry const& entry, hal::Vector vector, Handling handling) {
    VectorCounts& counts = cpu.counts[vector.value];
    if (handling == Handling::wake) {
        request_work(cpu, vector);
    } else if (handling == Handling::not_mine) {
        ++counts.not_handled;
    }
    if (counts.taken % storm_window != 0) {
        return;
    }
    Nanos const now = hal::Clock::now();
    Nanos const took = now == Nanos{} ? storm_window_min : now - counts.window_began;
    bool const is_shared = std::exchange(counts.window_is_shared, false);
    Storm const storm = is_shared
                            ? Storm::none
                            : judge_window(counts.not_handled - counts.not_handled_before, took);
    counts.window_began = now;
    counts.not_handled_before = counts.not_handled;
    bool const is_tolerated = storm == Storm::too_often && entry.may_come_often;
    if (storm != Storm::none && !is_tolerated && cpu.lines != nullptr) {
        cpu.lines->silence(cpu, vector, storm);
    }
}

void Interrupts::open(CpuSet& cpus, Reporter reporter, void* object) {
    CHECK(m_cpus == nullptr && reporter != nullptr);
    m_cpus = &cpus;
    m_reporter = reporter;
    m_reporter_object = object;
    m_table.open(hal::Controller::vectors(), hal::Controller::spurious());
}

Result<void> Interrupts::tell_of_storms() {
    m_teller = TRY(m_table.bind_any(
        {.handler = [](void*, hal::Interruption const&) { return Handling::not_mine; },
         .argument = this,
         .name = "storms",
         .second_half = tell}));
    return {};
}

Interrupts::LineRecord* Interrupts::record_of(hal::Line line) {
    for (LineRecord& record : m_lines) {
        if (record.line == line) {
            return &record;
        }
    }
    return nullptr;
}

Interrupts::LineRecord* Interrupts::record_of(hal::Vector vector) {
    for (LineRecord& record : m_lines) {
        if (record.vector == vector) {
            return &record;
        }
    }
    return nullptr;
}

Result<hal::Vector>
Interrupts::bind_line(LineRequest const& request, InterruptBinding const& binding) {
    if (std::find(m_reserved.begin(), m_reserved.end(), request.line) != m_reserved.end()) {
        return Error::already_exists;
    }
    hal::Vector const vector = TRY(m_table.bind_any(binding));
    hal::Route const route{
        .vector = vector,
        .target = request.target,
        .trigger = request.trigger,
        .polarity = request.polarity};
    Result<void> outcome;
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        if (record_of(request.line) != nullptr) {
            outcome = Error::already_exists;
        } else if (m_lines.full()) {
            outcome = Error::no_space;
        } else {
            outcome = hal::Controller::route(request.line, route);
        }
        if (outcome) {
            m_lines.push_back({request.line, vector, route, 1, false}).value(); // there is room
        }
    }
    if (!outcome) {
        m_table.detach(vector).value(); // it was bound just now, and nothing raises it
        m_table.release(vector);
        return outcome.error();
    }
    return vector;
}

Result<MessageBinding> Interrupts::bind_message(CpuId target, InterruptBinding const& binding) {
    hal::Vector const vector = TRY(m_table.bind_any(binding));
    Result<hal::Message> const message = hal::Controller::message(target, vector);
    if (!message) {
        m_table.detach(vector).value(); // it was bound just now, and nothing raises it
        m_table.release(vector);
        return message.error();
    }
    return MessageBinding{vector, message.value()};
}

/// Forgets the line and the storms of a vector.
void Interrupts::forget(hal::Vector vector) {
    Silenced* silenced = nullptr;
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        if (LineRecord const* const record = record_of(vector)) {
            hal::Controller::mask(record->line).value(); // it was routed
            m_lines.erase(static_cast<usize>(record - m_lines.items().data()));
        }
        for (Silenced& each : m_silenced) {
            silenced = each.is_used && each.vector == vector ? &each : silenced;
        }
    }
    if (silenced != nullptr) {
        TimerQueue::cancel_and_wait(silenced->timer);
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        silenced->is_used = silenced->is_silent = false;
        silenced->pause = {};
    }
}

namespace {

struct WorkProbe {
    hal::Vector vector;
    bool is_underway = false;
};

void probe_work(void* argument) {
    auto& probe = *static_cast<WorkProbe*>(argument);
    probe.is_underway = is_work_underway(this_cpu(), probe.vector);
}

/// What came of a vector here is not held against whom it is bound to next.
void share_window(void* argument) {
    this_cpu().counts[static_cast<hal::Vector const*>(argument)->value].window_is_shared = true;
}

} // namespace

void Interrupts::wait_until_idle(hal::Vector vector) const {
    // First halves run with interrupts off, so whoever has answered is in none, and asks for no
    // second half any more.
    m_cpus->call_others(share_window, &vector);
    {
        sync::InterruptGuard const off;
        share_window(&vector);
    }
    for (u32 cpu = 0; cpu < m_cpus->known(); ++cpu) {
        bool const is_own = this_cpu().id.value == cpu; // in its second half, or between two
        for (bool is_underway = !is_own && m_cpus->is_online({cpu}); is_underway;) {
            WorkProbe probe{vector};
            m_cpus->call({cpu}, probe_work, &probe).value(); // a processor that runs goes on to run
            is_underway = probe.is_underway;
        }
    }
}

Result<void> Interrupts::unbind(hal::Vector vector) {
    sync::require(sync::Ability::wait);
    if (!m_table.entry(vector).is_bound) {
        return Error::not_found;
    }
    CHECK(m_cpus != nullptr);
    forget(vector);
    TRY(m_table.detach(vector));
    if (!mutant(Mutant::interrupts_unbind_early)) {
        wait_until_idle(vector);
    }
    m_table.release(vector);
    return {};
}

Result<void> Interrupts::mask_line(hal::Line line) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    LineRecord* const record = record_of(line);
    if (record == nullptr) {
        return Error::not_found;
    }
    if (record->mask_depth++ == 0) {
        return hal::Controller::mask(line);
    }
    return {};
}

Result<void> Interrupts::unmask_line(hal::Line line) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    LineRecord* const record = record_of(line);
    if (record == nullptr) {
        return Error::not_found;
    }
    if (record->mask_depth == 0) {
        return Error::invalid_state;
    }
    if (--record->mask_depth == 0 && !record->is_stormy) {
        return hal::Controller::unmask(line);
    }
    return {};
}

Interrupts::Silenced* Interrupts::silenced_for(hal::Vector vector) {
    Silenced* free = nullptr;
    for (Silenced& each : m_silenced) {
        if (each.is_used && each.vector == vector) {
            return &each;
        }
        free = !each.is_used && free == nullptr ? &each : free;
    }
    if (free != nullptr) {
        free->owner = this;
        free->vector = vector;
        free->pause = {};
        free->is_used = true;
    }
    return free;
}

void Interrupts::silence_line(LineRecord& record) {
    record.is_stormy = true;
    hal::Controller::mask(record.line).value(); // it was routed
}

void Interrupts::silence(CpuLocal& cpu, hal::Vector vector, Storm storm) {
    InterruptTable::Entry const& entry = m_table.entry(vector);
    StormReport report{vector, entry.name, std::nullopt, storm, cpu.id};
    {
        sync::SpinLockGuard const guard(m_lock, sync::interrupts_are_off);
        Silenced* const silenced = silenced_for(vector);
        if (silenced != nullptr && silenced->is_silent) {
            return; // what was under way already
        }
        if (LineRecord* const record = record_of(vector)) {
            report.line = record->line;
            silence_line(*record);
        } else if (entry.is_bound) {
            m_table.mute(vector);
        }
        if (silenced == nullptr) {
            m_last_report = report;
        } else if (silenced->pause == Nanos{}) {
            silenced->report = report;
        }
        // Without a clock, or with more storms than can be kept, it stays silent for good.
        if (silenced != nullptr && cpu.timers.is_open()) {
            silenced->is_silent = true;
            silenced->pause = next_storm_pause(silenced->pause);
            cpu.timers.start(silenced->timer, hal::Clock::now() + silenced->pause);
        }
    }
    m_storms_seen.fetch_add(1, relaxed);
    request_work(cpu, m_teller);
}

/// Tells of the storms that nobody has been told of. A second half: telling takes its time.
void Interrupts::tell(void* argument) {
    auto& self = *static_cast<Interrupts*>(argument);
    std::optional<StormReport> report;
    do {
        report.reset();
        {
            sync::SpinLockGuard const guard(self.m_lock, sync::save_interrupts);
            std::optional<StormReport>* untold = &self.m_last_report;
            for (Silenced& silenced : self.m_silenced) {
                untold = silenced.report ? &silenced.report : untold;
            }
            std::swap(report, *untold);
        }
        if (report) {
            self.m_reporter(self.m_reporter_object, *report);
        }
    } while (report);
}

void Interrupts::resume(void* argument) {
    auto& silenced = *static_cast<Silenced*>(argument);
    Interrupts& self = *silenced.owner;
    sync::SpinLockGuard const guard(self.m_lock, sync::interrupts_are_off);
    silenced.is_silent = false;
    if (LineRecord* const record = self.record_of(silenced.vector)) {
        record->is_stormy = false;
        if (record->mask_depth == 0) {
            hal::Controller::unmask(record->line).value(); // it was routed
        }
    } else {
        self.m_table.unmute(silenced.vector);
    }
}

} // namespace twofold::processor
