// Measures what it costs to go on from one of many threads to the next: the decision alone, for
// each policy beside a bitmap of priorities; and decision, account and switch of 1,000 threads,
// beside the switch alone (Boost's fcontext, going around as many) and Linux's sched_yield.
#include "bench/sched/queues.hpp"

#include <benchmark/benchmark.h>
#include <boost/context/detail/fcontext.hpp>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace twofold;
using bench::QueueLoop;
using bench::Turn;

constexpr usize many = 1000;
constexpr usize circle_stack_bytes = 4096;
constexpr usize line = 64;

struct Free {
    void operator()(std::byte* taken) const { std::free(taken); }
};
using Memory = std::unique_ptr<std::byte[], Free>;

Memory memory_of(usize bytes) {
    usize const whole = (bytes + line - 1) / line * line;
    return Memory(static_cast<std::byte*>(std::aligned_alloc(line, whole)));
}

/// Stacks one behind the other, each at another place of its page: at like places they get into
/// each other's way in the caches.
class Stacks {
public:
    explicit Stacks(usize count) : m_memory(memory_of(count * pitch)) {
        for (usize i = 0; i < count; ++i) {
            m_stacks.emplace_back(m_memory.get() + i * pitch, circle_stack_bytes);
        }
    }
    std::span<std::span<std::byte> const> all() const { return m_stacks; }

private:
    static constexpr usize pitch = circle_stack_bytes + 5 * line;

    Memory m_memory;
    std::vector<std::span<std::byte>> m_stacks;
};

/// Of the processor's counter, within a thousandth or so; measured once.
u64 counter_hz() {
    using Clock = std::chrono::steady_clock;
    static u64 const measured = [] {
        Clock::time_point const began = Clock::now();
        u64 const first = __builtin_ia32_rdtsc();
        std::chrono::duration<double> took{};
        do {
            took = Clock::now() - began;
        } while (took < std::chrono::milliseconds(20));
        return static_cast<u64>(static_cast<double>(__builtin_ia32_rdtsc() - first) / took.count());
    }();
    return measured;
}

void go_on(benchmark::State& state, QueueLoop const& loop, usize threads, Turn turn) {
    Memory const room = memory_of(loop.memory(threads).value);
    Stacks const stacks(turn == Turn::decision ? 0 : threads);
    loop.prepare({room.get(), loop.memory(threads).value}, stacks.all(), threads, counter_hz());
    u64 const turns = 2 * many;
    u64 expected = turns + 2 * threads;
    u64 played = loop.run(turn, expected);
    expected -= turns;
    while (state.KeepRunningBatch(static_cast<i64>(turns))) {
        expected += turns;
        played = loop.run(turn, turns);
    }
    if (played != expected + turns) {
        state.SkipWithError("not every turn was taken");
    }
}

namespace boost_context = boost::context::detail;

/// As many contexts as there are threads, each of which continues the next.
struct Circle {
    std::vector<boost_context::fcontext_t> contexts;
    boost_context::fcontext_t main = nullptr;
    boost_context::fcontext_t* left_from = nullptr; ///< where the context of who jumps goes
    usize running = 0;
    u64 left = 0;
    u64 played = 0;

    void jump(boost_context::fcontext_t& from, boost_context::fcontext_t to) {
        left_from = &from;
        auto const back = boost_context::jump_fcontext(to, this);
        *left_from = back.fctx;
    }
};

[[noreturn]] void play_circle(boost_context::transfer_t from) {
    auto& circle = *static_cast<Circle*>(from.data);
    *circle.left_from = from.fctx;
    while (true) {
        usize const self = circle.running;
        ++circle.played;
        circle.running = self + 1 == circle.contexts.size() ? 0 : self + 1;
        bool const ends = --circle.left == 0;
        circle.jump(circle.contexts[self], ends ? circle.main : circle.contexts[circle.running]);
    }
}

void fcontext_circle(benchmark::State& state) {
    Stacks const stacks(many);
    Circle circle;
    for (auto const stack : stacks.all()) {
        circle.contexts.push_back(
            boost_context::make_fcontext(stack.data() + stack.size(), stack.size(), play_circle));
    }
    auto const run = [&](u64 turns) {
        circle.left = turns;
        circle.jump(circle.main, circle.contexts[circle.running]);
    };
    u64 const turns = 2 * many;
    u64 expected = turns;
    run(turns);
    while (state.KeepRunningBatch(static_cast<i64>(turns))) {
        expected += turns;
        run(turns);
    }
    if (circle.played != expected) {
        state.SkipWithError("not every turn was taken");
    }
}

