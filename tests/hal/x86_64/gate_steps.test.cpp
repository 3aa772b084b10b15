// The entries of interrupts and exceptions (kernel/interrupts.S, kernel/exceptions.S) in single
// steps. The trap flag interrupts an entry behind each of its instructions, on the stack that it
// uses: so whatever it leaves below the stack pointer is lost, as it would be to a machine check or
// a non-maskable interrupt there. Between any two instructions the stack pointer and what the
// processor has pushed are looked at; in the end every register is what it was.
#include "core/boot/boot.hpp"
#include "hal/conformance/interrupt_support.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "hal/x86_64/kernel/vectors.hpp"
#include "tests/support/test.hpp"

#include <algorithm>

namespace metal_steps {

using namespace twofold;

/// A gate to enter, and the registers before and after. gate_steps.S knows the offsets.
struct GateCall {
    static constexpr usize register_count = 15; ///< rax, rbx, rcx, rdx, rsi, rbp, r8 to r15, rdi

    u64 code = 0; ///< where the gate leads
    u64 has_error_code = 0;
    u64 error_code = 0;
    u64 stack = 0; ///< the interrupted stack pointer
    u64 frame = 0; ///< the stack pointer at the gate's first instruction
    u64 before[register_count] = {};
    u64 after[register_count] = {};
    u64 reserved = 0; ///< behind rdi
    u64 stack_after = 0;
};

} // namespace metal_steps

extern "C" {
void metal_enter_gate(metal_steps::GateCall& call);
extern std::byte const metal_gate_return[];
extern std::byte const metal_step_entry[];
extern std::byte const metal_exception_entries[], metal_interrupt_entries[];
}

namespace {

using namespace twofold;
using hal::FaultKind;
using metal_steps::GateCall;

static_assert(offsetof(GateCall, before) == 40 && offsetof(GateCall, after) == 160);
static_assert(offsetof(GateCall, stack_after) == 288);

constexpr u64 gate_bytes = 16;
constexpr u64 interrupt_flag = u64{1} << 9;

/// What metal_step_entry leaves on the stack.
struct StepFrame {
    u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    u64 rip, cs, rflags, rsp, ss;
};

u64 peek(u64 address) {
    u64 word;
    asm volatile("movq (%1), %0" : "=r"(word) : "r"(address) : "memory");
    return word;
}

u64 address_of(void const* place) {
    return reinterpret_cast<u64>(place);
}

/// A walk through one entry, from the gate's first instruction to its IRETQ.
struct GateWalk {
    static constexpr usize frame_words = 5; ///< that the processor pushes

    GateCall call;
    bool is_interrupt = false;
    u64 saved_bytes = 0; ///< that the entry pushes below the processor's frame

    u64 stack_of_call = 0, return_address = 0;
    bool is_in_callee = false;
    u64 frame[frame_words] = {};
    bool is_recovered = false; ///< it goes on elsewhere
    u64 returns = 0, returned_to = 0;
    u64 steps = 0, calls = 0, strays = 0, unaligned_calls = 0, changed = 0, wrong_flags = 0;
    u64 wrong_arguments = 0;

    GateWalk(u64 code, bool is_of_interrupt)
        : is_interrupt(is_of_interrupt), saved_bytes((is_of_interrupt ? 11 : 17) * sizeof(u64)) {
        call.code = code;
        for (usize i = 0; i < GateCall::register_count; ++i) {
            call.before[i] = 0x1111'0000'0000'0000 * (i + 1) + 0xace0 + i;
        }
    }

    void watch(StepFrame const& step);
    bool is_callees(StepFrame const& step);
    void watch_call(StepFrame const& step);

