// Runs the engine in the host's memory. See run.hpp.
#include "apps/sched/run.hpp"

#include "apps/sched/engine.hpp"

#include <fmt/format.h>
#include <memory>

namespace twofold::lab {

namespace {

using LabEngine = Engine<Classes, Sinks>;

/// `count` fresh objects, which may not be moved.
template<class T>
class Objects {
public:
    explicit Objects(usize count) : m_items(std::make_unique<T[]>(count)), m_count(count) {}
    std::span<T> all() const { return {m_items.get(), m_count}; }

private:
    std::unique_ptr<T[]> m_items;
    usize m_count;
};

double part(Nanos runtime, Nanos period) {
    return static_cast<double>(runtime.value) / static_cast<double>(period.value);
}

std::string reason_of(Error error, Scheduling const& wanted) {
    std::string const guarantee =
        wanted.period == Nanos{}
            ? "no time"
            : fmt::format("{} ns in every {} ns", wanted.runtime.value, wanted.period.value);
    switch (error) {
    case Error::no_space:
        return fmt::format(
            "{}, {:.3f} of a processor, cannot be guaranteed beside what is already", guarantee,
            wanted.period == Nanos{} ? 0 : part(wanted.runtime, wanted.period));
    case Error::invalid_argument:
        return fmt::format("{} makes no sense", guarantee);
    case Error::out_of_range:
        return fmt::format(
            "a number is out of its range: weight {}, priority {}, slice {} ns, {}", wanted.weight,
            wanted.priority, wanted.slice.value, guarantee);
    default:
        return std::string(error_name(error));
    }
}

} // namespace

Refusal refusal_of(Workload const& workload, u32 thread, Error error) {
    Scheduling const& wanted = workload.schedulings[workload.tasks[thread].schedule];
    return {.thread = thread, .error = error, .reason = reason_of(error, wanted)};
}

RunOutcome run_workload(Workload const& workload, RunOptions const& options, Sinks sinks) {
    std::vector<ClassParameters> parameters;
    for (Scheduling const& wanted : workload.schedulings) {
        parameters.push_back(class_parameters(wanted, options.policy));
    }
    Objects<LabThread<Classes>> const threads(workload.tasks.size());
    Objects<LabCpu<Classes>> const cpus(workload.cpus.size());
    Objects<LabMutex<Classes>> const mutexes(workload.mutexes);
    Objects<WaitList<Classes>> const conditions(workload.conditions);
    Objects<WaitList<Classes>> const barriers(workload.barriers.size());
    Objects<LabQueue<Classes>> const queues(workload.queues.size());
    std::vector<LabTimer> timers(workload.timers);
    std::vector<Nanos> devices(workload.devices);
    std::vector<std::unique_ptr<LabEngine::Queue>> run_queues;
    std::vector<LabEngine::Queue*> run_queue_places;
    for (usize i = 0; i < workload.cpus.size(); ++i) {
        run_queues.push_back(std::make_unique<LabEngine::Queue>());
        run_queue_places.push_back(run_queues.back().get());
    }
    std::vector<LabEngine::Queue*> known(workload.cpus.size());

    Statistics statistics(workload);
    sinks.all.push_back(&statistics);
    EngineOptions<Classes> const engine_options{
        .switch_cost = options.switch_cost,
        .duration = options.duration,
        .lent = options.inherits ? lent_parameters : nullptr};
    LabEngine engine(
        workload, engine_options,
        {.threads = threads.all(),
         .cpus = cpus.all(),
         .mutexes = mutexes.all(),
         .conditions = conditions.all(),
         .barriers = barriers.all(),
         .queues = queues.all(),
         .timers = timers,
         .devices = devices,
         .parameters = parameters},
        run_queue_places, known, sinks);
    if (auto const admitted = engine.admit(); !admitted) {
        return {.refusal = refusal_of(workload, engine.refused(), admitted.error()), .figures = {}};
    }
    engine.run();
    sinks.finish(engine.now());
    for (u32 i = 0; i < workload.cpus.size(); ++i) {
        statistics.set_overhead(i, engine.overhead(i));
    }
    return {.refusal = std::nullopt, .figures = statistics.figures()};
}

} // namespace twofold::lab
