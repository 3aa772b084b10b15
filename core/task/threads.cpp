// See threads.hpp.
#include "core/task/threads.hpp"

#include "hal/extended_state.hpp"
#include "hal/layout.hpp"
#include "hal/mmu.hpp"

#include <algorithm>
#include <memory>

namespace twofold::task {

namespace {

using hal::InterruptState;
using sync::ExecutionContext;

/// What the processor is told where it cannot look at once: interrupts are off, or it may not
/// leave the thread yet. At the next interrupt, or at the end of the scope, it looks.
void ask_look(processor::CpuLocal& cpu) {
    cpu.work_waits = true;
}

} // namespace

// ---- the machine ----

void MachineWorld::arm(CpuId, Nanos at) {
    processor::CpuLocal& cpu = processor::this_cpu();
    processor::Timer& alarm = static_cast<CpuThreads&>(*cpu.runner).alarm;
    processor::TimerQueue::cancel(alarm);
    cpu.timers.start(alarm, at);
}

CpuThreads::CpuThreads(Threads& threads) : owner(threads), alarm(&Threads::take_alarm, this) {
    find_work = &Threads::find_work;
}

// ---- threads come and go ----

Result<Thread::Name> Threads::check(ThreadAttributes const& attributes) {
    if (attributes.name.size() > Thread::Name::capacity()) {
        return Error::out_of_range;
    }
    bool const has_room = attributes.stack >= ThreadAttributes::stack_min &&
                          attributes.stack <= ThreadAttributes::stack_max;
    if (!has_room || !attributes.limit.is_sound()) {
        return Error::out_of_range;
    }
    TRY(Classes::check(attributes.parameters));
    return Thread::Name::create(attributes.name);
}

/// A stack, and the first switch to it.
Result<void> Threads::prepare(Thread& thread, ThreadAttributes const& attributes) {
    Bytes const size = align_up(attributes.stack, page_size);
    auto const spare = m_spare_stacks.take(size);
    Result<memory::KernelStack> const stack =
        spare ? Result<memory::KernelStack>(*spare) : m_plan.space.allocate_stack(size);
    if (stack) {
        thread.m_stack = stack.value();
    } else if (!mutant(Mutant::threads_stack_missing)) {
        return stack.error();
    }
    thread.m_context.create(
        std::span(hal::kernel_pointer(thread.m_stack.base), thread.m_stack.size.value), start,
        &thread);
    return {};
}

/// Room for its extended registers, as a thread begins with them.
Result<void> Threads::give_registers(Thread& thread) {
    Bytes const size = hal::ExtendedState::area_bytes();
    std::byte* const area = TRY(m_plan.heap.allocate(size, {hal::ExtendedState::area_alignment}));
    thread.m_registers = std::span(area, size.value);
    hal::ExtendedState::prepare(thread.m_registers);
    return {};
}

void Threads::publish(Thread& thread, Process& process) {
    thread.m_id = m_next_id.fetch_add(1, relaxed);
    thread.m_process = &process;
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    m_all.push_back(thread);
}

Result<Thread*>
Threads::spawn(ThreadAttributes const& attributes, Thread::Entry entry, void* argument) {
    CHECK(entry != nullptr);
    reap();
    auto const name = TRY(check(attributes));
    bool const is_full = count() >= threads_max || probe::fails(FaultPoint::threads_create);
    if (is_full && !mutant(Mutant::threads_full_late)) {
        return Error::no_space;
    }
    Process& process = attributes.process != nullptr ? *attributes.process : m_kernel;
    TRY(process.enter());
    auto const made = [&]() -> Result<Thread*> {
        auto* const room = TRY(memory::allocate_room<Thread>(m_plan.heap, 1));
        auto* const thread = new (room) Thread;
        thread->m_name = name;
        thread->m_entry = entry;
        thread->m_argument = argument;
        thread->m_own = attributes.parameters;
        thread->m_is_detached = attributes.is_detached;
        Result<void> outcome = prepare(*thread, attributes);
        if (outcome && attributes.owns_registers) {
            outcome = give_registers(*thread);
        }
        if (outcome) {
            sync::InterruptGuard const off;
            outcome = m_dispatcher.admit(*thread, attributes.parameters, attributes.allowed);
        }
        if (!outcome) {
            if (!mutant(Mutant::threads_room_lost)) {
                dispose(*thread);
            }
            return outcome.error();
        }
        return thread;
    }();
    if (!made) {
        process.leave();
        return made.error();
    }
    Thread& thread = *made.value();
    if (attributes.limit.is_set()) {
        set_limit(thread, attributes.limit).value(); // it has been checked
    }
    publish(thread, process);
    unpark(thread);
    if (is_full) {
        return Error::no_space;
    }
    return &thread;
}

/// Gives back what a thread lay in; nothing runs on its stack.
void Threads::dispose(Thread& thread) {
    if (thread.m_stack.size.value != 0 && !m_spare_stacks.keep(thread.m_stack)) {
        m_plan.space.free_stack(thread.m_stack).value();
    }
    if (!thread.m_registers.empty()) {
        m_plan.heap.free(thread.m_registers.data()).value();
    }
    std::destroy_at(&thread);
    memory::free_room(m_plan.heap, &thread);
}

/// Disposes of the threads that nobody joins.
void Threads::reap() {
    while (true) {
        Thread* dead = nullptr;
        {
            sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
            dead = m_dead.empty() ? nullptr : &m_dead.pop_front();
        }
        if (dead == nullptr) {
            return;
        }
        dispose(*dead);
    }
}

/// The second half of `reschedule`: sees to those who have exited on this processor.
void Threads::bury_all(void*) {
    while (true) {
        Thread* over = nullptr;
        {
            sync::InterruptGuard const off;
            auto& list = own_of(processor::this_cpu()).over;
            over = list.empty() ? nullptr : &list.pop_front();
        }
        if (over == nullptr) {
            return;
        }
        own_of(processor::this_cpu()).owner.bury(*over);
    }
}

/// A thread that has exited is off its processor for good.
void Threads::bury(Thread& thread) {
    thread.process().leave();
    Thread* joiner = nullptr;
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        m_all.remove(thread);
        thread.m_is_over = true;
        joiner = thread.m_joiner;
        if (thread.m_is_detached) {
            m_dead.push_back(thread);
        }
    }
    if (joiner != nullptr) {
        unpark(*joiner);
    }
}

