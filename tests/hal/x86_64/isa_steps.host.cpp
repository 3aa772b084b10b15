// The stubs of hal/x86_64/isa, one instruction after the other: the stack pointer stays where it
// belongs, calls find it aligned, the caller's memory stays as it was, and whatever interrupts the
// stub between any two instructions, as metal does on the same stack and as a signal does, changes
// nothing.
#include "isa/bulk_bytes.hpp"
#include "isa/context.hpp"
#include "isa/cpuid.hpp"
#include "isa/guarded_call.hpp"
#include "isa/page_bytes.hpp"
#include "tests/hal/x86_64/stepper.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

extern "C" void context_keeper(void* keeper);
extern "C" void call_switch_live(twofold::u64* save, twofold::u64 load);
extern "C" void guarded_return(void* point);
extern "C" void guarded_fault(void* point);

namespace {

using namespace twofold;
using test::SteppedCall;

/// The argument of context_keeper, which knows the offsets.
struct Keeper {
    u64 saved;
    u64 const* other;
    u64 wrong, rounds;
};

struct Bounds {
    u64 low = 0, high = 0;
    bool contains(u64 address) const { return address >= low && address <= high; }
};

/// What is tried at one instruction, or at all.
enum class Disturbance { none, frame_at_all, signal_at_one };

/// A call in steps, and what must hold before each.
struct Walk {
    static constexpr u64 frame_bytes =
        256; ///< what an interrupt entry leaves below the stack pointer
    static constexpr usize watched_words = 16;
    static constexpr u64 nowhere = 16; ///< the stack pointer of guarded_fault

    Disturbance disturbance = Disturbance::none;
    u64 disturbed_step = 0;
    Bounds stacks[2]; ///< of the caller, and of the context that it switches to
    SteppedCall call;

    bool is_inside = false;
    u64 sent = 0, sent_at = 0;       ///< the signal, and where
    u64 watched[watched_words] = {}; ///< what the caller has on its stack
    u64 steps = 0, strays = 0, unaligned = 0, unaligned_calls = 0, calls = 0, changed = 0;

