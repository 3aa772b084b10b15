// What the machine hands the kernel.
#include "core/boot/boot.hpp"
#include "hal/boot.hpp"
#include "tests/support/test.hpp"

using namespace twofold;

namespace {

hal::BootInfo const& info() {
    return boot::current_kernel().boot_info;
}

} // namespace

TEST(Boot, NamesTheMachineAndTheProtocol) {
    EXPECT_TRUE(info().machine == "host" || info().machine == "metal" || info().machine == "sim");
    EXPECT_FALSE(info().protocol.empty());
}

TEST(Boot, ReportsUsableMemory) {
    ASSERT_FALSE(info().memory.empty());
    u64 usable = 0;
    for (hal::MemoryRange const& range : info().memory) {
        EXPECT_LT(static_cast<usize>(range.kind), hal::memory_kind_count);
        usable += range.kind == hal::MemoryKind::usable ? range.size.value : 0;
    }
    EXPECT_GE(usable, u64{1} << 20);
}

TEST(Boot, CoversTheKernelObjectByTheStackAndImageItNames) {
    EXPECT_NE(info().image_base.value, 0u);
    EXPECT_GT(info().image_size.value, page_size.value);
    int on_stack = 0;
    auto const address = reinterpret_cast<u64>(&on_stack);
    EXPECT_GE(address, info().stack_base.value);
    EXPECT_LT(address, info().stack_base.value + info().stack_size.value);
    auto const code = reinterpret_cast<u64>(&info);
    EXPECT_GE(code, info().image_base.value);
    EXPECT_LT(code, info().image_base.value + info().image_size.value);
}

TEST(Boot, CarriesSymbolsThatNameThisKernel) {
    auto const& kernel = boot::current_kernel();
    ASSERT_TRUE(kernel.symbols.has_value());
    auto const offset = reinterpret_cast<u64>(&boot::current_kernel) - info().image_base.value;
    auto const symbol = kernel.symbols->find(offset);
    ASSERT_TRUE(symbol.has_value());
    EXPECT_EQ(symbol->name, std::string_view("twofold::boot::current_kernel"));
    EXPECT_EQ(symbol->offset, 0u);
}
