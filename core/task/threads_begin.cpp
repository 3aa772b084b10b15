// How threads begin: what runs becomes threads.
#include "core/task/threads.hpp"

#include <algorithm>
#include <memory>

namespace twofold::task {

Threads::Threads(
    Plan const& plan,
    hal::Vector vector,
    std::span<Dispatch::Queue*> queues,
    sync::LockOrder* order)
    : m_plan(plan),
      m_world(plan.cpus, vector),
      m_vector(vector),
      m_dispatcher(m_world, queues),
      m_kernel(0, Process::Name::create("kernel").value(), nullptr),
      m_locks(m_waiting, order, plan.report, plan.object) {}

Result<Threads*> Threads::begin(Plan const& plan) {
    if (!plan.interrupts.is_open() || !processor::this_cpu().timers.is_open()) {
        return Error::not_supported;
    }
    u32 const cpus = plan.cpus.known();
    auto* const slots = TRY(take_room<Dispatch::Queue*>(plan, cpus));
    std::uninitialized_fill_n(slots, cpus, nullptr);
    auto* const room = TRY(take_room<Threads>(plan));
    auto const vector = TRY(plan.interrupts.bind_any(
        {.handler = take_kick,
         .name = "reschedule",
         .second_half = bury_all,
         .may_come_often = true}));
    sync::LockOrder* order = nullptr;
    if constexpr (checks_enabled) {
        order = std::construct_at(TRY(take_room<sync::LockOrder>(plan)));
    }
    auto* const threads = new (room) Threads(plan, vector, std::span(slots, cpus), order);
    for (u32 cpu = 0; cpu < cpus; ++cpu) {
        if (plan.cpus.is_online({cpu})) {
            TRY(threads->join_processor({cpu}));
        }
    }
    TRY(threads->adopt_caller());
    return threads;
}

/// The idle thread of a processor: on the boot processor one with a stack, elsewhere what runs.
Result<void> Threads::join_processor(CpuId cpu) {
    auto* const room = TRY(take_room<CpuThreads>(m_plan));
    auto* const own = new (room) CpuThreads(*this);
    char letters[Thread::Name::capacity()];
    auto const name = format_to(std::span(letters), "idle-{}", cpu.value).text;
    own->idle.m_name = Thread::Name::create(name).value();
    own->idle.m_process = &m_kernel;
    own->idle.m_is_idle = true;
    own->running = &own->idle;
    if (cpu == CpuId{0}) {
        TRY(prepare(own->idle, {}));
        own->idle.m_entry = [](void* self) {
            sync::disable_interrupts();
            static_cast<Threads*>(self)->m_plan.idle(processor::this_cpu());
        };
        own->idle.m_argument = this;
    }
    publish(own->idle, m_kernel);
    struct Arrival {
        Threads& self;
        CpuThreads& own;
    } arrival{*this, *own};
    return m_plan.cpus.call(
        cpu,
        [](void* argument) {
            auto& arriving = *static_cast<Arrival*>(argument);
            arriving.self.install(arriving.own, processor::this_cpu());
        },
        &arrival);
}

/// On the processor itself, in context irq.
void Threads::install(CpuThreads& own, processor::CpuLocal& cpu) {
    cpu.runner = &own;
    cpu.run_work = &Threads::attend;
    m_dispatcher.add(own.queue, cpu.id, m_plan.place_of(m_plan.object, cpu.id), own.idle);
}

/// What runs becomes a thread, as if the idle thread had chosen it.
Result<void> Threads::adopt_caller() {
    auto* const room = TRY(take_room<Thread>(m_plan));
    auto* const main = new (room) Thread;
    main->m_name = Thread::Name::create("main").value();
    publish(*main, m_kernel);
    CpuId const here = processor::this_cpu().id; // the boot processor, until there are threads
    {
        sync::InterruptGuard const off;
        TRY(m_dispatcher.admit(*main, default_parameters(), sched::CpuMask::only(here)));
        m_dispatcher.unpark(*main, here);
        auto* const chosen = m_dispatcher.preempt(here);
        CHECK(chosen == main);
        own_of(processor::this_cpu()).running = main;
        m_dispatcher.finish(here);
    }
    return set_allowed(*main, sched::CpuMask::all());
}

} // namespace twofold::task
