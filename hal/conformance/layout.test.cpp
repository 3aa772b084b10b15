// The windows of the kernel's address space.
#include "hal/layout.hpp"

#include "core/boot/boot.hpp"
#include "hal/mmu.hpp"
#include "tests/support/test.hpp"

#include <array>

using namespace twofold;

namespace {

std::array<hal::Window, 4> windows() {
    hal::KernelLayout const layout = hal::Layout::current();
    return {layout.linear, layout.heap, layout.stacks, layout.views};
}

} // namespace

TEST(Layout, WindowsArePagesOfCanonicalAddresses) {
    for (hal::Window const& window : windows()) {
        EXPECT_GT(window.size.value, 0u);
        EXPECT_TRUE(is_aligned(window.base, page_size));
        EXPECT_TRUE(is_aligned(window.size.value, page_size.value));
        EXPECT_TRUE(hal::Mmu::is_canonical(window.base));
        EXPECT_TRUE(hal::Mmu::is_canonical(window.base + window.size - Bytes{1}));
    }
}

TEST(Layout, WindowsAndImageAreDisjoint) {
    auto const all = windows();
    auto const& info = boot::current_kernel().boot_info;
    for (usize a = 0; a < all.size(); ++a) {
        EXPECT_FALSE(ranges_overlap(
            all[a].base.value, all[a].size.value, info.image_base.value, info.image_size.value));
        for (usize b = 0; b < a; ++b) {
            EXPECT_FALSE(ranges_overlap(
                all[a].base.value, all[a].size.value, all[b].base.value, all[b].size.value));
        }
    }
}

TEST(Layout, TheHeapOwnsItsTopLevelSlot) {
    hal::KernelLayout const layout = hal::Layout::current();
    unsigned const top = hal::Mmu::levels - 1;
    unsigned const slot = hal::Mmu::index(layout.heap.base, top);
    EXPECT_NE(hal::Mmu::index(layout.linear.base, top), slot);
}

TEST(Layout, StaysTheSame) {
    auto const first = windows();
    auto const second = windows();
    for (usize i = 0; i < first.size(); ++i) {
        EXPECT_EQ(first[i].base, second[i].base);
        EXPECT_EQ(first[i].size, second[i].size);
        EXPECT_TRUE(first[i].contains(first[i].base));
        EXPECT_FALSE(first[i].contains(first[i].base + first[i].size));
    }
}

TEST(Layout, PointersAndAddressesAreTheSame) {
    int here = 0;
    VirtAddr const address = hal::kernel_address(&here);
    EXPECT_EQ(static_cast<void*>(hal::kernel_pointer(address)), static_cast<void*>(&here));
    EXPECT_EQ(hal::kernel_address(hal::kernel_pointer(address + Bytes{8})), address + Bytes{8});
}
