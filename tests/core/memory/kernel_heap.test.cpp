// The kernel's own heap: over the heap window, behind pages of the kernel's space, one cache a
// processor.
#include "core/boot/boot.hpp"
#include "core/memory/memory.hpp"
#include "tests/support/test.hpp"

namespace twofold::memory {
namespace {

using namespace twofold::literals;

KernelHeap& heap() {
    return *boot::current_kernel().heap;
}

TEST(KernelHeap, LiesInItsWindow) {
    hal::Window const window = hal::Layout::current().heap;
    std::byte* const block = heap().allocate(100_B, 64_B).value();
    VirtAddr const at = hal::kernel_address(block);
    EXPECT_TRUE(window.contains(at));
    EXPECT_TRUE(is_aligned(at, 64_B));
    block[0] = block[99] = std::byte{0x5a};
    EXPECT_TRUE(heap().free(block).has_value());
    EXPECT_TRUE(heap().verify().has_value());
}

TEST(KernelHeap, TakesFramesAndGivesThemBack) {
    boot::Kernel& kernel = boot::current_kernel();
    heap().trim();
    u64 const before = kernel.frames->statistics().free_frames;
    constexpr Bytes large = 1_MiB;
    std::byte* const block = heap().allocate(large, page_size).value();
    std::span<std::byte> const bytes(block, large.value);
    for (usize at = 0; at < large.value; at += page_size.value) {
        bytes[at] = std::byte{1};
    }
    u64 const during = kernel.frames->statistics().free_frames;
    EXPECT_TRUE(before - during >= large / page_size);
    EXPECT_TRUE(kernel.space->space().check().has_value());
    EXPECT_TRUE(heap().free(block).has_value());
    heap().trim();
    u64 const after = kernel.frames->statistics().free_frames;
    EXPECT_TRUE(before - after <= 64); // tables of pages and of the heap stay
    EXPECT_TRUE(heap().verify().has_value());
}

TEST(KernelHeap, RefusesWhatItDoesNotOwn) {
    std::byte* const block = heap().allocate(64_B, 16_B).value();
    std::byte local{};
    EXPECT_EQ(heap().free(&local).error(), Error::out_of_range);
    EXPECT_EQ(heap().free(block + 16).error(), Error::invalid_argument);
    EXPECT_TRUE(heap().free(block).has_value());
    EXPECT_EQ(heap().free(block).error(), Error::invalid_state);
    EXPECT_EQ(heap().allocate({0}, 16_B).error(), Error::invalid_argument);
    EXPECT_EQ(heap().allocate({~u64{0}}, 16_B).error(), Error::out_of_memory);
}

namespace {

/// Takes blocks of many lengths and gives them back; returns how many frames they took.
u64 take_many_blocks(boot::Kernel& kernel) {
    u64 const before = kernel.frames->statistics().free_frames;
    Vector<std::byte*, KernelHeap> blocks(heap());
    for (u64 size = 1; size <= 60'000; size += 1 + size / 16) {
        std::byte* const block = heap().allocate({size}, 16_B).value();
        block[size - 1] = static_cast<std::byte>(size);
        EXPECT_TRUE(blocks.push(block).has_value());
    }
    EXPECT_TRUE(heap().verify().has_value());
    EXPECT_GT(blocks.size(), 100u);
    u64 const taken = before - kernel.frames->statistics().free_frames;
    while (!blocks.empty()) {
        EXPECT_TRUE(heap().free(blocks.pop()).has_value());
    }
    return taken;
}

} // namespace

TEST(KernelHeap, GivesBackWhatManyBlocksTook) {
    boot::Kernel& kernel = boot::current_kernel();
    // This processor's cache makes a magazine for each length once, and keeps it.
    static_cast<void>(take_many_blocks(kernel));
    heap().trim();
    u64 const before = kernel.frames->statistics().free_frames;
    Bytes const held = heap().statistics().committed;
    u64 const taken = take_many_blocks(kernel);
    heap().trim();
    EXPECT_GT(taken, 100u);
    EXPECT_EQ(heap().statistics().committed, held);
    // Only page tables stay.
    EXPECT_TRUE(before - kernel.frames->statistics().free_frames <= 8);
    EXPECT_TRUE(heap().verify().has_value());
    EXPECT_TRUE(kernel.space->space().check().has_value());
}

TEST(KernelHeap, EndsWithAnErrorWhenMemoryDoes) {
    boot::Kernel& kernel = boot::current_kernel();
    heap().trim();
    u64 const before = kernel.frames->statistics().free_frames;
    Bytes const more = page_size * (before + 1);
    EXPECT_EQ(heap().allocate(more, 16_B).error(), Error::out_of_memory);
    EXPECT_TRUE(heap().verify().has_value());
    EXPECT_TRUE(kernel.space->space().check().has_value());
    heap().trim();
    EXPECT_TRUE(before - kernel.frames->statistics().free_frames <= 64); // page tables
}

} // namespace
} // namespace twofold::memory