    void watch(test::Step const& step);
    void run();
    void expect_sound() const;
};

u64 signals_taken = 0, signal_at = 0;

/// Runs on the interrupted stack, like an interrupt on metal.
void take_signal(int, siginfo_t*, void* context) {
    u64 volatile words[64];
    for (u64 volatile& word : words) {
        word = 0xdead'dead;
    }
    ++signals_taken;
    signal_at = test::Step(*static_cast<ucontext_t*>(context)).instruction();
}

void Walk::watch(test::Step const& step) {
    u64 const stack = step.stack_pointer();
    if (step.instruction() == reinterpret_cast<u64>(test::call_stepped_return)) {
        is_inside = false;
    } else if (!is_inside && step.instruction() == call.function) {
        is_inside = true;
        for (usize i = 0; i < watched_words; ++i) {
            watched[i] = test::peek(call.stack + i * sizeof(u64));
        }
    }
    if (!is_inside) {
        return;
    }
    for (usize i = 0; i < watched_words; ++i) {
        changed += test::peek(call.stack + i * sizeof(u64)) == watched[i] ? 0 : 1;
    }
    bool const is_there = stacks[0].contains(stack) || stacks[1].contains(stack);
    strays += is_there || stack == nowhere ? 0 : 1;
    unaligned += stack % 8 == 0 ? 0 : 1;
    if (step.is_call()) {
        ++calls;
        unaligned_calls += stack % 16 == 0 ? 0 : 1;
    }
    if (is_there && disturbance == Disturbance::frame_at_all) {
        for (u64 below = 8; below <= frame_bytes; below += 8) {
            test::poke(stack - below, 0xdead'0000 + below);
        }
    }
    if (is_there && disturbance == Disturbance::signal_at_one && steps == disturbed_step) {
        ++sent;
        sent_at = step.instruction();
        syscall(SYS_tgkill, getpid(), gettid(), SIGURG); // it arrives before the instruction
    }
    ++steps;
}

void Walk::run() {
    alignas(16) static std::byte signal_stack[64 << 10];
    stack_t const description{
        .ss_sp = signal_stack, .ss_flags = 0, .ss_size = sizeof(signal_stack)};
    stack_t stack_before;
    struct sigaction action{}, action_before;
    action.sa_sigaction = take_signal;
    action.sa_flags = SA_SIGINFO; // on the interrupted stack
    signals_taken = 0;
    u64 const sent_before = sent;
    ASSERT_EQ(sigaltstack(&description, &stack_before), 0);
    ASSERT_EQ(sigaction(SIGURG, &action, &action_before), 0);
    u64 const here = reinterpret_cast<u64>(__builtin_frame_address(0));
    stacks[0] = {here - (u64{64} << 10), here};
    {
        test::Stepper const stepper(
            [](void* self, test::Step const& step) { static_cast<Walk*>(self)->watch(step); },
            this);
        test::call_stepped(call);
    }
    sigaction(SIGURG, &action_before, nullptr);
    sigaltstack(&stack_before, nullptr);
    EXPECT_EQ(signals_taken, sent - sent_before);
    EXPECT_TRUE(signals_taken == 0 || signal_at == sent_at);
}

void Walk::expect_sound() const {
    EXPECT_GT(steps, 0u);
    EXPECT_EQ(strays, 0u) << "the stack pointer left its stack";
    EXPECT_EQ(unaligned, 0u);
    EXPECT_EQ(unaligned_calls, 0u) << "of " << calls << " calls";
    EXPECT_EQ(changed, 0u) << "the caller's stack was written to";
    EXPECT_TRUE(call.is_kept()) << "registers that the callee has to keep";
}

/// Tries `attempt(walk)` undisturbed, with a frame below the stack pointer at each instruction, and
/// with a signal at each instruction in turn. Returns how many instructions there are.
template<class Attempt>
u64 try_everywhere(Attempt const& attempt) {
    Walk plain;
    attempt(plain);
    Walk framed;
    framed.disturbance = Disturbance::frame_at_all;
    attempt(framed);
    EXPECT_EQ(framed.steps, plain.steps);
    for (u64 number = 0; number < plain.steps && !testing::Test::HasFailure(); ++number) {
        SCOPED_TRACE(testing::Message() << "a signal at instruction " << number);
        Walk walk;
        walk.disturbance = Disturbance::signal_at_one;
        walk.disturbed_step = number;
        attempt(walk);
        EXPECT_EQ(walk.steps, plain.steps);
    }
    return plain.steps;
}

u64 address_of(auto* function) {
    return reinterpret_cast<u64>(function);
}

/// A stack of the test's own, with room below it for what interrupts.
struct Stack {
    std::vector<std::byte> memory = std::vector<std::byte>(usize{64} << 10);
    std::span<std::byte> whole() {
        void* start = memory.data();
        usize size = memory.size();
        return {static_cast<std::byte*>(std::align(16, size - 16, start, size)), size / 16 * 16};
    }
    Bounds bounds() {
        auto const start = reinterpret_cast<u64>(whole().data());
        return {start + 32768, start + whole().size()};
    }
};

/// From a caller that leaves by `leave`, to a context that leaves by isa_switch_context.
void try_switches(void (*leave)(u64* save, u64 load)) {
    u64 const steps = try_everywhere([leave](Walk& walk) {
        Stack stack;
        u64 here = 0;
        Keeper keeper{0, &here, 0, 0};
        keeper.saved = isa::prepare_stack(stack.whole(), context_keeper, &keeper);
        walk.stacks[1] = stack.bounds();
        for (u64 round = 1; round <= 2; ++round) { // started, then continued
            walk.call.function = address_of(leave);
            walk.call.arguments[0] = reinterpret_cast<u64>(&here);
            walk.call.arguments[1] = keeper.saved;
            walk.run();
            walk.expect_sound();
            EXPECT_EQ(keeper.rounds, round);
            EXPECT_EQ(keeper.wrong, 0u);
        }
        EXPECT_EQ(walk.calls, 3u); // of the entry, and of the switch back in each round
    });
    EXPECT_GT(steps, 60u);
}

TEST(IsaSteps, StartingAContextAndSwitchingBackAndForth) {
    try_switches(isa_switch_context);
}

TEST(IsaSteps, ASwitchThatSavesWhatIsLive) {
    try_switches(call_switch_live);
}

void try_guarded_call(void (*function)(void*), u64 expected) {
    u64 const steps = try_everywhere([function, expected](Walk& walk) {
        hal::RecoveryPoint point{};
        walk.call.function = address_of(&isa_guarded_call);
        walk.call.arguments[0] = reinterpret_cast<u64>(&point);
        walk.call.arguments[1] = address_of(function);
        walk.call.arguments[2] = reinterpret_cast<u64>(&point);
        walk.run();
        walk.expect_sound();
        EXPECT_EQ(walk.call.result & 0xff, expected);
        EXPECT_TRUE(std::ranges::equal(
            std::span(point.registers).first(SteppedCall::kept_count), walk.call.kept));
    });
    EXPECT_GT(steps, 20u);
}

TEST(IsaSteps, AGuardedCallThatReturns) {
    try_guarded_call(guarded_return, 1);
}

TEST(IsaSteps, AGuardedCallThatIsRecovered) {
    try_guarded_call(guarded_fault, 0);
}

constexpr usize page = page_size.value;

/// Where a copy reads and where it writes, a page with a page behind it each.
struct Buffers {
    alignas(page) std::byte source[2 * page];
    alignas(page) std::byte target[2 * page];

    Buffers() {
        for (usize i = 0; i < sizeof(source); ++i) {
            source[i] = static_cast<std::byte>(i * 7 + 3);
        }
        std::ranges::fill(target, std::byte{0x5a});
    }
};
constexpr u64 filling = 0x0807'0605'0403'0201;

/// A signal at each of the first instructions, then at each 97th, since those of a loop are alike:
/// `act` writes the same as undisturbed, and that is `size` bytes at `offset`.
void try_copy(void (*act)(Buffers& buffers), usize offset, usize size) {
    Buffers undisturbed;
    Buffers const untouched;
    act(undisturbed);
    auto const same_until = std::ranges::mismatch(undisturbed.target, untouched.target);
    EXPECT_EQ(same_until.in1 - undisturbed.target, static_cast<std::ptrdiff_t>(offset));
    auto const behind = std::span(undisturbed.target).subspan(offset + size);
    EXPECT_TRUE(
        std::ranges::all_of(behind, [](std::byte byte) { return byte == std::byte{0x5a}; }));
    u64 steps = 1;
    for (u64 number = 0; number < steps; number += number < 64 ? 1 : 97) {
        SCOPED_TRACE(testing::Message() << "a signal at instruction " << number);
        Buffers buffers;
        Walk walk;
        walk.disturbance = Disturbance::signal_at_one;
        walk.disturbed_step = number;
        walk.call.function = reinterpret_cast<u64>(act);
        walk.call.arguments[0] = reinterpret_cast<u64>(&buffers);
        walk.run();
        walk.expect_sound();
        ASSERT_EQ(walk.sent, 1u);
        ASSERT_TRUE(std::ranges::equal(buffers.target, undisturbed.target));
        ASSERT_TRUE(std::ranges::equal(buffers.source, untouched.source));
        steps = walk.steps;
    }
}

TEST(IsaSteps, CopyingAndZeroingAPage) {
    try_copy([](Buffers& it) { isa::copy_pages(it.target, it.source, page_size); }, 0, page);
    try_copy([](Buffers& it) { isa::zero_pages(it.target, page_size); }, 0, page);
}

TEST(IsaSteps, CopyingAndFillingInBulk) {
    try_copy(
        [](Buffers& it) { isa::copy_bulk(it.target + 3, it.source + 5, Bytes{1021}); }, 3, 1021);
    try_copy(
        [](Buffers& it) {
            void* to = it.target + 64;
            void const* from = it.source;
            isa::copy_lines(to, from, 5);
        },
        64, 320);
    try_copy(
        [](Buffers& it) { isa::fill_bulk(it.target + 8, filling, Bytes{512}, false); }, 8, 512);
    try_copy(
        [](Buffers& it) {
            void* to = it.target + 64;
            isa::fill_lines(to, filling, 5);
        },
        64, 320);
    if (isa::has(isa::decode(isa::read_cpuid()), isa::Feature::clzero)) {
        try_copy(
            [](Buffers& it) {
                void* to = it.target + 64;
                isa::clear_lines(to, 7);
            },
            64, 448);
    }
}

} // namespace
