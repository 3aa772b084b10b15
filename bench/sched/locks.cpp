// Times what core/sync holds processors apart with, on host threads as processors: the ticket lock
// and the queue lock, alone and where two threads meet; a scope without preemption; a reader's pin.
#include "core/sync/sync.hpp"
#include "tests/support/processor.hpp"

#include <benchmark/benchmark.h>

#include <memory>
#include <sched.h>

namespace {

using namespace twofold;

constexpr u32 threads_max = 2;

/// Each thread has a processor of the host for itself, wherever the program was started.
void pin(u32 processor) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    sched_setaffinity(0, sizeof(one), &one);
}

/// Something that is done under the lock, and something between two times.
struct Shared {
    alignas(64) u64 words[4] = {};
};

template<class Lock>
struct Place {
    alignas(64) Lock lock{sync::LockRank::innermost};
    Shared shared;
};

template<class Lock, class Guard>
void take_in_turns(benchmark::State& state) {
    static Place<Lock> place;
    auto const thread = static_cast<u32>(state.thread_index());
    cpu_set_t before;
    sched_getaffinity(0, sizeof(before), &before);
    if (state.threads() > 1) {
        pin(thread);
    }
    {
        test::Processor const processor(thread, threads_max, nullptr);
        u64 own = thread;
        for (auto _ : state) {
            {
                Guard const guard(place.lock, sync::save_interrupts);
                for (u64& word : place.shared.words) {
                    ++word;
                }
            }
            for (int turn = 0; turn < 16; ++turn) {
                benchmark::DoNotOptimize(own = own * 3 + 1);
            }
        }
    }
    sched_setaffinity(0, sizeof(before), &before);
}

void no_preempt(benchmark::State& state) {
    test::Processor const processor(0, 1, nullptr);
    for (auto _ : state) {
        sync::NoPreemptGuard const guard;
        benchmark::ClobberMemory();
    }
}

void epoch_pin(benchmark::State& state) {
    test::Processor const processor(0, 1, nullptr);
    alignas(64) static std::byte room[sync::Epochs::storage_for(1).value];
    sync::Epochs epochs;
    StorageCursor storage(room);
    epochs.open(storage, 1).value();
    for (auto _ : state) {
        sync::EpochGuard const guard(epochs);
        benchmark::ClobberMemory();
    }
}

void ticket(benchmark::State& state) {
    take_in_turns<sync::SpinLock, sync::SpinLockGuard>(state);
}
void queue(benchmark::State& state) {
    take_in_turns<sync::QueueLock, sync::QueueLockGuard>(state);
}

BENCHMARK(ticket)->Name("lock_ticket/ours");
BENCHMARK(queue)->Name("lock_queue/ours");
BENCHMARK(ticket)->Name("lock_ticket_two/ours")->Threads(2)->UseRealTime();
BENCHMARK(queue)->Name("lock_queue_two/ours")->Threads(2)->UseRealTime();
BENCHMARK(no_preempt)->Name("no_preempt/ours");
BENCHMARK(epoch_pin)->Name("epoch_pin/ours");

} // namespace
