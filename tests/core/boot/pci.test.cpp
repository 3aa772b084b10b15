// The machine's own PCI bus, where it has one.
#include "core/boot/pci.hpp"

#include "core/boot/boot.hpp"
#include "hal/pci.hpp"
#include "tests/support/test.hpp"

using namespace twofold;

TEST(PciMachine, ItsBusIsEnumeratedOnceUntilItIsForgotten) {
    boot::Kernel& kernel = boot::current_kernel();
    auto const bus = boot::pci_bus(kernel);
    ASSERT_TRUE(bus.has_value());
    EXPECT_TRUE(bus.value()->outcome.has_value());
    EXPECT_EQ(boot::pci_bus(kernel).value(), bus.value());
    auto const functions = bus.value()->functions.functions();
    EXPECT_EQ(functions.empty(), hal::Pci::space_bytes(0, 0) == 0);
    for (pci::Function const& each : functions) {
        EXPECT_TRUE(each.defects.empty());
        EXPECT_EQ(hal::Pci::read_16(each.where, 0), each.header.vendor);
        for (pci::Bar const& bar : each.bars) {
            EXPECT_TRUE(is_power_of_two(bar.size.value));
            EXPECT_EQ(bar.address % bar.size.value, 0u);
        }
    }
    boot::forget_pci(kernel);
    EXPECT_EQ(kernel.pci, nullptr);
}
