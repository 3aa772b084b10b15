// What two threads on one processor do for each other: wake, wait, hand a mutex over, end. The
// peers do the same with threads of the host (bench/sched/peers.cpp).
#include "bench/sched/commands/commands.hpp"

namespace twofold::bench {

namespace {

using boot::CommandContext;
using task::KernelThreads;
using task::Thread;
using task::Threads;

void report(CommandContext& context, std::string_view name, u32 rounds, u64 took_ns) {
    context.out.row({name, rounds, took_ns * 1000 / rounds, "-", "-"});
}

/// Two threads wake each other by words, as with a futex.
u64 time_words(Threads& threads, u32 rounds) {
    task::WaitTable<KernelThreads> table(threads.waiting());
    Atomic<u32> ping{0};
    Atomic<u32> pong{0};
    auto const await = [&](Atomic<u32> const& word, u32 wanted) {
        while (word.load(acquire) != wanted) {
            table.wait(word, wanted - 1);
        }
    };
    auto const body = [&] {
        for (u32 round = 1; round <= rounds; ++round) {
            await(ping, round);
            pong.store(round, release);
            table.wake(pong, 1);
        }
    };
    Thread& other = spawn(threads, body, stays_here("pong"));
    u32 round = 0;
    u64 const took_ns = boot::time_of(rounds, [&] {
        ping.store(++round, release);
        table.wake(ping, 1);
        await(pong, round);
    });
    threads.join(other).value();
    return took_ns;
}

/// The same with nothing but park and unpark.
u64 time_parking(Threads& threads, u32 rounds) {
    Thread& self = Threads::current();
    Atomic<u32> ball{0};
    auto const body = [&] {
        for (u32 round = 0; round < rounds; ++round) {
            while (ball.load(acquire) != 2 * round + 1) {
                threads.park();
            }
            ball.store(2 * round + 2, release);
            threads.unpark(self);
        }
    };
    Thread& other = spawn(threads, body, stays_here("pong"));
    u32 round = 0;
    u64 const took_ns = boot::time_of(rounds, [&] {
        ball.store(2 * round + 1, release);
        threads.unpark(other);
        while (ball.load(acquire) != 2 * round + 2) {
            threads.park();
        }
        ++round;
    });
    threads.join(other).value();
    return took_ns;
}

/// Two threads that yield to each other: two switches a round.
u64 time_yields(Threads& threads, u32 rounds) {
    auto const body = [&] {
        for (u32 round = 0; round < rounds; ++round) {
            threads.yield();
        }
    };
    Thread& other = spawn(threads, body, stays_here("other"));
    threads.yield();
    u64 const took_ns = boot::time_of(rounds, [&] { threads.yield(); });
    threads.join(other).value();
    return took_ns;
}

/// Two threads want one mutex all the time, and who holds it lets the other one run, so that it is
/// handed over each time: twice a round.
u64 time_mutex_hand_overs(Threads& threads, u32 rounds) {
    task::Mutex<KernelThreads> mutex(threads.locks(), "bench");
    auto const turn = [&] {
        task::MutexGuard const guard(mutex);
        threads.yield();
    };
    auto const body = [&] {
        for (u32 round = 0; round < rounds; ++round) {
            turn();
        }
    };
    Thread& other = spawn(threads, body, stays_here("other"));
    u64 const took_ns = boot::time_of(rounds, turn);
    threads.join(other).value();
    return took_ns;
}

u64 time_free_mutex(Threads& threads, u32 rounds) {
    task::Mutex<KernelThreads> mutex(threads.locks(), "bench");
    return boot::time_of(rounds, [&] { task::MutexGuard const guard(mutex); });
}

u64 time_spawns(Threads& threads, u32 rounds) {
    auto const body = [] {};
    return boot::time_of(
        rounds, [&] { threads.join(spawn(threads, body, stays_here("brief"))).value(); });
}

/// From the call that wakes a thread of a higher priority to its first instruction.
void measure_wakes(CommandContext& context, Threads& threads, u32 rounds) {
    CHECK(rounds > 0);
    auto* const histogram =
        memory::allocate_room<processor::Histogram>(*context.kernel.heap, 1).value();
    std::construct_at(histogram);
    Nanos began{};
    u64 sum = 0;
    auto const body = [&] {
        for (u32 round = 0; round < rounds; ++round) {
            threads.park();
            auto const took = static_cast<u64>((hal::Clock::now() - began).value);
            histogram->add(took);
            sum += took;
        }
    };
    auto attributes = stays_here("urgent");
    attributes.parameters = task::Parameters::of<sched::Fifo>({.priority = 40});
    Thread& urgent = spawn(threads, body, attributes);
    for (u32 round = 0; round < rounds; ++round) {
        began = hal::Clock::now();
        threads.unpark(urgent);
    }
    threads.join(urgent).value();
    context.out.row(
        {"wake to run", rounds, sum * 1000 / rounds, histogram->percentile(500), histogram->max()});
    std::destroy_at(histogram);
    memory::free_room(*context.kernel.heap, histogram);
}

} // namespace

u8 measure_hand_overs(CommandContext& context) {
    auto const rounds = boot::number_argument(context, "hand-over-bench", 100'000, 10'000'000);
    Threads* const threads = threads_of(context);
    if (!rounds || threads == nullptr) {
        return rounds ? boot::status::failure : boot::status::usage;
    }
    Thread& self = Threads::current();
    threads->set_allowed(self, sched::CpuMask::only(hal::Cpu::id())).value();
    context.out.table(boot::operation_columns);
    report(context, "word there and back", *rounds, time_words(*threads, *rounds));
    report(context, "unpark there and back", *rounds, time_parking(*threads, *rounds));
    report(context, "two yields", *rounds, time_yields(*threads, *rounds));
    report(context, "two hand-overs", *rounds, time_mutex_hand_overs(*threads, *rounds));
    report(context, "free mutex", *rounds, time_free_mutex(*threads, *rounds));
    u32 const spawns = *rounds / 20 + 1;
    report(context, "spawn and join", spawns, time_spawns(*threads, spawns));
    measure_wakes(context, *threads, *rounds);
    threads->set_allowed(self, sched::CpuMask::all()).value();
    return boot::status::success;
}

} // namespace twofold::bench