    /// Enters the gate; returns behind it.
    void run() {
        sync::InterruptGuard const off;
        metal_enter_gate(call);
    }
    void expect_sound() const {
        EXPECT_GT(steps, 15u);
        EXPECT_EQ(calls, 1u);
        EXPECT_EQ(returns, 1u);
        EXPECT_EQ(strays, 0u);
        EXPECT_EQ(unaligned_calls, 0u);
        EXPECT_EQ(changed, 0u);
        EXPECT_EQ(wrong_flags, 0u);
        EXPECT_EQ(wrong_arguments, 0u);
    }
    void expect_returned() const {
        EXPECT_EQ(returned_to, address_of(metal_gate_return));
        EXPECT_TRUE(std::ranges::equal(call.before, call.after));
        EXPECT_EQ(call.stack_after, call.stack);
    }
};

/// Whether a function that the entry has called runs; it returns behind the call, with its stack.
bool GateWalk::is_callees(StepFrame const& step) {
    if (is_in_callee) {
        is_in_callee = step.rip != return_address || step.rsp != stack_of_call;
    } else if (stack_of_call != 0 && step.rsp == stack_of_call - sizeof(u64)) {
        return_address = peek(step.rsp);
        is_in_callee = true;
    }
    return is_in_callee;
}

void GateWalk::watch_call(StepFrame const& step) {
    ++calls;
    stack_of_call = step.rsp;
    unaligned_calls += step.rsp % 16 == 0 ? 0 : 1;
    if (is_interrupt) { // a hal::Interruption: what was interrupted, and its frame pointer
        bool const is_right = peek(step.rdi + 8) == call.before[5] &&
                              peek(step.rdi + 16) == address_of(metal_gate_return) &&
                              step.rbp == step.rdi + 8;
        wrong_arguments += is_right ? 0 : 1;
    } else {
        wrong_arguments += step.rdi == step.rsp ? 0 : 1;
    }
}

void GateWalk::watch(StepFrame const& step) {
    if (step.rsp == call.stack) { // behind the entry's IRETQ
        ++returns;
        returned_to = step.rip;
        return;
    }
    if (is_callees(step)) {
        return;
    }
    u64 const words = call.frame + call.has_error_code * sizeof(u64);
    if (step.rip == call.code) {
        for (usize i = 0; i < frame_words; ++i) {
            frame[i] = peek(words + i * sizeof(u64));
        }
    }
    ++steps;
    stack_of_call = 0;
    strays += step.rsp >= words - saved_bytes && step.rsp <= words && step.rsp % 8 == 0 ? 0 : 1;
    for (usize i = 0; i < frame_words; ++i) {
        bool const may_change = is_recovered && calls != 0 && (i == 0 || i == 2); // RIP, flags
        changed += may_change || peek(words + i * sizeof(u64)) == frame[i] ? 0 : 1;
    }
    wrong_flags += (step.rflags & interrupt_flag) == 0 ? 0 : 1;
    if ((peek(step.rip) & 0xff) == 0xe8) {
        watch_call(step);
    }
}

GateWalk* current_walk = nullptr;

/// The gate of #DB is the test's own while this lives; the table is in memory that can be written.
class OwnDebugGate {
public:
    explicit OwnDebugGate(GateWalk& walk) {
        struct [[gnu::packed]] {
            u16 limit;
            u64 base;
        } table{};
        asm volatile("sidt %0" : "=m"(table));
        m_gate = reinterpret_cast<u16*>(table.base + gate_bytes); // of vector 1
        std::copy_n(m_gate, std::size(m_before), m_before);
        u64 const code = address_of(metal_step_entry);
        m_gate[0] = static_cast<u16>(code);
        m_gate[3] = static_cast<u16>(code >> 16);
        m_gate[4] = static_cast<u16>(code >> 32);
        m_gate[5] = static_cast<u16>(code >> 48);
        current_walk = &walk;
    }
    ~OwnDebugGate() {
        current_walk = nullptr;
        std::copy_n(m_before, std::size(m_before), m_gate);
    }
    OwnDebugGate(OwnDebugGate const&) = delete;
    OwnDebugGate& operator=(OwnDebugGate const&) = delete;

private:
    u16* m_gate;
    u16 m_before[gate_bytes / sizeof(u16)]{};
};

u64 interrupt_code(u64 vector) {
    return address_of(metal_interrupt_entries) +
           (vector - metal::vectors::exception_count) * gate_bytes;
}
u64 exception_code(u64 vector) {
    return address_of(metal_exception_entries) + vector * gate_bytes;
}

bool pushes_error_code(u64 vector) {
    constexpr u64 with_code[] = {8, 10, 11, 12, 13, 14, 17, 21, 29, 30};
    return std::ranges::find(with_code, vector) != std::end(with_code);
}

} // namespace

