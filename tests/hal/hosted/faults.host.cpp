// Every fault that a hosted kernel can raise arrives as what it would be on the metal: kind, cause
// from the tables, address, registers; and the kernel can retry, recover, or be ended by the
// machine.
#include "hal/console.hpp"
#include "hal/cpu.hpp"
#include "hal/hosted/fault_decode.hpp"
#include "hal/hosted/signals.hpp"
#include "hal/interrupt.hpp"
#include "hal/memory.hpp"
#include "hal/power.hpp"
#include "tests/hal/hosted/probe.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <sys/time.h>
#include <unistd.h>

namespace {

using namespace hosted;
using namespace hosted::test;
using namespace twofold;

/// An address of the heap window, of which the firmware maps nothing.
u64 heap_address(u64 offset = 0) {
    return hal::Layout::current().heap.base.value + offset;
}

// By single instructions, which no sanitizer checks first.
void read_word(void* address) {
    u64 word;
    asm volatile("movq (%1), %0" : "=r"(word) : "r"(address) : "memory");
}
void write_word(void* address) {
    asm volatile("movq $1, (%0)" ::"r"(address) : "memory");
}
void execute_at(void* address) {
    asm volatile("call *%0" ::"r"(address) : "memory");
}

/// One access, and what must come of it.
struct Case {
    char const* name;
    /// Prepares and returns the address to access.
    u64 (*prepare)(Probe& probe);
    void (*access)(void* address);
    hal::FaultKind kind;
    u64 code;
    friend void PrintTo(Case const& test, std::ostream* out) { *out << test.name; }
};

u64 map_with(Probe& probe, hal::Access access) {
    u64 const address = heap_address();
    probe.map(address, probe.take_frame(), access);
    return address;
}

class HostedFault : public testing::TestWithParam<Case> {};

TEST_P(HostedFault, IsRaisedAndRecovered) {
    struct Seen : Probe {
        Case const* test;
        u64 accessed;
        bool returned, returned_from_harmless;
    };
    Seen seen{};
    seen.test = &GetParam();
    seen.body = [](Probe& self, hal::BootInfo const&) {
        auto& out = static_cast<Seen&>(self);
        out.accessed = out.test->prepare(out);
        out.returned = out.guarded(out.test->access, reinterpret_cast<void*>(out.accessed));
        out.returned_from_harmless = out.guarded([](void*) {}, nullptr);
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    EXPECT_FALSE(seen.returned);
    EXPECT_TRUE(seen.returned_from_harmless);
    EXPECT_EQ(seen.faults, 1u);
    EXPECT_EQ(seen.kind, GetParam().kind) << seen.name;
    EXPECT_EQ(seen.code, GetParam().code) << seen.name;
    if (seen.kind == hal::FaultKind::page || seen.kind == hal::FaultKind::physical) {
        EXPECT_EQ(seen.address, seen.accessed);
        EXPECT_EQ(page_fault_code(seen.cause), GetParam().code);
    }
}

constexpr u64 leaf_of(u64 frame) {
    return frame | isa::page_bit::present | isa::page_bit::write;
}

INSTANTIATE_TEST_SUITE_P(
    Access,
    HostedFault,
    testing::Values(
        Case{
            "ReadUnmapped", [](Probe&) { return heap_address(); }, read_word, hal::FaultKind::page,
            0},
        Case{
            "WriteUnmapped", [](Probe&) { return heap_address(); }, write_word,
            hal::FaultKind::page, 2},
        Case{
            "ExecuteUnmapped", [](Probe&) { return heap_address(); }, execute_at,
            hal::FaultKind::page, 16},
        Case{"Null", [](Probe&) { return u64{0}; }, write_word, hal::FaultKind::page, 2},
        Case{
            "OtherMachinesWindow", [](Probe&) { return plan_window(5).kernel.linear.base.value; },
            read_word, hal::FaultKind::page, 0},
        Case{
            "WriteReadOnly", [](Probe& p) { return map_with(p, hal::Access::none); }, write_word,
            hal::FaultKind::page, 3},
        Case{
            "ExecuteData", [](Probe& p) { return map_with(p, hal::Access::write); }, execute_at,
            hal::FaultKind::page, 17},
        Case{
            "WriteBelowReadOnlyTable",
            [](Probe& p) {
                u64 const address = heap_address(u64{1} << 30);
                p.set_entry(address, 0); // makes the tables
                u64 const table = p.take_frame();
                auto* const words = reinterpret_cast<u64*>(hal::Memory::linear({table}));
                words[hal::Mmu::index({address}, 0)] = leaf_of(p.take_frame());
                p.set_entry(address, table | isa::page_bit::present, 1);
                return address;
            },
            write_word, hal::FaultKind::page, 3},
        Case{
            "ReservedBit",
            [](Probe& p) {
                p.set_entry(heap_address(), leaf_of(p.take_frame()) | u64{1} << 50);
                return heap_address();
            },
            read_word, hal::FaultKind::page, 9},
        Case{
            "ReservedBitOfLargeLeaf",
            [](Probe& p) {
                u64 const address = heap_address(u64{1} << 30) & ~((u64{1} << 21) - 1);
                p.set_entry(address, leaf_of(u64{1} << 13) | isa::page_bit::large, 1);
                return address;
            },
            write_word, hal::FaultKind::page, 11},
        Case{
            "FrameBeyondMemory",
            [](Probe& p) {
                p.map(heap_address(), u64{1} << 40, hal::Access::write);
                return heap_address();
            },
            read_word, hal::FaultKind::physical, 0},
        Case{
            "TableBeyondMemory",
            [](Probe& p) {
                u64 const address = heap_address(u64{1} << 30);
                p.set_entry(
                    address, (u64{1} << 40) | isa::page_bit::present | isa::page_bit::write, 1);
                return address;
            },
            write_word, hal::FaultKind::physical, 2},
        Case{
            "LinearBeyondMemory",
            [](Probe&) { return reinterpret_cast<u64>(hal::Memory::linear({u64{64} << 20})); },
            read_word, hal::FaultKind::page, 0},
        Case{
            "NotCanonical", [](Probe&) { return u64{0x1234'0000'0000'0000}; }, read_word,
            hal::FaultKind::protection, 0}),
    [](auto const& parameter) { return parameter.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Instruction,
    HostedFault,
    testing::Values(
        Case{
            "Invalid", [](Probe&) { return u64{0}; }, [](void*) { asm volatile("ud2"); },
            hal::FaultKind::invalid_instruction, 0},
        Case{
            "DivideByZero", [](Probe&) { return u64{0}; },
            [](void*) {
                u32 low = 1, high = 0;
                asm volatile("divl %2" : "+a"(low), "+d"(high) : "r"(0u));
            },
            hal::FaultKind::divide, 0},
        Case{
            "Privileged", [](Probe&) { return u64{0}; }, [](void*) { asm volatile("hlt"); },
            hal::FaultKind::protection, 0},
        Case{
            "Breakpoint", [](Probe&) { return u64{0}; }, [](void*) { asm volatile("int3"); },
            hal::FaultKind::breakpoint, 0},
        Case{
            "Misaligned", [](Probe&) { return u64{0}; },
            [](void*) {
                alignas(16) char bytes[32] = {};
                asm volatile("movaps 1(%0), %%xmm0" ::"r"(bytes) : "xmm0");
            },
            hal::FaultKind::protection, 0}),
    [](auto const& parameter) { return parameter.param.name; });

TEST(HostedFaults, ARetryFindsEveryRegisterAsItWas) {
    struct Seen : Probe {
        u64 wrong_registers, vector[4], flags_kept;
    };
    Seen seen{};
    seen.body = [](Probe& self, hal::BootInfo const&) {
        auto& out = static_cast<Seen&>(self);
        u64 const pattern[4] = {0x1111, 0x2222, 0x3333, 0x4444};
        u64 wrong = 0;
        u64 flags = 0;
        asm volatile(
            "vmovdqu (%[pattern]), %%ymm7\n"
            "movq $1, %%r8\n movq $2, %%r9\n movq $3, %%r10\n movq $4, %%r11\n"
            "movq $5, %%r12\n movq $6, %%r13\n movq $7, %%r14\n movq $8, %%r15\n"
            "stc\n"
            "movq (%[address]), %%rcx\n" // faults; the upcall maps the page
            "pushfq\n popq %[flags]\n"
            "xorl %%eax, %%eax\n"
            "addq %%r8, %%rax\n addq %%r9, %%rax\n addq %%r10, %%rax\n addq %%r11, %%rax\n"
            "addq %%r12, %%rax\n addq %%r13, %%rax\n addq %%r14, %%rax\n addq %%r15, %%rax\n"
            "subq $36, %%rax\n"
            "addq %%rcx, %%rax\n" // a fresh frame: zero
            "vmovdqu %%ymm7, (%[vector])\n"
            "vzeroupper\n"
            : "=&a"(wrong), [flags] "=&r"(flags)
            : [pattern] "r"(pattern), [address] "r"(heap_address()), [vector] "r"(out.vector)
            : "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm7", "cc", "memory");
        out.wrong_registers = wrong;
        out.flags_kept = flags & 1;
    };
    seen.on_fault = [](Probe& self, hal::Fault const&) {
        asm volatile("vpxor %%ymm7, %%ymm7, %%ymm7\n vzeroupper" ::: "xmm7");
        self.map(heap_address(), self.take_frame(), hal::Access::write);
        return hal::FaultAction{hal::FaultAction::Kind::retry, nullptr};
    };
    if (!__builtin_cpu_supports("avx")) {
        GTEST_SKIP() << "this processor has no AVX";
    }
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    EXPECT_EQ(seen.faults, 1u);
    EXPECT_EQ(seen.wrong_registers, 0u);
    EXPECT_EQ(seen.flags_kept, 1u);
    EXPECT_EQ(seen.vector[0], 0x1111u);
    EXPECT_EQ(seen.vector[3], 0x4444u);
}

TEST(HostedFaults, DemandPagingFillsAHeap) {
    Probe probe;
    constexpr u64 pages = 500;
    probe.body = [](Probe&, hal::BootInfo const&) {
        for (u64 page = 0; page < pages; ++page) {
            *reinterpret_cast<u64 volatile*>(heap_address(page * page_size.value)) = page;
        }
        for (u64 page = 0; page < pages; ++page) {
            if (*reinterpret_cast<u64 volatile*>(heap_address(page * page_size.value)) != page) {
                hal::Power::exit(1);
            }
        }
    };
    probe.on_fault = [](Probe& self, hal::Fault const& fault) {
        self.map(fault.address.value & ~u64{4095}, self.take_frame(), hal::Access::write);
        return hal::FaultAction{hal::FaultAction::Kind::retry, nullptr};
    };
    Stop const stop = run_probe(probe);
    EXPECT_EQ(stop.kind, Stop::Kind::exited);
    EXPECT_EQ(stop.status, 0);
    EXPECT_EQ(probe.faults, pages);
}

TEST(HostedFaults, ABreakpointGoesOnBehindItself) {
    struct Seen : Probe {
        bool went_on;
    };
    Seen seen{};
    seen.body = [](Probe& self, hal::BootInfo const&) {
        asm volatile("int3");
        static_cast<Seen&>(self).went_on = true;
    };
    seen.on_fault = [](Probe&, hal::Fault const&) {
        return hal::FaultAction{hal::FaultAction::Kind::retry, nullptr};
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    EXPECT_TRUE(seen.went_on);
    EXPECT_EQ(seen.kind, hal::FaultKind::breakpoint);
}

TEST(HostedFaults, FaultsInsideTheUpcallNest) {
    struct Seen : Probe {
        bool inner_recovered;
    };
    Seen seen{};
    seen.body = [](Probe&, hal::BootInfo const&) {
        write_word(reinterpret_cast<void*>(heap_address()));
    };
    seen.on_fault = [](Probe& self, hal::Fault const& fault) {
        if (self.point != nullptr) {
            return hal::FaultAction{hal::FaultAction::Kind::recover, self.point};
        }
        auto& out = static_cast<Seen&>(self);
        out.inner_recovered =
            !self.guarded(read_word, reinterpret_cast<void*>(heap_address(1 << 20)));
        self.map(fault.address.value, self.take_frame(), hal::Access::write);
        return hal::FaultAction{hal::FaultAction::Kind::retry, nullptr};
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    EXPECT_TRUE(seen.inner_recovered);
    EXPECT_EQ(seen.faults, 2u);
}

TEST(HostedFaults, InterruptsAreDisabledInTheUpcall) {
    struct Seen : Probe {
        hal::InterruptState inside, after;
    };
    Seen seen{};
    seen.body = [](Probe& self, hal::BootInfo const&) {
        hal::Interrupt::restore(hal::InterruptState::enabled);
        asm volatile("int3");
        static_cast<Seen&>(self).after = hal::Interrupt::state();
    };
    seen.on_fault = [](Probe& self, hal::Fault const&) {
        static_cast<Seen&>(self).inside = hal::Interrupt::state();
        return hal::FaultAction{hal::FaultAction::Kind::retry, nullptr};
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    EXPECT_EQ(seen.inside, hal::InterruptState::disabled);
    EXPECT_EQ(seen.after, hal::InterruptState::enabled);
}

[[gnu::noinline]] u64 recurse(u64 depth) {
    u64 volatile padding[64] = {depth};
    return depth == 0 ? 0 : recurse(depth + 1) + padding[0];
}

TEST(HostedFaults, AStackOverflowIsADoubleFaultOnTheEmergencyStack) {
    struct Seen : Probe {
        u64 upcall_stack, stack_base, stack_size;
        bool recovered, inner_recovered;
    };
    Seen seen{};
    seen.body = [](Probe& self, hal::BootInfo const& info) {
        auto& out = static_cast<Seen&>(self);
        out.stack_base = info.stack_base.value;
        out.stack_size = info.stack_size.value;
        out.recovered = !out.guarded([](void*) { static_cast<void>(recurse(1)); }, nullptr);
        hal::Console::write("still alive\n");
        out.recovered =
            out.recovered && !out.guarded([](void*) { static_cast<void>(recurse(1)); }, nullptr);
    };
    seen.on_fault = [](Probe& self, hal::Fault const&) {
        // The upcall may use the console, and catch faults of its own, on the emergency stack.
        hal::RecoveryPoint* const outer = self.point;
        if (self.kind == hal::FaultKind::page) {
            return hal::FaultAction{hal::FaultAction::Kind::recover, outer};
        }
        hal::Console::write("overflow\n");
        void* const nowhere = reinterpret_cast<void*>(heap_address());
        static_cast<Seen&>(self).inner_recovered = !self.guarded(read_word, nowhere);
        hal::Console::write("caught\n");
        self.kind = hal::FaultKind::double_fault;
        static_cast<Seen&>(self).upcall_stack = reinterpret_cast<u64>(__builtin_frame_address(0));
        return hal::FaultAction{hal::FaultAction::Kind::recover, self.point};
    };
    MemoryConsole console;
    ASSERT_EQ(make_machine(seen, console)->run().kind, Stop::Kind::exited);
    EXPECT_TRUE(seen.recovered);
    EXPECT_TRUE(seen.inner_recovered);
    EXPECT_EQ(seen.faults, 4u);
    EXPECT_EQ(seen.kind, hal::FaultKind::double_fault);
    EXPECT_FALSE(seen.upcall_stack - seen.stack_base < seen.stack_size);
    EXPECT_EQ(console.output, "overflow\ncaught\nstill alive\noverflow\ncaught\n");
}

TEST(HostedFaults, ADoubleFaultNamesTheGuardPage) {
    struct Seen : Probe {
        u64 guard;
    };
    Seen seen{};
    seen.body = [](Probe& self, hal::BootInfo const& info) {
        static_cast<Seen&>(self).guard = info.stack_base.value - page_size.value;
        static_cast<void>(recurse(1));
    };
    EXPECT_EQ(run_probe(seen).status, 70);
    EXPECT_EQ(seen.kind, hal::FaultKind::double_fault);
    EXPECT_LT(seen.address - seen.guard, page_size.value);
}

Machine* stopped_machine = nullptr;

void ask_to_stop(int, siginfo_t* info, void* context) {
    stopped_machine->request_stop(*info, *static_cast<ucontext_t*>(context));
}

TEST(HostedFaults, ASignalStopsAKernelThatComputesForEver) {
    Probe probe;
    probe.body = [](Probe&, hal::BootInfo const&) {
        hal::Console::write("computing");
        while (true) {
            hal::Cpu::pause();
        }
    };
    MemoryConsole console;
    auto const machine = make_machine(probe, console);
    stopped_machine = machine.get();
    struct sigaction action{};
    struct sigaction before{};
    action.sa_sigaction = ask_to_stop;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGALRM, &action, &before);
    itimerval const soon{{0, 1000}, {0, 1000}};
    setitimer(ITIMER_REAL, &soon, nullptr);
    EXPECT_EQ(machine->run().kind, Stop::Kind::interrupted);
    itimerval const never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &before, nullptr);
    EXPECT_NE(machine->crash_report().find("kernel stack"), std::string_view::npos);
    probe.body = [](Probe&, hal::BootInfo const&) { hal::Power::exit(6); };
    machine->reset();
    EXPECT_EQ(machine->run().status, 6);
}

TEST(HostedFaults, ATripleFaultEndsTheKernelAndNotTheProcess) {
    Probe probe;
    probe.body = [](Probe&, hal::BootInfo const&) { static_cast<void>(recurse(1)); };
    probe.on_fault = [](Probe&, hal::Fault const&) {
        static_cast<void>(recurse(1)); // overflows the emergency stack too
        return hal::FaultAction{hal::FaultAction::Kind::retry, nullptr};
    };
    MemoryConsole console;
    auto const machine = make_machine(probe, console);
    EXPECT_EQ(machine->run().kind, Stop::Kind::crashed);
    EXPECT_NE(machine->crash_report().find("triple fault"), std::string_view::npos);
    EXPECT_NE(machine->crash_report().find("image+0x"), std::string_view::npos)
        << machine->crash_report();

    machine->reset(); // and can be started over
    probe.body = [](Probe&, hal::BootInfo const&) { hal::Power::exit(5); };
    Stop const stop = machine->run();
    EXPECT_EQ(stop.kind, Stop::Kind::exited);
    EXPECT_EQ(stop.status, 5);
    EXPECT_TRUE(machine->crash_report().empty());
}

TEST(HostedFaults, AWildStackPointerIsADoubleFault) {
    Probe probe;
    probe.body = [](Probe&, hal::BootInfo const&) {
        asm volatile("movq $0x1000, %rsp\n pushq $1\n");
        __builtin_unreachable();
    };
    EXPECT_EQ(run_probe(probe).status, 70);
    EXPECT_EQ(probe.kind, hal::FaultKind::double_fault);
    EXPECT_EQ(probe.stack_pointer, 0x1000u);
}

TEST(HostedFaults, AConsoleWriteFromBadMemoryIsTheKernelsFault) {
    struct Seen : Probe {
        bool returned;
    };
    Seen seen{};
    seen.body = [](Probe& self, hal::BootInfo const&) {
        static_cast<Seen&>(self).returned = self.guarded(
            [](void* address) { hal::Console::write({static_cast<char const*>(address), 100}); },
            reinterpret_cast<void*>(heap_address()));
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    EXPECT_FALSE(seen.returned);
    EXPECT_EQ(seen.kind, hal::FaultKind::page);
    EXPECT_EQ(seen.address, plan_window(0).kernel.heap.base.value);
}

/// A console that misbehaves while the kernel waits for it.
struct CrashingConsole final : ConsoleEndpoint {
    void write(std::string_view) override {
        write_word(reinterpret_cast<void*>(u64{0x10})); // outside of kernel code
    }
    hal::ConsoleInput read() override { return {hal::InputStatus::none, '\0'}; }
    void write_result(std::span<std::byte const>) override {}
};

void crash_outside_the_kernel() {
    install_crash_report([] { static_cast<void>(write(STDERR_FILENO, "hook\n", 5)); });
    Probe probe;
    probe.body = [](Probe&, hal::BootInfo const&) { hal::Console::write("x"); };
    MachineConfig config;
    config.command_line = std::to_string(reinterpret_cast<u64>(&probe));
    CrashingConsole console;
    static_cast<void>((*Machine::create(config, console))->run());
}

TEST(HostedFaultsDeathTest, ACrashOutsideTheKernelIsReported) {
    EXPECT_EXIT(
        crash_outside_the_kernel(), testing::ExitedWithCode(crash_status),
        "hook\n.*the machine crashed: SIGSEGV .*address 0x0000000000000010, outside kernel code\n"
        "stack, innermost first:\n(.*\n)*kernel stack, innermost first:\n.*image");
}

TEST(HostedFaultsDeathTest, AnAbortIsReported) {
    EXPECT_EXIT(
        {
            install_crash_report(nullptr);
            std::abort();
        },
        testing::ExitedWithCode(crash_status), "the machine crashed: SIGABRT");
}

} // namespace
