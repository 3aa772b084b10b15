// The stubs of the hosted machine, one instruction after the other (tests/hal/x86_64/stepper.hpp).
//
// An interrupt, and a non-maskable one, at each instruction of a computation, of a switch between
// contexts, and of the entries themselves: each arrives once, and what was interrupted ends as it
// does undisturbed. Between any two instructions of an entry the stack pointer lies where the entry
// may have it, so that a storm does not grow the stack, and the interrupted stack, its red zone
// included, is what it was.
#include "hal/context.hpp"
#include "hal/controller.hpp"
#include "hal/cpu.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"
#include "hal/hosted/live/live_processor.hpp"
#include "hal/hosted/signal_context.hpp"
#include "hal/memory.hpp"
#include "tests/hal/hosted/probe.hpp"
#include "tests/hal/hosted/register_loop.hpp"
#include "tests/hal/x86_64/stepper.hpp"

#include <gtest/gtest.h>

#include <isa/context.hpp>
#include <isa/cpuid.hpp>

#include <sys/syscall.h>
#include <unistd.h>

namespace {

using namespace hosted;
using namespace hosted::test;
using namespace twofold;
using twofold::test::call_stepped;
using twofold::test::Step;
using twofold::test::SteppedCall;
using twofold::test::Stepper;

constexpr hal::Vector first_vector{100}, second_vector{200};

/// What comes between two instructions.
enum class Disturbance : u8 { interrupt, non_maskable };

/// Whose instructions are counted, and disturbed.
enum class Subject : u8 { code, interrupt_entry, fault_entry };

u64 address_of(auto* function) {
    return reinterpret_cast<u64>(function);
}

/// The kernel of these tests: it makes the call again and again, disturbed one instruction later
/// each time, until the call ends before that. Where a sanitizer makes a call too long for that, it
/// goes on by several instructions each time.
struct Stepped : Probe {
    static constexpr u64 traps_max = 300'000; ///< of all calls
    static constexpr u64 undisturbed = ~u64{0};
    static constexpr u64 watched_bytes = 64; ///< above the interrupted stack pointer

    Disturbance disturbance{};
    Subject subject{};
    SteppedCall call;
    /// Before each call; may be null.
    void (*prepare)(Stepped& self) = nullptr;

    GuestCpu* cpu = nullptr;
    u64 disturbed_step = undisturbed, stride = 1, steps = 0;
    u64 traps = 0;             ///< of a call, those in functions that an entry calls among them
    bool is_inside = false;    ///< of the call
    bool is_awaited = false;   ///< the entry has not been reached
    bool is_in_callee = false; ///< of the entry
    u64 stack_of_call = 0;     ///< the stack pointer when the entry called, and where to
    u64 return_address = 0;
    u64 interrupted_at = 0; ///< what the entry has interrupted, and its stack pointer
    u64 interrupted_stack = 0;
    u64 watched[(red_zone_bytes + watched_bytes) / sizeof(u64)] = {};
    u64 returns = 0; ///< of the entry, to where it was entered from
    u64 raised = 0, raised_at = 0, arrived = 0, arrived_at = 0, first_arrived = 0;
    bool arrives_at_once = true; ///< what is raised at an instruction arrives before it

    // What was wrong, over all calls.
    u64 lost = 0, misplaced = 0, wrong_results = 0, not_kept = 0;
    u64 strays = 0, unaligned_calls = 0, changed = 0, wrong_flags = 0, disturbances = 0;
    u64 handler_stack = 0, deeper = 0; ///< handlers that run on more stack than the first

    u64 page = 0, frame = 0; ///< one that faults
    hal::Context here, there;
    StackBounds other_stack{}; ///< of the context `there`
    u64 rounds = 0;            ///< of it
    alignas(64) u8 pattern[512] = {};

