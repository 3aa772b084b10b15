// Ports: those that nobody answers at, and a device where there is one.
#include "hal/io.hpp"
#include "hal/pci.hpp"
#include "tests/support/test.hpp"

using namespace twofold;

namespace {

using hal::Io;

/// Below 0x100, where PCs have what they had first, and unused there; and at the end.
constexpr u16 unused[] = {0x00e4, 0xfff0};

} // namespace

TEST(PortAccess, NobodyReadsAllOnesAndTakesWrites) {
    for (u16 const port : unused) {
        EXPECT_EQ(Io::read_port_8(port), 0xffu);
        EXPECT_EQ(Io::read_port_16(port), 0xffffu);
        EXPECT_EQ(Io::read_port_32(port), 0xffff'ffffu);
        Io::write_port_8(port, 0x12);
        Io::write_port_16(port, 0x1234);
        Io::write_port_32(port, 0x1234'5678);
        EXPECT_EQ(Io::read_port_32(port), 0xffff'ffffu);
    }
}

TEST(PortAccess, ADeviceAnswersInTheLowestByteOfEveryWidth) {
    // Machines with a PCI bus are PCs with a keyboard controller. What is behind the next port, its
    // status says once more or nobody, is each machine's own affair.
    constexpr u16 status_port = 0x64;
    if (hal::Pci::space_bytes(0, 0) == 0) {
        EXPECT_EQ(Io::read_port_8(status_port), 0xffu);
        return;
    }
    u8 const status = Io::read_port_8(status_port);
    EXPECT_NE(status, 0xffu);
    EXPECT_EQ(Io::read_port_16(status_port) & 0xff, status);
    EXPECT_EQ(Io::read_port_32(status_port) & 0xff, status);
}
