// See cpu_set.hpp.
#include "core/processor/cpu_set.hpp"

#include "hal/clock.hpp"
#include "hal/controller.hpp"

#include <algorithm>

namespace twofold::processor {

namespace {

using sync::ExecutionContext;

/// A processor that does not answer for so long never will: better a panic that says so than a
/// kernel that stands still.
constexpr Nanos answer_max{120'000'000'000};
constexpr u32 looks_between_clocks = 1u << 16;

/// Calls that are under way at once; more processors are called in turns.
constexpr usize batch_max = 16;

void run_here(CpuLocal& cpu, sync::Call::Function function, void* argument) {
    sync::InterruptGuard const off;
    sync::ContextScope const scope(cpu, std::max(cpu.context, ExecutionContext::irq));
    function(argument);
}

} // namespace

void CpuSet::add(CpuLocal& cpu) {
    CHECK(cpu.id.value == m_known && m_known < cpus_max);
    cpu.set = this;
    cpu.serve = serve_urgent;
    m_cpus[m_known++] = &cpu;
}

void CpuSet::set_online(CpuLocal& cpu) {
    CHECK(&of(cpu.id) == &cpu && cpu.is_online.load(relaxed) == 0);
    cpu.online_since = hal::Clock::now();
    cpu.is_online.store(1, sequential);
    m_online.fetch_add(1, sequential);
}

void CpuSet::set_offline(CpuLocal& cpu) {
    if (cpu.is_online.exchange(0, acquire_release) != 0) {
        m_online.fetch_sub(1, acquire_release);
    }
}

void CpuSet::stop(CpuLocal& cpu, sync::Call::Function function) {
    cpu.stop_call.set(function, nullptr);
    send(cpu, cpu.stop_call, Urgency::urgent);
}

void CpuSet::serve_urgent(sync::CpuState& state) {
    CHECK(hal::Interrupt::state() == hal::InterruptState::disabled);
    auto& cpu = static_cast<CpuLocal&>(state);
    sync::ContextScope const scope(cpu, std::max(cpu.context, ExecutionContext::irq));
    u32 const count = cpu.urgent.run();
    cpu.call_counts.served += count;
    cpu.call_counts.served_while_waiting += count;
}

void CpuSet::serve(CpuLocal& cpu) {
    CHECK(hal::Interrupt::state() == hal::InterruptState::disabled);
    sync::ContextScope const scope(cpu, std::max(cpu.context, ExecutionContext::irq));
    u32 count = cpu.urgent.run();
    count += cpu.calls.run();
    cpu.call_counts.served += count;
    if (count == 0 && mutant(Mutant::calls_empty_refused)) {
        check_failed("a message has come without a call");
    }
}

void CpuSet::send(CpuLocal& to, sync::Call& call, Urgency urgency) const {
    ++this_cpu().call_counts.made;
    sync::CallQueue& queue = urgency == Urgency::urgent ? to.urgent : to.calls;
    if (queue.add(call)) {
        hal::Controller::send(to.id, m_vector);
    }
}

void CpuSet::wait_for(sync::Call const& call, Urgency urgency) {
    bool const is_off = hal::Interrupt::state() == hal::InterruptState::disabled;
    Nanos const began = hal::Clock::now();
    for (u32 looks = 1; call.is_pending(); ++looks) {
        sync::relax();
        bool const gives_up = urgency == Urgency::urgent ? mutant(Mutant::calls_urgent_limited)
                                                         : mutant(Mutant::calls_wait_limited);
        if (gives_up && looks == 1'000) {
            return;
        }
        if (is_off && urgency == Urgency::ordinary && this_cpu().calls.has_calls()) {
            serve(this_cpu()); // its caller may be whom this one waits for
        }
        if (looks % looks_between_clocks == 0 && hal::Clock::now() - began > answer_max) {
            check_failed("a processor does not answer a call within 120 seconds");
        }
    }
}

Result<void> CpuSet::call(CpuId cpu, sync::Call::Function function, void* argument) {
    if (cpu.value >= m_known) {
        return Error::out_of_range;
    }
    CpuLocal& here = this_cpu();
    if (cpu == here.id) {
        run_here(here, function, argument);
        return {};
    }
    if (!is_online(cpu)) {
        return Error::invalid_state;
    }
    CHECK(here.held_count == 0 && here.context <= ExecutionContext::no_preempt);
    sync::Call call(function, argument);
    {
        sync::InterruptGuard const off;
        send(of(cpu), call, Urgency::ordinary);
    }
    wait_for(call, Urgency::ordinary);
    return {};
}

void CpuSet::call_all_others(sync::Call::Function function, void* argument, Urgency urgency) {
    CpuId const here = this_cpu().id;
    u32 const end = m_known - (mutant(Mutant::calls_one_missed) ? 1 : 0);
    for (u32 next = 0; next < end;) {
        sync::Call calls[batch_max];
        usize count = 0;
        {
            sync::InterruptGuard const off;
            for (; next < end && count < batch_max; ++next) {
                if (next != here.value && is_online({next})) {
                    calls[count].set(function, argument);
                    send(of({next}), calls[count++], urgency);
                }
            }
        }
        for (usize i = 0; i < count; ++i) {
            wait_for(calls[i], urgency);
        }
    }
}

void CpuSet::call_others(sync::Call::Function function, void* argument) {
    CHECK(this_cpu().held_count == 0 && this_cpu().context <= ExecutionContext::no_preempt);
    if (online() > 1) {
        call_all_others(function, argument, Urgency::ordinary);
    }
}

void CpuSet::call_others_urgently(sync::Call::Function function, void* argument) {
    CHECK(this_cpu().context <= ExecutionContext::irq);
    if (online() > 1) {
        call_all_others(function, argument, Urgency::urgent);
    }
}

Result<void> CpuSet::post(CpuId cpu, sync::Call::Function function, void* argument) {
    if (cpu.value >= m_known) {
        return Error::out_of_range;
    }
    if (!is_online(cpu)) {
        return Error::invalid_state;
    }
    sync::InterruptGuard const off;
    CpuLocal& here = this_cpu();
    auto* free =
        std::find_if(std::begin(here.posts), std::end(here.posts), [](sync::Call const& call) {
            return !call.is_pending();
        });
    if (free == std::end(here.posts) || probe::fails(FaultPoint::calls_post)) {
        if (!mutant(Mutant::calls_post_reused)) {
            return Error::no_space;
        }
        free = std::begin(here.posts);
    }
    free->set(function, argument);
    send(of(cpu), *free, Urgency::ordinary);
    return {};
}

Result<void> CpuSet::delegate(CpuId cpu, sync::Call& job) {
    if (cpu.value == 0 || cpu.value >= m_known) {
        return Error::out_of_range;
    }
    if (!is_online(cpu)) {
        return Error::invalid_state;
    }
    if (of(cpu).jobs.add(job)) {
        hal::Controller::send(cpu, m_vector); // it ends the sleep, and no call waits for it
    }
    return {};
}

} // namespace twofold::processor
