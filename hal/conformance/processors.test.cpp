// Other processors: those that run, and those that cannot be started.
#include "hal/conformance/interrupt_support.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using hal::Processors;

namespace {

constexpr Bytes stack_bytes{65'536};
/// No machine has a processor with this id.
constexpr u32 nobodys_id = 0xee;

boot::Kernel& kernel() {
    return boot::current_kernel();
}

/// What a processor is started with, taken back at the end of a test. Nothing may run on it then.
class Supplies {
public:
    Supplies() {
        m_start.id = {Processors::count_max() - 1};
        m_start.hardware_id = nobodys_id;
        m_start.low = kernel().start_memory;
        m_start.stack = take(stack_bytes);
        for (u32 i = 0; i < Processors::exception_stack_count(); ++i) {
            m_start.exception_stacks[i] = take(Processors::exception_stack_bytes());
        }
        if (Processors::area_bytes().value != 0) {
            m_start.area = take(Processors::area_bytes());
        }
    }
    Supplies(Supplies const&) = delete;
    Supplies& operator=(Supplies const&) = delete;
    ~Supplies() {
        for (memory::KernelStack const& stack : m_taken.items()) {
            kernel().space->free_stack(stack).value();
        }
    }

    hal::ProcessorStart& start() { return m_start; }

private:
    std::span<std::byte> take(Bytes size) {
        memory::KernelStack const stack =
            kernel().space->allocate_stack(align_up(size, page_size)).value();
        m_taken.push_back(stack).value();
        return std::span(hal::kernel_pointer(stack.base), stack.size.value);
    }

    hal::ProcessorStart m_start{};
    FixedVector<memory::KernelStack, hal::ProcessorStart::exception_stacks_max + 2> m_taken;
};

/// Whether the machine has what starting takes.
bool can_start() {
    bool const needs_low = Processors::low_bytes().value != 0;
    return Processors::count_max() > 1 && (!needs_low || kernel().start_memory != PhysAddr{});
}

} // namespace

TEST(Processors, AreNumberedWithinTheMachinesBounds) {
    EXPECT_GE(Processors::count_max(), 1u);
    EXPECT_LE(Processors::exception_stack_count(), hal::ProcessorStart::exception_stacks_max);
    EXPECT_LT(hal::Cpu::id().value, Processors::count_max());
    conformance::for_each_other([](CpuId cpu) {
        CpuId seen;
        auto const read = [](void* to) { *static_cast<CpuId*>(to) = hal::Cpu::id(); };
        ASSERT_TRUE(kernel().cpus.call(cpu, read, &seen).has_value());
        EXPECT_EQ(seen, cpu);
    });
}

TEST(Processors, HaveTheFeaturesOfTheBootProcessor) {
    u64 const here = hal::Cpu::describe().features;
    conformance::for_each_other([here](CpuId cpu) {
        u64 seen = 0;
        auto const read = [](void* to) { *static_cast<u64*>(to) = hal::Cpu::describe().features; };
        ASSERT_TRUE(kernel().cpus.call(cpu, read, &seen).has_value());
        EXPECT_EQ(seen, here);
    });
}

TEST(Processors, HaveAClass) {
    hal::CoreClass const here = Processors::core_class();
    EXPECT_LE(static_cast<u32>(here), static_cast<u32>(hal::CoreClass::efficiency));
    EXPECT_EQ(Processors::core_class(), here);
}

TEST(Processors, OneThatRunsIsNotStartedAgain) {
    if (!can_start()) {
        return; // nothing can be started here at all: refused below
    }
    Supplies supplies;
    supplies.start().id = hal::Cpu::id();
    EXPECT_EQ(Processors::start(supplies.start()).error(), Error::already_exists);
    conformance::for_each_other([&](CpuId cpu) {
        supplies.start().id = cpu;
        EXPECT_EQ(Processors::start(supplies.start()).error(), Error::already_exists);
    });
}

TEST(Processors, ANumberBeyondTheMachineIsRefused) {
    Supplies supplies;
    for (u32 const id : {Processors::count_max(), Processors::count_max() + 1, ~u32{0}}) {
        supplies.start().id = {id};
        auto const started = Processors::start(supplies.start());
        ASSERT_FALSE(started.has_value());
        EXPECT_TRUE(
            started.error() == Error::out_of_range || started.error() == Error::not_supported);
    }
}

TEST(Processors, OneThatNeverAnswersIsGivenUp) {
    if (!can_start()) {
        return;
    }
    for (unsigned round = 0; round < 2; ++round) { // the memory can be used again
        Supplies supplies;
        Nanos const before = hal::Clock::now();
        auto const started = Processors::start(supplies.start());
        ASSERT_FALSE(started.has_value());
        EXPECT_EQ(started.error(), Error::timed_out);
        EXPECT_GE(hal::Clock::now() - before, Nanos{1'000'000'000});
    }
    u32 others = 0;
    conformance::for_each_other([&others](CpuId) { ++others; });
    EXPECT_EQ(others + 1, kernel().cpus.online());
}