Result<u64> Threads::join(Thread& thread) {
    sync::require(sync::Ability::wait);
    Thread& self = current();
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        if (thread.m_is_detached || thread.m_joiner != nullptr || &thread == &self) {
            return Error::invalid_state;
        }
        thread.m_joiner = &self;
    }
    while (true) {
        {
            sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
            if (thread.m_is_over) {
                break;
            }
        }
        park();
        if (mutant(Mutant::threads_join_unchecked)) {
            break;
        }
    }
    u64 const status = thread.m_status;
    dispose(thread);
    return status;
}

Result<void> Threads::detach(Thread& thread) {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        if (thread.m_is_detached || thread.m_joiner != nullptr) {
            return Error::invalid_state;
        }
        thread.m_is_detached = true;
        if (thread.m_is_over) {
            m_dead.push_back(thread);
        }
    }
    reap();
    return {};
}

void Threads::exit(u64 status) {
    sync::require(sync::Ability::wait);
    static_cast<void>(hal::Interrupt::disable());
    processor::CpuLocal& cpu = processor::this_cpu();
    CHECK(cpu.recovery == nullptr && cpu.held_count == 0);
    Thread& self = *own_of(cpu).running;
    self.m_status = status;
    self.m_has_exited = true;
    switch_to(m_dispatcher.exit(cpu.id));
    UNREACHABLE(); // nobody continues a thread that is gone
}

// ---- from one thread to the next ----

