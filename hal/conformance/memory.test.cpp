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

TEST(LinearWindow, BulkIsFilledAndCopiedWholeAndNoFurther) {
    constexpr unsigned order = 8; // 1 MiB: past the caches as well as through them
    constexpr u64 bytes = page_size.value << order;
    std::byte* blocks[2]{};
    PhysAddr frames[2]{};
    for (usize i = 0; i < 2; ++i) {
        auto const block = boot::current_kernel().frames->allocate(order);
        ASSERT_TRUE(block.has_value());
        frames[i] = block.value();
        blocks[i] = hal::Memory::linear(block.value());
    }
    std::span<std::byte> const target(blocks[0], bytes);
    std::span<std::byte> const source(blocks[1], bytes);
    for (u64 i = 0; i < bytes; ++i) {
        source[i] = static_cast<std::byte>(i * 31 >> 3);
    }
    constexpr u64 word = 0x8877'6655'4433'2211;
    // Every byte around the ends, some of the others.
    auto const is_near = [](u64 at, u64 end) {
        return at < 160 || (at + 80 > end && at < end + 80);
    };
    for (u64 const size : {u64{0}, u64{8}, u64{64}, u64{4096}, bytes - 128, bytes - 200}) {
        for (u64 const offset : {u64{0}, u64{8}, u64{64}, u64{72}}) {
            hal::Memory::fill_bulk(target.data(), word, {bytes});
            hal::Memory::fill_bulk(target.subspan(offset).data(), 0, {size});
            for (u64 i = 0; i < bytes; i += is_near(i, offset + size) ? 1 : 61) {
                bool const inside = i >= offset && i < offset + size;
                ASSERT_EQ(static_cast<u64>(target[i]), inside ? 0 : word >> i % 8 * 8 & 0xff);
            }
        }
    }
    for (u64 const size : {u64{0}, u64{1}, u64{63}, u64{4099}, bytes - 200, bytes - 131}) {
        for (u64 const offset : {u64{0}, u64{1}, u64{63}, u64{66}}) {
            hal::Memory::fill_bulk(target.data(), 0, {bytes});
            hal::Memory::copy_bulk(target.subspan(offset).data(), source.subspan(5).data(), {size});
            for (u64 i = 0; i < bytes; i += is_near(i, offset + size) ? 1 : 61) {
                bool const inside = i >= offset && i < offset + size;
                ASSERT_EQ(target[i], inside ? source[i - offset + 5] : std::byte{0});
            }
        }
    }
    for (PhysAddr const frame : frames) {
        boot::current_kernel().frames->free(frame, order).value();
    }
}
