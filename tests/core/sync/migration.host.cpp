// A thread that may be preempted may be on another processor after any instruction. Here it is
// moved at the worst of them: whenever it has looked up the processor that it runs on, and
// interrupts are on. What guards do must concern the processor on which their holder then stays.
#include "core/sync/no_preempt.hpp"

#include <gtest/gtest.h>

using namespace twofold;

namespace {

constexpr u32 processors = 3;

/// The machine: whose state the caller finds, and whether it may be taken away.
struct Machine {
    sync::CpuState states[processors];
    u32 here = 0;
    hal::InterruptState interrupts = hal::InterruptState::enabled;
    u32 moves = 0;
    /// What runs on the processor that the thread has left.
    sync::ExecutionContext next_there = sync::ExecutionContext::thread;

    /// The thread is preempted and continued elsewhere, if that may happen now. Second halves that
    /// wait run first, as at the end of the interrupt that takes it away.
    void preempt() {
        sync::CpuState& state = states[here];
        if (interrupts == hal::InterruptState::disabled ||
            state.context != sync::ExecutionContext::thread) {
            return;
        }
        if (state.work_waits) {
            state.run_work(state);
        }
        state.context = next_there;
        here = (here + 1) % processors;
        states[here].context = sync::ExecutionContext::thread;
        ++moves;
    }
};

Machine* machine = nullptr;

} // namespace

void* hal::Cpu::per_cpu() {
    void* const found = &machine->states[machine->here];
    machine->preempt();
    return found;
}
hal::CpuId hal::Cpu::id() {
    return {machine->here};
}
hal::InterruptState hal::Interrupt::disable() {
    hal::InterruptState const before = machine->interrupts;
    machine->interrupts = hal::InterruptState::disabled;
    return before;
}
void hal::Interrupt::restore(hal::InterruptState before) {
    machine->interrupts = before;
    machine->preempt();
}
hal::InterruptState hal::Interrupt::state() {
    return machine->interrupts;
}

namespace {

class Migration : public testing::Test {
protected:
    Migration() { machine = &m_machine; }
    ~Migration() override { machine = nullptr; }

    void expect_contexts(sync::ExecutionContext here) {
        for (u32 cpu = 0; cpu < processors; ++cpu) {
            EXPECT_EQ(
                m_machine.states[cpu].context,
                cpu == m_machine.here ? here : sync::ExecutionContext::thread)
                << "processor " << cpu;
        }
    }

    Machine m_machine;
};

TEST_F(Migration, WhoIsNotPreemptedStaysOnTheProcessorThatKnowsIt) {
    for (int round = 0; round < 5; ++round) {
        {
            sync::NoPreemptGuard const guard;
            expect_contexts(sync::ExecutionContext::no_preempt);
            u32 const before = m_machine.here;
            {
                sync::NoPreemptGuard const inner;
                expect_contexts(sync::ExecutionContext::no_preempt);
            }
            expect_contexts(sync::ExecutionContext::no_preempt);
            EXPECT_EQ(m_machine.here, before);
        }
        expect_contexts(sync::ExecutionContext::thread);
        m_machine.preempt();
    }
    EXPECT_EQ(m_machine.moves, 5u);
}

TEST_F(Migration, TheContextIsTheCallersOwn) {
    m_machine.next_there = sync::ExecutionContext::irq;
    for (u32 round = 1; round <= 5; ++round) {
        EXPECT_EQ(sync::current_context(), sync::ExecutionContext::thread);
        EXPECT_EQ(m_machine.moves, round); // afterwards
    }
}

TEST_F(Migration, WorkThatWaitsIsRunWhereItWaits) {
    static u32 runs;
    runs = 0;
    for (sync::CpuState& state : m_machine.states) {
        state.run_work = [](sync::CpuState& own) {
            own.work_waits = false;
            ++runs;
        };
    }
    {
        sync::NoPreemptGuard const guard;
        m_machine.states[m_machine.here].work_waits = true; // an interrupt has come
    }
    EXPECT_EQ(runs, 1u);
    for (sync::CpuState const& state : m_machine.states) {
        EXPECT_FALSE(state.work_waits);
    }
}

} // namespace