/// Interrupts are off, and the run queue is locked unless `next` is null.
void Threads::switch_to(sched::Schedulable<Classes>* next, Leave leave) {
    if (next == nullptr) {
        return;
    }
    processor::CpuLocal& cpu = processor::this_cpu();
    CHECK(cpu.context == ExecutionContext::thread);
    CpuThreads& own = own_of(cpu);
    Thread& before = *own.running;
    auto& after = static_cast<Thread&>(*next);
    before.m_saved = {cpu.recovery, cpu.no_alloc};
    cpu.recovery = after.m_saved.recovery;
    cpu.no_alloc = after.m_saved.no_alloc;
    if (!before.m_registers.empty()) {
        leave == Leave::called ? hal::ExtendedState::save_control(before.m_registers)
                               : hal::ExtendedState::save(before.m_registers);
    }
    own.previous = &before;
    own.running = &after;
    memory::AddressSpace* const space = after.process().space();
    if (space != before.process().space()) {
        space != nullptr ? space->activate() : m_plan.space.space().activate();
    }
    hal::Context::switch_between(before.m_context, after.m_context);
    finish_switch(); // perhaps on another processor
}

void Threads::finish_switch() {
    processor::CpuLocal& cpu = processor::this_cpu();
    CpuThreads& own = own_of(cpu);
    Thread& previous = *std::exchange(own.previous, nullptr);
    if (!own.running->m_registers.empty()) {
        hal::ExtendedState::restore(own.running->m_registers);
    } else if (!previous.m_registers.empty()) {
        hal::ExtendedState::forbid();
    }
    bool const is_over = previous.m_has_exited;
    m_dispatcher.finish(cpu.id);
    if (is_over) [[unlikely]] {
        own.over.push_back(previous);
        processor::request_work(cpu, m_vector);
        hal::Controller::send(cpu.id, m_vector); // and with the interrupt it runs
    }
}

void Threads::start(void* thread) {
    auto& self = *static_cast<Thread*>(thread);
    Threads& threads = own_of(processor::this_cpu()).owner;
    threads.finish_switch();
    sync::enable_interrupts();
    self.m_entry(self.m_argument);
    threads.exit(0);
}

/// Somebody may have been woken: looks whether the caller goes on. `before`: how interrupts were.
void Threads::settle(InterruptState before) {
    processor::CpuLocal& cpu = processor::this_cpu();
    if (!m_dispatcher.wants_reschedule(cpu.id)) [[likely]] {
        return;
    }
    if (cpu.context == ExecutionContext::thread && before == InterruptState::enabled &&
        !cpu.is_resting) {
        sync::enable_interrupts(); // what has come meanwhile does not wait for the switch, too
        sync::disable_interrupts();
        CpuId const here = processor::this_cpu().id; // perhaps another one
        if (m_dispatcher.wants_reschedule(here)) {
            switch_to(m_dispatcher.preempt(here));
        }
        return;
    }
    ask_look(cpu);
    if (cpu.context <= ExecutionContext::no_preempt && before == InterruptState::disabled) {
        hal::Controller::send(cpu.id, m_vector); // comes as soon as it can be followed
    }
}

/// What CpuState::run_work leads to: second halves, then whoever goes before the thread.
void Threads::attend(sync::CpuState& state) {
    auto& cpu = static_cast<processor::CpuLocal&>(state);
    processor::run_pending(cpu);
    if (cpu.context != ExecutionContext::thread) {
        return;
    }
    CpuThreads& own = own_of(cpu);
    if (own.is_looking) {
        return; // an interrupt between handler and switch: who is about to switch looks again
    }
    cpu.work_waits = false;
    if (!own.owner.m_dispatcher.wants_reschedule(cpu.id)) {
        return;
    }
    if (cpu.is_resting) {
        ask_look(cpu);
        return;
    }
    own.is_looking = true;
    sync::enable_interrupts(); // what has come meanwhile does not wait for the switch, too
    sync::disable_interrupts();
    own.is_looking = false;
    own.owner.switch_to(own.owner.m_dispatcher.preempt(cpu.id), Leave::interrupted);
}

void Threads::find_work(processor::CpuLocal& cpu) {
    Threads& self = own_of(cpu).owner;
    if (self.m_dispatcher.steal(cpu.id)) {
        self.switch_to(self.m_dispatcher.preempt(cpu.id));
    }
}

