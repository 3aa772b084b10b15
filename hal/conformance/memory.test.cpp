// Physical memory through the linear window.
#include "hal/memory.hpp"

#include "hal/conformance/page_tables.hpp"
#include "tests/support/test.hpp"

using namespace twofold;

TEST(LinearWindow, MapsBothWays) {
    auto const frame = conformance::zeroed_frame();
    ASSERT_TRUE(frame.has_value());
    std::byte* const pointer = hal::Memory::linear(frame.value());
    EXPECT_EQ(hal::Memory::physical(pointer), frame.value());
    EXPECT_EQ(hal::Memory::physical(pointer + 123), frame.value() + Bytes{123});
    EXPECT_TRUE(hal::Layout::current().linear.contains({reinterpret_cast<u64>(pointer)}));
    EXPECT_EQ(hal::Memory::linear(frame.value() + page_size), pointer + page_size.value);
}

TEST(LinearWindow, ReachesTheEndsOfUsableMemory) {
    auto& kernel = boot::current_kernel();
    for (hal::MemoryRange const& range : kernel.memory_map.ranges()) {
        if (range.kind != hal::MemoryKind::usable || range.base < PhysAddr{1 << 20}) {
            continue;
        }
        auto const fault = boot::catch_fault([&range] {
            u64 const first = reinterpret_cast<u64>(hal::Memory::linear(range.base));
            static_cast<void>(*conformance::word_at({first}));
            static_cast<void>(*conformance::word_at({first + range.size.value - 8}));
        });
        EXPECT_FALSE(fault.has_value());
    }
}

TEST(LinearWindow, HoldsNothingBeyondMemory) {
    hal::Window const linear = hal::Layout::current().linear;
    VirtAddr const last = linear.base + linear.size - page_size;
    auto const fault =
        boot::catch_fault([last] { static_cast<void>(*conformance::word_at(last)); });
    ASSERT_TRUE(fault.has_value());
    EXPECT_EQ(fault->kind, hal::FaultKind::page);
    EXPECT_FALSE(fault->cause.present);
}

TEST(LinearWindow, IsNotExecutable) {
    auto const frame = conformance::zeroed_frame();
    ASSERT_TRUE(frame.has_value());
    std::byte* const code = hal::Memory::linear(frame.value());
    for (usize i = 0; i < 16; ++i) {
        code[i] = std::byte{0xc3};
    }
    auto const fault = boot::catch_fault([code] { reinterpret_cast<void (*)()>(code)(); });
    ASSERT_TRUE(fault.has_value());
    EXPECT_TRUE(fault->cause.execute);
}

TEST(LinearWindow, BarriersOrderWithoutChanging) {
    auto const frame = conformance::zeroed_frame();
    ASSERT_TRUE(frame.has_value());
    u64* const words = conformance::table_at(frame.value());
    words[0] = 1;
    hal::Memory::device_write_barrier();
    words[1] = 2;
    hal::Memory::device_read_barrier();
    EXPECT_EQ(words[0] + words[1], 3u);
}

TEST(LinearWindow, PagesAreFilledAndCopiedWholeAndNoFurther) {
    constexpr u64 words = 2 * page_size.value / sizeof(u64);
    u64* pages[2]{};
    for (u64*& each : pages) {
        auto const block = boot::current_kernel().frames->allocate(2);
        ASSERT_TRUE(block.has_value());
        each = conformance::table_at(block.value());
        for (u64 i = 0; i < 2 * words; ++i) {
            each[i] = ~i;
        }
    }
    u64* const target = &pages[0][words / 2];
    hal::Memory::zero_pages(target, page_size * 2);
    for (u64 i = 0; i < 2 * words; ++i) {
        bool const inside = i >= words / 2 && i < words / 2 + words;
        ASSERT_EQ(pages[0][i], inside ? 0 : ~i);
    }
    hal::Memory::copy_pages(target, &pages[1][words], page_size * 2);
    for (u64 i = 0; i < 2 * words; ++i) {
        bool const inside = i >= words / 2 && i < words / 2 + words;
        ASSERT_EQ(pages[0][i], inside ? ~(i + words / 2) : ~i);
        ASSERT_EQ(pages[1][i], ~i);
    }
    hal::Memory::zero_pages(target, Bytes{0}); // nothing is no harm
    EXPECT_EQ(target[0], ~words);
}
