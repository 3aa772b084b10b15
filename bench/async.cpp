// Measures what tasks cost, beside coroutines of Boost.Asio on an io_context of one thread that do
// the same. Both sides can be woken from other threads, and neither has one beside it here. Frames
// of ours come from the kernel's heap over memory of the host, by way of the executor's cache; Asio
// keeps a cache of its own.

// It knows the coroutines of clangs that are older than the standard alone.
#define BOOST_ASIO_HAS_CO_AWAIT 1
#define BOOST_ASIO_HAS_STD_COROUTINE 1

#include "bench/async/subject.hpp"
#include "tests/support/host_heap.hpp"
#include "tests/support/host_stack.hpp"
#include "tests/support/processor.hpp"

#include <benchmark/benchmark.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace {

using namespace twofold;
namespace asio = boost::asio;

constexpr u32 rounds = 1000; ///< between two looks at the time

/// As the kernel's heap has it: whoever is inside stays on its processor.
class Environment : public memory::testing::HostEnvironment {
public:
    struct Scope {
        explicit Scope(Environment&) {}
        sync::NoPreemptGuard guard;
    };
};
using BenchHeap = memory::Heap<memory::testing::HostBacking, Environment>;

struct Ours {
    /// Of a heap that goes, after all that lay in it.
    struct ForgetCache {
        ~ForgetCache() { Environment::reset(); }
    };

    test::Processor processor{0, 1, nullptr};
    memory::testing::HostBacking backing;
    Environment environment;
    BenchHeap& heap = *BenchHeap::create(backing, environment).value();
    ForgetCache forget_cache;
    async::FrameSource frames = async::FrameSource::of(heap);
    bench::AsyncSubject subject{frames, test::host_stack()};
};

/// `round()` does something `rounds` times and returns how often it was done.
template<class Round>
void time_rounds(benchmark::State& state, Round const& round) {
    bool is_right = round() == rounds;
    while (state.KeepRunningBatch(rounds)) {
        is_right = round() == rounds && is_right;
    }
    if (!is_right) {
        state.SkipWithError("it was not done as often as asked for");
    }
}

template<u64 (bench::AsyncSubject::*what)(u32)>
void ours(benchmark::State& state) {
    Ours it;
    time_rounds(state, [&] { return (it.subject.*what)(rounds); });
}

asio::awaitable<void> count_one(u64& ended) {
    ++ended;
    co_return;
}

void asio_spawn(benchmark::State& state) {
    asio::io_context context(1);
    time_rounds(state, [&] {
        u64 ended = 0;
        for (u32 number = 0; number < rounds; ++number) {
            asio::co_spawn(context, count_one(ended), asio::detached);
        }
        context.restart();
        context.run();
        return ended;
    });
}

/// A handler is posted, and runs.
void asio_wake(benchmark::State& state) {
    asio::io_context context(1);
    auto const work = asio::make_work_guard(context);
    time_rounds(state, [&] {
        u64 woken = 0;
        for (u32 number = 0; number < rounds; ++number) {
            asio::post(context, [&woken] { ++woken; });
            context.poll();
        }
        return woken;
    });
}

asio::awaitable<void> give_way(u32 count, u64& given) {
    for (u32 turn = 0; turn < count; ++turn) {
        co_await asio::post(asio::use_awaitable);
        ++given;
    }
}

void asio_yield(benchmark::State& state) {
    asio::io_context context(1);
    time_rounds(state, [&] {
        u64 given = 0;
        asio::co_spawn(context, give_way(rounds / 2, given), asio::detached);
        asio::co_spawn(context, give_way(rounds / 2, given), asio::detached);
        context.restart();
        context.run();
        return given;
    });
}

asio::awaitable<void> await_all(u32 count, u64& ended) {
    for (u32 turn = 0; turn < count; ++turn) {
        co_await count_one(ended);
    }
}

void asio_await(benchmark::State& state) {
    asio::io_context context(1);
    time_rounds(state, [&] {
        u64 ended = 0;
        asio::co_spawn(context, await_all(rounds, ended), asio::detached);
        context.restart();
        context.run();
        return ended;
    });
}

BENCHMARK(ours<&bench::AsyncSubject::spawn>)->Name("spawn/ours");
BENCHMARK(asio_spawn)->Name("spawn/asio");
BENCHMARK(ours<&bench::AsyncSubject::spawn>)->Name("spawn_ns/ours");
BENCHMARK(ours<&bench::AsyncSubject::wake>)->Name("wake/ours");
BENCHMARK(asio_wake)->Name("wake/asio");
BENCHMARK(ours<&bench::AsyncSubject::wake>)->Name("wake_ns/ours");
BENCHMARK(ours<&bench::AsyncSubject::yield>)->Name("yield/ours");
BENCHMARK(asio_yield)->Name("yield/asio");
BENCHMARK(ours<&bench::AsyncSubject::await_in_a_row>)->Name("await/ours");
BENCHMARK(asio_await)->Name("await/asio");
BENCHMARK(ours<&bench::AsyncSubject::sleep>)->Name("sleep/ours");

} // namespace