void Threads::take_alarm(void* own) {
    auto& cpu = processor::this_cpu();
    if (static_cast<CpuThreads*>(own)->owner.m_dispatcher.attend(cpu.id)) {
        ask_look(cpu);
    }
}

processor::Handling Threads::take_kick(void*, hal::Interruption const&) {
    auto& cpu = processor::this_cpu();
    if (cpu.runner != nullptr && own_of(cpu).owner.m_dispatcher.attend(cpu.id)) {
        ask_look(cpu);
    }
    return processor::Handling::handled;
}

// ---- what threads do ----

Threads* Threads::here() {
    sync::InterruptGuard const off;
    auto* const cpu = static_cast<processor::CpuLocal*>(sync::cpu_state());
    return cpu != nullptr && cpu->runner != nullptr ? &own_of(*cpu).owner : nullptr;
}

void Threads::park() {
    sync::require(sync::Ability::wait);
    if (probe::fails(FaultPoint::threads_wake_early)) {
        return;
    }
    sync::InterruptGuard const off;
    switch_to(m_dispatcher.park(processor::this_cpu().id));
}

bool Threads::park_until(Nanos deadline) {
    struct Alarm {
        Threads& self;
        Thread& thread;
        Atomic<u32> has_come{0};
    } alarm{.self = *this, .thread = current()};
    processor::Timer timer(
        [](void* argument) {
            auto& due = *static_cast<Alarm*>(argument);
            due.has_come.store(1, release);
            due.self.unpark(due.thread);
        },
        &alarm);
    processor::start_timer(timer, deadline).value(); // there is a clock
    park();
    processor::TimerQueue::cancel_and_wait(timer);
    return alarm.has_come.load(acquire) == 0;
}

void Threads::unpark(Thread& thread) {
    InterruptState const before = hal::Interrupt::state();
    sync::InterruptGuard const off;
    m_dispatcher.unpark(thread, processor::this_cpu().id);
    settle(before);
}

void Threads::yield() {
    sync::require(sync::Ability::wait);
    sync::InterruptGuard const off;
    switch_to(m_dispatcher.yield(processor::this_cpu().id));
}

void Threads::sleep_until(Nanos deadline) {
    while (hal::Clock::now() < deadline) {
        park_until(deadline);
    }
}

/// The dispatcher's part of a change. Interrupts are off.
Result<void> Threads::run_with(Thread& thread, Parameters const& parameters) {
    return m_dispatcher.change(thread, parameters, processor::this_cpu().id);
}

Result<void> Threads::change(Thread& thread, Parameters const& parameters) {
    TRY(Classes::check(parameters));
    InterruptState const before = hal::Interrupt::state();
    sync::InterruptGuard const off;
    auto const outcome = m_locks.change_own(thread, [&](bool is_lent) -> Result<void> {
        if (!is_lent) {
            TRY(run_with(thread, parameters));
        } else if (Classes::is_bound_to_queue(parameters)) {
            return Error::invalid_state;
        }
        thread.m_own = parameters;
        return {};
    });
    settle(before);
    return outcome;
}

Result<void> Threads::set_allowed(Thread& thread, sched::CpuMask const& allowed) {
    InterruptState const before = hal::Interrupt::state();
    sync::InterruptGuard const off;
    auto const outcome = m_dispatcher.set_allowed(thread, allowed, processor::this_cpu().id);
    settle(before);
    return outcome;
}

Result<void> Threads::set_limit(Thread& thread, sched::BandwidthLimit const& limit) {
    InterruptState const before = hal::Interrupt::state();
    sync::InterruptGuard const off;
    auto const outcome = m_dispatcher.set_limit(thread, limit, processor::this_cpu().id);
    settle(before);
    return outcome;
}

sched::TaskCounts Threads::counts(Thread const& thread) {
    sync::InterruptGuard const off;
    return m_dispatcher.counts(thread);
}

void Threads::ask_to_end(Thread& thread) {
    thread.m_is_to_end.store(1, relaxed);
    unpark(thread);
}

u32 Threads::count() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return static_cast<u32>(m_all.size());
}

} // namespace twofold::task