/// As many threads of Linux, on the processor that the program is pinned to.
class Yielders {
public:
    explicit Yielders(usize count) : m_threads(count) {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, usize{64} << 10);
        for (pthread_t& thread : m_threads) {
            if (pthread_create(&thread, &attributes, play, this) != 0) {
                std::abort();
            }
        }
        pthread_attr_destroy(&attributes);
    }
    Yielders(Yielders const&) = delete;
    Yielders& operator=(Yielders const&) = delete;
    ~Yielders() {
        m_ends.store(true);
        for (pthread_t const thread : m_threads) {
            pthread_join(thread, nullptr);
        }
    }
    u64 yields() const { return m_yields.load(std::memory_order_relaxed); }

private:
    static void* play(void* argument) {
        auto& self = *static_cast<Yielders*>(argument);
        while (!self.m_ends.load(std::memory_order_relaxed)) {
            // One processor: no two of them count at once.
            self.m_yields.store(self.yields() + 1, std::memory_order_relaxed);
            sched_yield();
        }
        return nullptr;
    }

    std::vector<pthread_t> m_threads;
    std::atomic<u64> m_yields{0};
    std::atomic<bool> m_ends{false};
};

void linux_yield(benchmark::State& state) {
    using Clock = std::chrono::steady_clock;
    cpu_set_t before;
    sched_getaffinity(0, sizeof(before), &before);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<usize>(sched_getcpu()), &one);
    sched_setaffinity(0, sizeof(one), &one);
    {
        Yielders const yielders(many);
        for (auto _ : state) {
            u64 const seen = yielders.yields();
            Clock::time_point const began = Clock::now();
            while (yielders.yields() < seen + 10 * many) {
                sched_yield();
            }
            std::chrono::duration<double> const took = Clock::now() - began;
            auto const yields = static_cast<double>(yielders.yields() - seen);
            state.SetIterationTime(took.count() / yields);
        }
    }
    sched_setaffinity(0, sizeof(before), &before);
}

void register_curves(QueueLoop const& loop, QueueLoop const& bitmap) {
    for (usize const threads : {usize{10}, usize{1000}, usize{100'000}}) {
        std::string const subject =
            "queue_" + std::string(loop.name) + "_" + std::to_string(threads);
        for (auto const* who : {&loop, &bitmap}) {
            std::string const name = subject + (who == &loop ? "/ours" : "/bitmap");
            benchmark::RegisterBenchmark(name.c_str(), [who, threads](benchmark::State& state) {
                go_on(state, *who, threads, Turn::decision);
            });
        }
    }
}

void register_quanta(QueueLoop const& loop) {
    auto const add = [](std::string const& name, auto body) {
        return benchmark::RegisterBenchmark(name.c_str(), body);
    };
    std::string const name(loop.name);
    add("quantum_" + name + "/ours",
        [&loop](benchmark::State& state) { go_on(state, loop, many, Turn::quantum); });
    add("quantum_" + name + "/fcontext", fcontext_circle);
    add("quantum_" + name + "_linux/ours",
        [&loop](benchmark::State& state) { go_on(state, loop, many, Turn::quantum); });
    add("quantum_" + name + "_linux/sched_yield", linux_yield)->UseManualTime()->Iterations(3);
    add("quantum_" + name + "_clock/ours",
        [&loop](benchmark::State& state) { go_on(state, loop, many, Turn::clock); });
    add("quantum_" + name + "_clock/sched_yield", linux_yield)->UseManualTime()->Iterations(3);
}

/// Whose threads switch to each other, too.
constexpr std::string_view switched[] = {"rr", "stride", "eevdf", "dispatcher"};

bool register_all() {
    auto const loops = bench::queue_loops();
    QueueLoop const& bitmap = loops.front();
    for (QueueLoop const& loop : loops.subspan(1)) {
        register_curves(loop, bitmap);
        if (std::ranges::count(switched, loop.name) > 0) {
            register_quanta(loop);
        }
    }
    return true;
}

bool const is_registered = register_all();

} // namespace
