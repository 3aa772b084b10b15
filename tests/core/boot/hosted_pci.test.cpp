// The hosted machine's test device, through the kernel's own mappings.
#include "core/boot/boot.hpp"
#include "core/boot/pci.hpp"
#include "hal/io.hpp"
#include "hal/pci.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::pci;

TEST(HostedPciDevice, ItsVectorsAreProgrammed) {
    boot::Kernel& kernel = boot::current_kernel();
    auto const bus = boot::pci_bus(kernel);
    ASSERT_TRUE(bus.has_value());
    Function const* const it = bus.value()->functions.find({0, 1, 0, 0});
    ASSERT_TRUE(it != nullptr && it->msix.has_value() && it->bars.size() == 2);
    auto const registers =
        kernel.space->map_device({it->bars[0].address}, it->bars[0].size, hal::CacheMode::uncached);
    auto const memory =
        kernel.space->map_device({it->bars[1].address}, it->bars[1].size, hal::CacheMode::uncached);
    ASSERT_TRUE(registers.has_value() && memory.has_value());
    EXPECT_EQ(hal::Io::read_32(registers.value()), 0x444c'4632u);
    MsixInfo const& info = *it->msix;
    MsixTable vectors(
        memory.value() + Bytes{info.table_offset}, memory.value() + Bytes{info.pending_offset},
        info.vectors);
    for (u32 vector = 0; vector < vectors.vectors(); ++vector) {
        EXPECT_TRUE(vectors.is_masked(vector).value()); // as after a reset
        EXPECT_TRUE(vectors.set_message(vector, {0xfee0'0000, 0x40 + vector}).has_value());
    }
    EXPECT_EQ(vectors.message(7).value(), (Message{0xfee0'0000, 0x47}));
    EXPECT_TRUE(kernel.space->unmap_device(memory.value()).has_value());
    EXPECT_TRUE(kernel.space->unmap_device(registers.value()).has_value());
    boot::forget_pci(kernel);
}

TEST(HostedPciDevice, ItsSecondFunctionTakesMessages) {
    auto const bus = boot::pci_bus(boot::current_kernel());
    ASSERT_TRUE(bus.has_value());
    Function const* const it = bus.value()->functions.find({0, 1, 0, 1});
    ASSERT_TRUE(it != nullptr && it->msi.has_value());
    EXPECT_EQ(it->msi->vectors(), 4u);
    EXPECT_TRUE(it->msi->is_wide && it->msi->has_masks);
    constexpr u32 message_registers = 0x44;
    EXPECT_EQ(hal::Pci::read_32(it->where, message_registers), 0u); // nobody has set it yet
    hal::Pci::write_32(it->where, message_registers, 0xfee0'0003);
    EXPECT_EQ(hal::Pci::read_32(it->where, message_registers), 0xfee0'0000u);
    hal::Pci::write_32(it->where, message_registers, 0);
    boot::forget_pci(boot::current_kernel());
}

TEST(HostedPciDevice, TheBridgeForwardsWhatItsRegistersSay) {
    constexpr hal::PciAddress bridge{0, 0, 1, 0};
    constexpr u32 bus_numbers = 0x18;
    u32 const before = hal::Pci::read_32(bridge, bus_numbers);
    EXPECT_EQ(hal::Pci::read_16({0, 1, 0, 0}, 0), 0x2f0du);
    hal::Pci::write_32(bridge, bus_numbers, 0x0009'0900);
    EXPECT_EQ(hal::Pci::read_16({0, 1, 0, 0}, 0), 0xffffu);
    EXPECT_EQ(hal::Pci::read_16({0, 9, 0, 0}, 0), 0x2f0du);
    hal::Pci::write_32(bridge, bus_numbers, before);
    EXPECT_EQ(hal::Pci::read_16({0, 1, 0, 0}, 0), 0x2f0du);
}
