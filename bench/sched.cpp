// Measures what scheduling rests on: the switch from one stack to another, beside Boost's fcontext,
// which saves all callee-saved registers and the control words of floating point. The other side
// does nothing but count and switch back.
#include "bench/sched/switches.hpp"

#include <benchmark/benchmark.h>
#include <boost/context/detail/fcontext.hpp>

#include <array>
#include <chrono>

namespace {

using namespace twofold;
using bench::SwitchKind;

constexpr usize stack_bytes = usize{64} << 10;
constexpr u64 rounds = 500; ///< between two looks at the time; two switches each

alignas(4096) std::array<std::byte, stack_bytes> memory;

/// Two stacks at like places of their pages get into each other's way in the processor, and a
/// switch takes up to ten times longer. So each side is given the place, of these many, at which it
/// is quickest.
constexpr usize places = 32;

std::span<std::byte> stack_at(usize place) {
    return std::span(memory).first(stack_bytes - place * (page_size.value / places));
}

/// A pair of contexts: `prepare(stack)` makes the other one, `run()` goes there and back `rounds`
/// times and returns how often the other one has run.
template<class Prepare, class Run>
void time_switches(benchmark::State& state, Prepare const& prepare, Run const& run) {
    using Clock = std::chrono::steady_clock;
    usize best = 0;
    Clock::duration least = Clock::duration::max();
    for (usize place = 0; place < places; ++place) {
        prepare(stack_at(place));
        run();
        for (int turn = 0; turn < 10; ++turn) {
            Clock::time_point const began = Clock::now();
            run();
            if (Clock::duration const took = Clock::now() - began; took < least) {
                least = took;
                best = place;
            }
        }
    }
    prepare(stack_at(best));
    u64 expected = 0;
    u64 played = 0;
    while (state.KeepRunningBatch(static_cast<i64>(2 * rounds))) {
        played = run();
        expected += rounds;
    }
    if (played != expected) {
        state.SkipWithError("the other side did not run once a round");
    }
}

extern "C" { // sched/use_registers.S
void use_avx512_registers();
void use_avx2_registers();
}

/// Leaves something in all extended registers that the processor has; otherwise saving them leaves
/// out what is as after a reset.
void use_extended_registers() {
    if (__builtin_cpu_supports("avx512f")) {
        use_avx512_registers();
    } else if (__builtin_cpu_supports("avx2")) {
        use_avx2_registers();
    }
}

void ours(benchmark::State& state, SwitchKind kind) {
    use_extended_registers();
    time_switches(
        state, [kind](std::span<std::byte> stack) { bench::prepare_switches(kind, stack); },
        [kind] { return bench::run_switches(kind, rounds); });
}

namespace boost_context = boost::context::detail;

[[noreturn]] void play_boost(boost_context::transfer_t from) {
    auto& played = *static_cast<u64*>(from.data);
    while (true) {
        ++played;
        from = boost_context::jump_fcontext(from.fctx, &played);
    }
}

void boost_fcontext(benchmark::State& state) {
    u64 played = 0;
    boost_context::fcontext_t there = nullptr;
    time_switches(
        state,
        [&](std::span<std::byte> stack) {
            played = 0;
            there =
                boost_context::make_fcontext(stack.data() + stack.size(), stack.size(), play_boost);
        },
        [&] {
            boost_context::fcontext_t next = there;
            for (u64 round = 0; round < rounds; ++round) {
                next = boost_context::jump_fcontext(next, &played).fctx;
            }
            there = next;
            return played;
        });
}

BENCHMARK_CAPTURE(ours, live, SwitchKind::live)->Name("switch_live/ours");
BENCHMARK(boost_fcontext)->Name("switch_live/fcontext");
BENCHMARK_CAPTURE(ours, full, SwitchKind::full)->Name("switch_full/ours");
BENCHMARK(boost_fcontext)->Name("switch_full/fcontext");
BENCHMARK_CAPTURE(ours, registers, SwitchKind::registers)->Name("switch_registers/ours");
BENCHMARK_CAPTURE(ours, control, SwitchKind::control)->Name("switch_control/ours");

} // namespace