extern "C" void metal_step(StepFrame const& step);

extern "C" void metal_step(StepFrame const& step) {
    current_walk->watch(step);
}

TEST(GateSteps, AnInterruptWithAHandler) {
    struct Seen {
        u64 vector = 0, frame_pointer = 0, instruction = 0;
    } seen;
    conformance::Handler const handler(
        [](void* argument, hal::Interruption const& interruption) {
            *static_cast<Seen*>(argument) = {
                interruption.vector.value, interruption.frame.frame_pointer,
                interruption.frame.instruction};
        },
        &seen);
    GateWalk walk(interrupt_code(handler.vector().value), true);
    {
        OwnDebugGate const gate(walk);
        walk.run();
    }
    walk.expect_sound();
    walk.expect_returned();
    EXPECT_EQ(handler.count(), 1u);
    EXPECT_EQ(seen.vector, handler.vector().value);
    EXPECT_EQ(seen.frame_pointer, walk.call.before[5]);
    EXPECT_EQ(seen.instruction, address_of(metal_gate_return));
}

TEST(GateSteps, EveryVectorOfTheKernels) {
    for (u32 vector = metal::vectors::kernel.first.value; vector < metal::vectors::deadline.value;
         ++vector) {
        u64 const before = conformance::taken({static_cast<u8>(vector)});
        GateWalk walk(interrupt_code(vector), true);
        {
            OwnDebugGate const gate(walk);
            walk.run();
        }
        walk.expect_sound();
        walk.expect_returned();
        ASSERT_EQ(conformance::taken({static_cast<u8>(vector)}), before + 1);
    }
}

TEST(GateSteps, AFaultThatIsResolved) {
    memory::KernelSpace& kernel_space = *boot::current_kernel().space;
    VirtAddr const page = kernel_space.find_view(page_size, page_size).value();
    ASSERT_TRUE(
        kernel_space.space().map_zero(page, page_size, memory::PageAccess::read_write).has_value());
    constexpr u64 write_to_absent = 2;
    GateWalk walk(exception_code(14), false);
    walk.call.has_error_code = 1;
    walk.call.error_code = write_to_absent;
    {
        OwnDebugGate const gate(walk);
        metal::write_cr2(page.value);
        walk.run();
    }
    walk.expect_sound();
    walk.expect_returned();
    EXPECT_TRUE(kernel_space.space().translate(page).has_value());
    ASSERT_TRUE(kernel_space.space().unmap(page, page_size).has_value());
}

TEST(GateSteps, EveryExceptionThatIsRecoveredFrom) {
    constexpr u64 double_fault = 8;
    for (u64 vector = 0; vector < metal::vectors::exception_count; ++vector) {
        if (vector == double_fault) {
            continue; // always a panic
        }
        GateWalk walk(exception_code(vector), false);
        walk.call.has_error_code = pushes_error_code(vector) ? 1 : 0;
        walk.is_recovered = true;
        metal::write_cr2(8); // where nothing is
        std::optional<boot::CaughtFault> fault;
        {
            OwnDebugGate const gate(walk);
            fault = boot::catch_fault([&walk] { walk.run(); });
        }
        walk.expect_sound();
        ASSERT_TRUE(fault.has_value());
        EXPECT_EQ(fault->instruction, address_of(metal_gate_return));
    }
}
