// PCI configuration space: on machines that have a bus and on those that have none, and whatever is
// asked that makes no sense.
#include "hal/pci.hpp"

#include "hal/io.hpp"
#include "hal/layout.hpp"
#include "tests/support/test.hpp"

using namespace twofold;

namespace {

using hal::Pci;
using hal::PciAddress;

constexpr PciAddress host_bridge{};

bool reads_all_ones(PciAddress where, u32 offset) {
    return Pci::read_8(where, offset) == 0xff && Pci::read_16(where, offset) == 0xffff &&
           Pci::read_32(where, offset) == 0xffff'ffff;
}

bool has_bus() {
    return Pci::space_bytes(0, 0) != 0;
}

} // namespace

TEST(PciAccess, SpaceHasASizeThatTheSpecificationKnows) {
    for (unsigned bus = 0; bus < 256; ++bus) {
        u32 const bytes = Pci::space_bytes(0, static_cast<u8>(bus));
        EXPECT_TRUE(
            bytes == 0 || bytes == hal::pci_space_bytes || bytes == hal::pci_extended_space_bytes);
    }
    EXPECT_EQ(Pci::space_bytes(0xffff, 0), 0u);
}

TEST(PciAccess, WithoutABusAllOnesAreRead) {
    if (!has_bus()) {
        for (u8 device = 0; device < PciAddress::devices; ++device) {
            EXPECT_TRUE(reads_all_ones({0, 0, device, 0}, 0));
        }
    } else {
        EXPECT_FALSE(reads_all_ones(host_bridge, 0)); // the host bridge
    }
}

TEST(PciAccess, AllWidthsSeeTheSameBytes) {
    for (u32 offset = 0; offset < 64; offset += 4) {
        u32 const whole = Pci::read_32(host_bridge, offset);
        u32 const halves =
            Pci::read_16(host_bridge, offset) | u32{Pci::read_16(host_bridge, offset + 2)} << 16;
        u32 bytes = 0;
        for (u32 i = 0; i < 4; ++i) {
            bytes |= u32{Pci::read_8(host_bridge, offset + i)} << 8 * i;
        }
        EXPECT_EQ(halves, whole);
        EXPECT_EQ(bytes, whole);
    }
}

TEST(PciAccess, WhatIsNotThereReadsAllOnesAndIgnoresWrites) {
    constexpr PciAddress absent[] = {
        {0, 0, 32, 0}, {0, 0, 255, 0}, {0, 0, 0, 8}, {0, 0, 0, 255}, {0xffff, 0, 0, 0}};
    u32 const before = Pci::read_32(host_bridge, 4);
    for (PciAddress const where : absent) {
        EXPECT_TRUE(reads_all_ones(where, 0));
        Pci::write_8(where, 4, 0);
        Pci::write_16(where, 4, 0);
        Pci::write_32(where, 4, 0);
    }
    EXPECT_EQ(Pci::read_32(host_bridge, 4), before);
}

TEST(PciAccess, UnalignedAndOutOfRangeReadAllOnes) {
    u32 const space = Pci::space_bytes(0, 0);
    EXPECT_EQ(Pci::read_16(host_bridge, 1), 0xffffu);
    EXPECT_EQ(Pci::read_32(host_bridge, 1), 0xffff'ffffu);
    EXPECT_EQ(Pci::read_32(host_bridge, 2), 0xffff'ffffu);
    for (u32 const offset : {space, space + 4, 0x8000'0000u, 0xffff'fffcu}) {
        EXPECT_TRUE(reads_all_ones(host_bridge, offset));
    }
    EXPECT_EQ(Pci::read_8(host_bridge, 0xffff'ffff), 0xffu);
    // Neither does such a write reach the next function.
    u32 const before = Pci::read_32(host_bridge, 4);
    Pci::write_32(host_bridge, 6, 0);
    Pci::write_16(host_bridge, 5, 0);
    Pci::write_32({0, 0, 0, 0}, space + 4, 0);
    EXPECT_EQ(Pci::read_32(host_bridge, 4), before);
}

TEST(PciAccess, IdentityCannotBeWritten) {
    u32 const identity = Pci::read_32(host_bridge, 0);
    Pci::write_32(host_bridge, 0, ~identity);
    Pci::write_16(host_bridge, 0, 0x5555);
    Pci::write_8(host_bridge, 3, 0x55);
    EXPECT_EQ(Pci::read_32(host_bridge, 0), identity);
}

TEST(PciAccess, AByteIsWrittenAlone) {
    if (!has_bus()) {
        return;
    }
    // The line register is 8 bits that mean nothing to the hardware, where a function has it.
    for (u8 device = 0; device < PciAddress::devices; ++device) {
        PciAddress const where{0, 0, device, 0};
        constexpr u32 line = 0x3c;
        u32 const before = Pci::read_32(where, line);
        Pci::write_8(where, line, static_cast<u8>(~before));
        u32 const after = Pci::read_32(where, line);
        EXPECT_EQ(after >> 8, before >> 8);
        Pci::write_8(where, line, static_cast<u8>(before));
        EXPECT_EQ(Pci::read_32(where, line), before);
    }
}

TEST(PciAccess, ImpossibleWindowsAreRefused) {
    VirtAddr const views = hal::Layout::current().views.base;
    EXPECT_EQ(Pci::attach({views, 7, 2, 1}).error(), Error::invalid_argument);
    EXPECT_EQ(Pci::attach({views + Bytes{16}, 7, 0, 1}).error(), Error::invalid_argument);
    EXPECT_EQ(Pci::space_bytes(7, 0), 0u);
    if (Pci::space_bytes(0, 0) == hal::pci_extended_space_bytes) { // reached already
        Result<void> const again = Pci::attach({views, 0, 0, 0});
        ASSERT_FALSE(again.has_value());
        EXPECT_TRUE(
            again.error() == Error::already_exists || again.error() == Error::not_supported);
    }
}

TEST(DeviceAccess, EveryWidthReadsWhatWasWritten) {
    alignas(8) u64 registers[2] = {0, ~u64{0}};
    VirtAddr const at = hal::kernel_address(registers);
    hal::Io::write_64(at, 0x1122'3344'5566'7788);
    EXPECT_EQ(hal::Io::read_64(at), 0x1122'3344'5566'7788u);
    EXPECT_EQ(hal::Io::read_32(at + Bytes{4}), 0x1122'3344u);
    EXPECT_EQ(hal::Io::read_16(at + Bytes{2}), 0x5566u);
    EXPECT_EQ(hal::Io::read_8(at + Bytes{7}), 0x11u);
    hal::Io::write_8(at, 0xaa);
    hal::Io::write_16(at + Bytes{2}, 0xbbcc);
    hal::Io::write_32(at + Bytes{4}, 0xddee'ff00);
    EXPECT_EQ(registers[0], 0xddee'ff00'bbcc'77aau);
    EXPECT_EQ(registers[1], ~u64{0});
}