    void make_calls();
    void disturb(Step const& step);
    void watch(Step const& step);
    void watch_code(Step const& step);
    void watch_entry(Step const& step);
    void enter(ucontext_t& context);
    void run();
};

void Stepped::make_calls() {
    open_interrupts();
    cpu = &guest_cpu();
    for (bool is_over = false; !is_over;) {
        steps = traps = raised = arrived = first_arrived = returns = 0;
        is_inside = is_in_callee = false;
        if (prepare != nullptr) {
            prepare(*this);
        }
        is_awaited = subject != Subject::code;
        call_stepped(call);
        lost += arrived == raised ? 0 : 1;
        lost += subject != Subject::interrupt_entry || first_arrived == 1 ? 0 : 1;
        strays += subject == Subject::code || returns == 1 ? 0 : 1;
        misplaced += raised == 0 || !arrives_at_once || arrived_at == raised_at ? 0 : 1;
        wrong_results += call.result;
        not_kept += call.is_kept() ? 0 : 1;
        disturbances += raised;
        is_over = raised == 0 && disturbed_step != undisturbed;
        if (disturbed_step == undisturbed) {
            stride = 1 + steps * traps / traps_max;
            disturbed_step = 0;
        } else {
            disturbed_step += stride;
        }
    }
}

void signal_self() {
    syscall(SYS_tgkill, getpid(), gettid(), interrupt_signal);
}

void Stepped::disturb(Step const& step) {
    ++raised;
    raised_at = step.instruction();
    if (disturbance == Disturbance::non_maskable) {
        cpu->interrupts.non_maskable = 1;
    } else {
        cpu->interrupts.raised.set(second_vector);
    }
    signal_self(); // it arrives when this handler has returned
}

void Stepped::watch(Step const& step) {
    if (!is_inside && step.instruction() == call.function) {
        is_inside = true;
    } else if (is_inside && step.instruction() == address_of(twofold::test::call_stepped_return)) {
        is_inside = false;
    }
    if (!is_inside) {
        return;
    }
    ++traps;
    if (subject == Subject::code) {
        watch_code(step);
    } else if (is_awaited) {
        step.set_trap_flag(false);
        if (subject == Subject::interrupt_entry) { // at the call's first instruction
            cpu->interrupts.raised.set(first_vector);
            signal_self();
        }
    } else {
        watch_entry(step);
    }
}

void Stepped::watch_code(Step const& step) {
    if (steps++ == disturbed_step) {
        disturb(step);
    }
}

/// The machine's handler has made the kernel go on in an entry.
void Stepped::enter(ucontext_t& context) {
    bool const is_fault = subject == Subject::fault_entry;
    u64 const entry =
        is_fault ? address_of(&hosted_fault_entry) : address_of(&hosted_interrupt_entry);
    Step const step(context);
    if (!is_awaited || !is_inside || step.instruction() != entry) {
        return;
    }
    is_awaited = false;
    FaultFrame const& interrupted = is_fault ? cpu->fault.frame : cpu->interrupted;
    interrupted_at = interrupted.instruction;
    interrupted_stack = interrupted.stack_pointer;
    for (usize i = 0; i < std::size(watched); ++i) {
        watched[i] = twofold::test::peek(interrupted_stack - red_zone_bytes + i * sizeof(u64));
    }
    step.set_trap_flag(true); // until its IRETQ
}

void Stepped::watch_entry(Step const& step) {
    u64 const stack = step.stack_pointer();
    if (is_in_callee) {
        // The entry's own instructions alone: the callee returns behind the call, with its stack.
        if (stack != stack_of_call || step.instruction() != return_address) {
            return;
        }
        is_in_callee = false;
    } else if (stack_of_call != 0 && stack == stack_of_call - sizeof(u64)) {
        return_address = twofold::test::peek(stack);
        is_in_callee = true;
        return;
    }
    stack_of_call = 0;
    if (step.instruction() == interrupted_at) { // behind its IRETQ
        returns += stack == interrupted_stack && cpu->interrupts_enabled ? 1 : 0;
        return;
    }
    u64 const top = (interrupted_stack - red_zone_bytes) & ~u64{63};
    u64 const lowest = top - cpu->extended_bytes - sizeof(FaultFrame) - 2 * sizeof(u64);
    strays += stack >= lowest && stack <= top && stack % sizeof(u64) == 0 ? 0 : 1;
    for (usize i = 0; i < std::size(watched); ++i) {
        u64 const word = twofold::test::peek(interrupted_stack - red_zone_bytes + i * sizeof(u64));
        changed += word == watched[i] ? 0 : 1;
    }
    if (subject == Subject::interrupt_entry) {
        bool const is_leaving =
            step.instruction() - address_of(hosted_interrupt_leaving) <
            address_of(hosted_interrupt_left) - address_of(hosted_interrupt_leaving);
        wrong_flags += cpu->interrupts_enabled && !is_leaving ? 1 : 0;
    }
    if (step.is_call()) {
        unaligned_calls += stack % 16 == 0 ? 0 : 1;
        stack_of_call = stack;
    }
    if (steps++ == disturbed_step) {
        disturb(step);
    }
}

void take_interrupt(Probe& probe, hal::Interruption const& interruption) {
    auto& it = static_cast<Stepped&>(probe);
    u64 const stack = address_of(static_cast<char*>(__builtin_frame_address(0)));
    it.strays += it.cpu->stack.contains(stack) || it.other_stack.contains(stack) ? 0 : 1;
    it.handler_stack = it.handler_stack == 0 ? stack : it.handler_stack;
    it.deeper += it.subject == Subject::interrupt_entry && stack != it.handler_stack ? 1 : 0;
    if (interruption.vector == first_vector) {
        ++it.first_arrived;
    } else {
        ++it.arrived;
        it.arrived_at = interruption.frame.instruction;
    }
    hal::Controller::acknowledge(interruption.vector);
}

hal::FaultAction take_fault(Probe& probe, hal::Fault const& fault) {
    auto& it = static_cast<Stepped&>(probe);
    if (fault.kind == hal::FaultKind::non_maskable) {
        ++it.arrived;
        it.arrived_at = fault.frame.instruction;
    } else {
        it.strays += fault.kind == hal::FaultKind::page && fault.address.value == it.page ? 0 : 1;
        it.map(it.page, it.frame, hal::Access::write);
    }
    return {hal::FaultAction::Kind::retry, nullptr};
}

Stepped* tapped = nullptr;
struct sigaction actions_before[2];
constexpr int tapped_signals[] = {interrupt_signal, SIGSEGV};

/// The machine's handler, and then the test's look at what it has done.
void tap(int signal, siginfo_t* info, void* context) {
    actions_before[signal == interrupt_signal ? 0 : 1].sa_sigaction(signal, info, context);
    tapped->enter(*static_cast<ucontext_t*>(context));
}

void Stepped::run() {
    Probe nothing;
    nothing.body = [](Probe&, hal::BootInfo const&) {};
    ASSERT_EQ(run_probe(nothing).kind, Stop::Kind::exited); // the machine has its handlers now
    for (usize i = 0; i < sizeof(pattern); ++i) {
        pattern[i] = static_cast<u8>(i * 7 + 1);
    }
    on_interrupt = take_interrupt;
    on_fault = take_fault;
    body = [](Probe& self, hal::BootInfo const&) { static_cast<Stepped&>(self).make_calls(); };
    tapped = this;
    for (usize i = 0; i < 2; ++i) {
        ASSERT_EQ(sigaction(tapped_signals[i], nullptr, &actions_before[i]), 0);
        struct sigaction action = actions_before[i];
        action.sa_sigaction = tap;
        ASSERT_EQ(sigaction(tapped_signals[i], &action, nullptr), 0);
    }
    Stop stop{};
    {
        Stepper const stepper(
            [](void* self, Step const& step) { static_cast<Stepped*>(self)->watch(step); }, this);
        stop = run_probe(*this);
    }
    for (usize i = 0; i < 2; ++i) {
        sigaction(tapped_signals[i], &actions_before[i], nullptr);
    }
    ASSERT_EQ(stop.kind, Stop::Kind::exited);
    ASSERT_EQ(stop.status, 0);
    EXPECT_EQ(lost, 0u) << "interrupts that did not arrive, or twice";
    EXPECT_EQ(misplaced, 0u) << "interrupts that arrived at another instruction";
    EXPECT_EQ(wrong_results, 0u) << "registers that an interrupt has changed";
    EXPECT_EQ(not_kept, 0u);
    EXPECT_EQ(strays, 0u) << "the stack pointer left the entry's part of the stack";
    EXPECT_EQ(unaligned_calls, 0u);
    EXPECT_EQ(changed, 0u) << "the interrupted stack was written to";
    EXPECT_EQ(deeper, 0u) << "interrupts that were delivered on top of an entry";
    EXPECT_EQ(wrong_flags, 0u) << "interrupts were enabled inside of the entry";
}

class HostedSteps : public testing::TestWithParam<Disturbance> {
protected:
    void SetUp() override {
        if (!isa::has(isa::decode(isa::read_cpuid()), isa::Feature::avx2)) {
            GTEST_SKIP() << "the host has no AVX2";
        }
        stepped.disturbance = GetParam();
        stepped.call.function = address_of(&register_loop);
        stepped.call.arguments[0] = 2;
        stepped.call.arguments[1] = address_of(stepped.pattern);
        stepped.call.arguments[2] = address_of(stepped.pattern);
    }

