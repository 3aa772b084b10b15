// See runner.hpp.
#include "apps/workloads/runner.hpp"

namespace twofold::workloads {

namespace {

using Gate = task::Event<task::KernelThreads>;
using Ended = task::Semaphore<task::KernelThreads>;

/// Everything that the threads of a run share; in the heap, for as long as one of them runs.
struct Shared {
    Shared(boot::Kernel& kernel, Workload const& its_workload, Options const& options, u32 cpus)
        : run(kernel, options, cpus),
          workload(its_workload),
          operations(options.operations),
          kept(options.kept),
          gate(kernel.threads->waiting()),
          ended(kernel.threads->waiting(), 0) {}

    Run run;
    Workload const& workload;
    void* self = nullptr;
    u32 operations;
    std::optional<Kept> kept;
    Gate gate;
    Ended ended;
    Atomic<u32> done{0};
    struct Performer {
        Shared* shared = nullptr;
        u32 number = 0;
        task::Thread* thread = nullptr;
    };
    FixedVector<Performer, threads_max> performers;
};

/// What the random numbers of an operation begin with.
u64 seed_of(Shared const& shared, u32 operation) {
    u64 mixed = shared.run.seed;
    for (char const letter : shared.workload.name) {
        mixed = SplitMix64(mixed ^ static_cast<u8>(letter)).next();
    }
    return SplitMix64(mixed ^ operation).next();
}

void perform_all(void* performer) {
    auto& self = *static_cast<Shared::Performer*>(performer);
    Shared& shared = *self.shared;
    shared.gate.wait();
    u32 const first = self.number * shared.run.machines + shared.run.machine;
    u32 const stride = shared.run.threads * shared.run.machines;
    for (u32 i = first; i < shared.operations; i += stride) {
        if (shared.kept && !shared.kept->has(i)) {
            continue;
        }
        if (shared.run.has_failed()) {
            break;
        }
        Step step(shared.run, i, self.number, Random(seed_of(shared, i)));
        shared.workload.perform(shared.self, step);
        shared.done.fetch_add(1, relaxed);
        probe::note(probe::Note::operation, i);
    }
    shared.ended.release().value();
}

/// Threads that wait at the gate, each on a processor of its own as far as there are so many; the
/// first processor, where the runner waits, comes last.
Result<void> spawn_all(Shared& shared) {
    task::Threads& threads = shared.run.task_threads();
    sched::CpuMask const known = threads.dispatcher().known();
    CpuId cpu{0};
    for (u32 i = 0; i < shared.run.threads; ++i) {
        do {
            cpu = {(cpu.value + 1) % sched::CpuMask::cpus_max};
        } while (!known.has(cpu));
        shared.performers.push_back({.shared = &shared, .number = i, .thread = nullptr}).value();
        Shared::Performer& performer = shared.performers.back();
        char name[32];
        task::ThreadAttributes attributes;
        attributes.name = format_to(std::span(name), "operations {}", i).text;
        attributes.allowed = sched::CpuMask::only(cpu);
        auto const made = threads.spawn(attributes, perform_all, &performer);
        if (!made) {
            shared.performers.pop_back();
            return made.error();
        }
        performer.thread = made.value();
    }
    return {};
}

/// Changes as long as anybody goes on.
u64 progress_of(Shared const& shared) {
    return u64{shared.done.load(relaxed)} + shared.run.progress();
}

/// Waits for the end of one more thread. False: nobody goes on any more.
bool await_end(Shared& shared) {
    u64 seen = 0;
    do {
        seen = progress_of(shared);
        if (shared.ended.acquire_until(hal::Clock::now() + shared.workload.patience)) {
            return true;
        }
    } while (progress_of(shared) != seen);
    return false;
}

/// Lets the threads go and waits for their ends. False: they do not end.
bool perform(Shared& shared) {
    probe::note(probe::Note::begin, shared.operations);
    shared.gate.set();
    for (usize i = 0; i < shared.performers.size(); ++i) {
        if (!await_end(shared)) {
            probe::note(probe::Note::end, shared.done.load(relaxed));
            shared.run.fail(
                "{} of {} operations were done, and then none any more", shared.done.load(relaxed),
                shared.operations);
            return false;
        }
    }
    probe::note(probe::Note::end, shared.done.load(relaxed));
    return true;
}

/// What a run has come to; a thread that never ends keeps all of it.
enum class State : u8 { over, stuck };

State run_shared(Shared& shared, Ending& ending) {
    Check check(shared.run);
    auto const begun = shared.workload.begin(shared.self, check);
    if (!begun) {
        ending.refusal = begun.error();
        return State::over;
    }
    if (auto const spawned = spawn_all(shared); !spawned) {
        ending.refusal = spawned.error();
        shared.operations = 0; // those that were made end at once
    }
    if (!perform(shared)) {
        return State::stuck;
    }
    for (Shared::Performer const& performer : shared.performers) {
        shared.run.task_threads().join(*performer.thread).value();
    }
    shared.workload.end(shared.self, check);
    return State::over;
}

State create_and_run(Shared& shared, Ending& ending) {
    auto const self = shared.workload.create(shared.run);
    if (!self) {
        ending.refusal = self.error();
        return State::over;
    }
    shared.self = self.value();
    State const state = run_shared(shared, ending);
    ending.operations = shared.done.load(relaxed);
    if (state == State::over) {
        shared.workload.destroy(shared.self, shared.run);
    }
    ending.failure = FixedString<Run::text_max>::create(shared.run.text()).value();
    return state;
}

u64 bytes_in_use(boot::Kernel& kernel) {
    return kernel.heap->statistics().reserved.value;
}

} // namespace

Ending run(boot::Kernel& kernel, Workload const& workload, Options const& options) {
    CHECK(kernel.threads != nullptr);
    Ending ending;
    Options whole = options;
    whole.operations = options.operations == 0 ? workload.operations : options.operations;
    whole.threads = options.threads == 0 ? workload.threads : options.threads;
    u64 const before = bytes_in_use(kernel);
    auto const room = memory::allocate_room<Shared>(*kernel.heap, 1);
    if (!room) {
        ending.refusal = room.error();
        return ending;
    }
    u32 const cpus = kernel.threads->dispatcher().known().size();
    auto* const shared = new (room.value()) Shared(kernel, workload, whole, cpus);
    if (create_and_run(*shared, ending) == State::stuck) {
        return ending;
    }
    std::destroy_at(shared);
    memory::free_room(*kernel.heap, room.value());
    u64 const after = bytes_in_use(kernel);
    if (ending.failure.empty() && after != before) {
        char text[Run::text_max];
        ending.failure = FixedString<Run::text_max>::create(
                             format_to(
                                 std::span(text), "bytes of the heap in use: expected {}, came {}",
                                 before, after)
                                 .text)
                             .value();
    }
    return ending;
}

} // namespace twofold::workloads
