// The dispatcher and its classes under a clock that the workload turns, on a machine of variables:
// who is stronger runs first, who may not sleep does not, and in the end everybody's turn comes.
#include "apps/scenarios/scripted_machine.hpp"
#include "apps/workloads/rooms.hpp"

namespace twofold::workloads {

namespace {

class ScheduleWorkload {
public:
    explicit ScheduleWorkload(Run& run)
        : m_run(run), m_mutex(run.task_threads().locks(), "a machine of variables") {}
    ~ScheduleWorkload() {
        if (m_machine != nullptr && !m_run.has_failed()) { // one that has stays as it is
            std::destroy_at(m_machine);
            memory::free_room(m_run.heap(), m_machine);
        }
    }
    ScheduleWorkload(ScheduleWorkload const&) = delete;
    ScheduleWorkload& operator=(ScheduleWorkload const&) = delete;

    Result<void> begin(Check&) {
        auto* const room = TRY(memory::allocate_room<Machine>(m_run.heap(), 1));
        m_machine = std::construct_at(room);
        for (u32 i = 0; i < scenarios::scripted::tasks; ++i) {
            TRY(m_machine->dispatcher.admit(
                m_machine->all[i], scenarios::scripted::parameters_of(i), everywhere()));
        }
        return {};
    }

    void perform(Step& step) {
        task::MutexGuard const guard(m_mutex);
        u32 const number = static_cast<u32>(step.random.below(scenarios::scripted::tasks));
        CpuId const cpu{static_cast<u32>(step.random.below(scenarios::scripted::cpus))};
        for (int turn = 0; turn < 8; ++turn) {
            play(step, static_cast<u32>(step.random.below(8)), number, cpu);
            m_machine->pass({static_cast<i64>(step.random.below(1'500'000))});
            look(step);
        }
    }

    /// Everybody wants to run, and is as strong as the others.
    void end(Check& check) {
        task::MutexGuard const guard(m_mutex);
        auto const equal = task::Parameters::of<sched::Eevdf>({.weight = 100});
        for (Task& task : m_machine->all) {
            static_cast<void>(m_machine->dispatcher.change(task, equal, {0}).has_value());
            static_cast<void>(
                m_machine->dispatcher.set_allowed(task, everywhere(), {0}).has_value());
            m_machine->dispatcher.unpark(task, {0});
            m_machine->pass({100'000});
        }
        m_machine->pass({500'000'000});
        Nanos before[scenarios::scripted::tasks];
        for (u32 i = 0; i < scenarios::scripted::tasks; ++i) {
            before[i] = m_machine->dispatcher.counts(m_machine->all[i]).ran;
        }
        m_machine->pass({2'000'000'000});
        for (u32 i = 0; i < scenarios::scripted::tasks; ++i) {
            Nanos const now = m_machine->dispatcher.counts(m_machine->all[i]).ran;
            check.holds("a task that wants to run does", now > before[i]);
        }
        if (check.run.has_failed()) {
            return; // who does not run does not end
        }
        m_machine->end();
        for (auto const& queue : m_machine->queues) {
            check.equal(
                "violation of a policy", sched::violation_name(sched::Violation::none),
                sched::violation_name(queue.queue.violation()));
        }
    }

private:
    using Machine = scenarios::scripted::ScriptedMachine;
    using Task = Machine::Task;

    static sched::CpuMask everywhere() { return sched::CpuMask::first(scenarios::scripted::cpus); }
    u32 number_of(Task const& task) const { return static_cast<u32>(&task - m_machine->all); }

    void play(Step& step, u32 what, u32 number, CpuId cpu) {
        Task& task = m_machine->all[(number + what) % scenarios::scripted::tasks];
        switch (what) {
        case 0:
        case 1:
        case 2:
            m_has_permit[number_of(task)] = task.state() != sched::TaskState::asleep;
            m_machine->dispatcher.unpark(task, cpu);
            break;
        case 3:
        case 4:
            park(step, cpu);
            break;
        case 5:
            m_machine->follow(m_machine->dispatcher.yield(cpu), cpu.value);
            break;
        case 6: // refused where a guarantee holds elsewhere
            static_cast<void>(
                m_machine->dispatcher.set_allowed(task, sched::CpuMask::only(cpu), cpu)
                    .has_value());
            break;
        default: {
            bool const is_limited = step.chance(50);
            sched::BandwidthLimit const limit{
                .quota = Nanos{is_limited ? 1'000'000 : 0}, .period = Nanos{10'000'000}};
            step.equal("a limit", answer_ok, m_machine->dispatcher.set_limit(task, limit, cpu));
        }
        }
    }
    void park(Step& step, CpuId cpu) {
        if (m_machine->is_idle(cpu.value)) {
            return;
        }
        Task& task = *m_machine->dispatcher.current(cpu);
        bool const stays = std::exchange(m_has_permit[number_of(task)], false);
        m_machine->follow(m_machine->dispatcher.park(cpu), cpu.value);
        step.equal("who parks sleeps", u64{!stays}, u64{task.state() == sched::TaskState::asleep});
    }

    /// All that the processors were told has been done.
    void look(Step& step) {
        for (Task const& task : m_machine->all) {
            bool const waits = task.state() == sched::TaskState::waiting;
            if (!waits || !task.parameters().is<sched::Fifo>()) {
                continue; // others may have to wait for a while, whoever runs
            }
            u32 const cpu = task.cpu().value;
            bool const is_idle = m_machine->is_idle(cpu);
            step.holds(
                "who runs is as strong as who waits",
                !is_idle &&
                    !sched::KernelClasses::stronger(
                        task.parameters(), m_machine->dispatcher.current({cpu})->parameters()));
        }
    }

    Run& m_run;
    task::Mutex<task::KernelThreads> m_mutex;
    Machine* m_machine = nullptr;
    bool m_has_permit[scenarios::scripted::tasks]{};
};

} // namespace

constinit Workload const schedule_workload = workload_of<ScheduleWorkload>(
    {.name = "schedule",
     .about = "tasks of all classes on a machine of variables",
     .operations = 48});

} // namespace twofold::workloads