    Stepped stepped;
};

TEST_P(HostedSteps, InAComputation) {
    stepped.run();
    EXPECT_EQ(stepped.stride, 1u);
    EXPECT_GT(stepped.disturbances, 100u);
}

TEST_P(HostedSteps, InAFunctionWithARedZone) {
    stepped.call.function = address_of(&red_zone_loop);
    stepped.run();
    EXPECT_EQ(stepped.stride, 1u);
    EXPECT_GT(stepped.disturbances, 90u);
}

u64 switch_there_and_back(Stepped& it) {
    u64 const before = it.rounds;
    switch_stacks(it.here, it.there);
    return it.rounds == before + 1 ? 0 : 1;
}

TEST_P(HostedSteps, InASwitchBetweenContexts) {
    // Where a sanitizer is told of the switch, nothing arrives between the two stacks.
    stepped.arrives_at_once = std::is_same_v<hal::Context, isa::PlainContext>;
    stepped.call.function = address_of(&switch_there_and_back);
    stepped.call.arguments[0] = address_of(&stepped);
    stepped.prepare = [](Stepped& self) {
        constexpr Bytes stack_size{65536};
        if (self.rounds != 0 || self.frame != 0) {
            return;
        }
        self.frame = self.take_frame();
        for (u64 more = page_size.value; more < stack_size.value; more += page_size.value) {
            static_cast<void>(self.take_frame()); // they follow each other
        }
        auto const switch_back = [](void* argument) {
            auto& it = *static_cast<Stepped*>(argument);
            while (true) {
                ++it.rounds;
                switch_stacks(it.there, it.here);
            }
        };
        std::span const stack{hal::Memory::linear({self.frame}), stack_size.value};
        self.other_stack = {address_of(stack.data()), stack.size()};
        self.there.create(stack, switch_back, &self);
    };
    stepped.run();
    EXPECT_EQ(stepped.rounds, stepped.disturbances + 2);
    EXPECT_GT(stepped.disturbances * stepped.stride, 80u);
}

TEST_P(HostedSteps, InTheEntryOfAnInterrupt) {
    stepped.subject = Subject::interrupt_entry;
    stepped.arrives_at_once = false;
    stepped.run();
    EXPECT_GT(stepped.disturbances * stepped.stride, 60u);
}

TEST_P(HostedSteps, InTheEntryOfAFault) {
    stepped.subject = Subject::fault_entry;
    stepped.arrives_at_once = false;
    stepped.prepare = [](Stepped& self) {
        if (self.page == 0) {
            self.page = hal::Layout::current().heap.base.value;
            self.frame = self.take_frame();
            self.map(self.page, self.frame, hal::Access::write); // its tables, too
        }
        self.set_entry(self.page, 0);
        hal::Mmu::flush({self.page}, page_size);
        self.call.arguments[2] = self.page;
    };
    stepped.run();
    EXPECT_GE(stepped.disturbances * stepped.stride, 40u);
}

INSTANTIATE_TEST_SUITE_P(
    All,
    HostedSteps,
    testing::Values(Disturbance::interrupt, Disturbance::non_maskable),
    [](auto const& param) {
        return param.param == Disturbance::interrupt ? "Interrupt" : "NonMaskable";
    });

} // namespace
