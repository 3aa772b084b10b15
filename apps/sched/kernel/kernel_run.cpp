// Runs the engine in the kernel's heap. See kernel_run.hpp.
#include "apps/sched/kernel/kernel_run.hpp"

#include "apps/sched/class_parameters.hpp"
#include "apps/sched/engine.hpp"

namespace twofold::lab {

namespace {

using Heap = memory::KernelHeap;
using LabEngine = Engine<Classes, SchedulePacker>;

/// All that an engine needs, in the heap.
struct EngineRoom {
    HeapObjects<LabThread<Classes>> threads;
    HeapObjects<LabCpu<Classes>> cpus;
    HeapObjects<LabMutex<Classes>> mutexes;
    HeapObjects<WaitList<Classes>> conditions;
    HeapObjects<WaitList<Classes>> barriers;
    HeapObjects<LabQueue<Classes>> queues;
    HeapObjects<LabTimer> timers;
    HeapObjects<Nanos> devices;
    HeapObjects<ClassParameters> parameters;
    HeapObjects<LabEngine::Queue> run_queues;
    HeapObjects<LabEngine::Queue*> run_queue_places;
    HeapObjects<LabEngine::Queue*> known;

    /// Errors: out_of_memory; what was made until then goes with the room.
    Result<void> make(Heap& heap, Workload const& workload, std::string_view policy) {
        usize const cpu_count = workload.cpus.size();
        threads = TRY(HeapObjects<LabThread<Classes>>::create(heap, workload.tasks.size()));
        cpus = TRY(HeapObjects<LabCpu<Classes>>::create(heap, cpu_count));
        mutexes = TRY(HeapObjects<LabMutex<Classes>>::create(heap, workload.mutexes));
        conditions = TRY(HeapObjects<WaitList<Classes>>::create(heap, workload.conditions));
        barriers = TRY(HeapObjects<WaitList<Classes>>::create(heap, workload.barriers.size()));
        queues = TRY(HeapObjects<LabQueue<Classes>>::create(heap, workload.queues.size()));
        timers = TRY(HeapObjects<LabTimer>::create(heap, workload.timers));
        devices = TRY(HeapObjects<Nanos>::create(heap, workload.devices));
        parameters = TRY(HeapObjects<ClassParameters>::create(heap, workload.schedulings.size()));
        run_queues = TRY(HeapObjects<LabEngine::Queue>::create(heap, cpu_count));
        run_queue_places = TRY(HeapObjects<LabEngine::Queue*>::create(heap, cpu_count));
        known = TRY(HeapObjects<LabEngine::Queue*>::create(heap, cpu_count));
        for (usize i = 0; i < workload.schedulings.size(); ++i) {
            parameters.all()[i] = class_parameters(workload.schedulings[i], policy);
        }
        for (usize i = 0; i < cpu_count; ++i) {
            run_queue_places.all()[i] = &run_queues.all()[i];
        }
        return {};
    }
    EngineMemory<Classes> memory() const {
        return {
            .threads = threads.all(),
            .cpus = cpus.all(),
            .mutexes = mutexes.all(),
            .conditions = conditions.all(),
            .barriers = barriers.all(),
            .queues = queues.all(),
            .timers = timers.all(),
            .devices = devices.all(),
            .parameters = parameters.all()};
    }
};

} // namespace

Result<HeapWorkload> HeapWorkload::create(Heap& heap, std::span<std::byte const> bytes) {
    HeapWorkload made;
    TRY(made.read(heap, bytes));
    return made;
}

Result<void> HeapWorkload::read(Heap& heap, std::span<std::byte const> bytes) {
    WorkloadHeader const header = TRY(read_workload_header(bytes));
    WorkloadCounts const& counts = header.counts;
    m_cpus = TRY(HeapObjects<Cpu>::create(heap, counts.cpus));
    m_tasks = TRY(HeapObjects<Task>::create(heap, counts.tasks));
    m_operations = TRY(HeapObjects<Operation>::create(heap, counts.operations));
    m_schedulings = TRY(HeapObjects<Scheduling>::create(heap, counts.schedulings));
    m_affinities = TRY(HeapObjects<Affinity>::create(heap, counts.affinities));
    m_queues = TRY(HeapObjects<Queue>::create(heap, counts.queues));
    m_barriers = TRY(HeapObjects<u32>::create(heap, counts.barriers));
    m_inherits = header.inherits;
    m_workload = TRY(read_workload(
        bytes, header,
        {.cpus = m_cpus.all(),
         .tasks = m_tasks.all(),
         .operations = m_operations.all(),
         .schedulings = m_schedulings.all(),
         .affinities = m_affinities.all(),
         .queues = m_queues.all(),
         .barriers = m_barriers.all()}));
    return {};
}

void SchedulePacker::take(Happening const& happening) {
    std::span<std::byte const> const bytes = m_writer.write(happening);
    if (m_used + bytes.size() > piece_bytes_max) {
        finish();
    }
    for (std::byte const byte : bytes) {
        m_piece[m_used++] = static_cast<char>(byte);
    }
    m_checksum.update(bytes);
    ++m_count;
}

void SchedulePacker::finish() {
    if (m_used != 0) {
        m_out.write({m_piece, m_used});
        m_used = 0;
    }
}

Result<KernelOutcome> run_in_kernel(
    Heap& heap, Workload const& workload, KernelRequest const& request, SchedulePacker& packer) {
    if (!Classes::class_named(request.policy)) {
        return Error::not_found;
    }
    EngineRoom room;
    TRY(room.make(heap, workload, request.policy));
    KernelOutcome outcome{
        .refusal = std::nullopt,
        .end = {},
        .overheads = TRY(HeapObjects<Nanos>::create(heap, workload.cpus.size()))};
    EngineOptions<Classes> const options{
        .switch_cost = request.switch_cost,
        .duration = workload.duration,
        .lent = request.inherits ? lent_parameters : nullptr};
    auto engine = TRY((memory::Box<LabEngine, Heap>::create(
        heap, workload, options, room.memory(), room.run_queue_places.all(), room.known.all(),
        packer)));
    if (auto const admitted = engine->admit(); !admitted) {
        outcome.refusal = KernelRefusal{.thread = engine->refused(), .error = admitted.error()};
        return outcome;
    }
    engine->run();
    packer.finish();
    outcome.end = engine->now();
    for (u32 cpu = 0; cpu < workload.cpus.size(); ++cpu) {
        outcome.overheads.all()[cpu] = engine->overhead(cpu);
    }
    return outcome;
}

} // namespace twofold::lab
