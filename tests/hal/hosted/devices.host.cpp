// How devices of the hosted machine raise interrupts: lines by edge and level, and the messages of
// the PCI test device, with everything that holds them back.
#include "hal/controller.hpp"
#include "hal/hosted/devices/line_controller.hpp"
#include "hal/interrupt.hpp"
#include "hal/io.hpp"
#include "hal/memory.hpp"
#include "hal/pci.hpp"
#include "tests/hal/hosted/probe.hpp"

#include <gtest/gtest.h>

namespace {

using namespace hosted;
using namespace hosted::test;
using namespace twofold;
using hal::Controller;
using hal::Pci;
using hal::Trigger;

TEST(LineController, AnEdgeRaisesOnceAndIsLostWhileMasked) {
    LineController lines;
    EXPECT_FALSE(lines.drive(3, true).has_value()) << "not routed";
    lines.drive(3, false);
    lines.route(3, {{80}, 2, Trigger::edge});
    EXPECT_FALSE(lines.drive(3, true).has_value()) << "still masked";
    EXPECT_FALSE(lines.set_masked(3, false).has_value()) << "that edge was lost";
    EXPECT_FALSE(lines.drive(3, true).has_value()) << "no edge";
    EXPECT_FALSE(lines.drive(3, false).has_value());
    auto const raised = lines.drive(3, true);
    ASSERT_TRUE(raised.has_value());
    EXPECT_EQ(raised->vector, hal::Vector{80});
    EXPECT_EQ(raised->slot, 2u);
}

TEST(LineController, ALevelRaisesUntilItIsReleased) {
    LineController lines;
    lines.route(5, {{90}, 1, Trigger::level});
    EXPECT_FALSE(lines.drive(5, true).has_value());
    EXPECT_TRUE(lines.set_masked(5, false).has_value()) << "a level stays";
    EXPECT_FALSE(lines.drive(5, true).has_value()) << "not before it was acknowledged";
    u32 again = 0;
    auto const count = [&](LineRoute const&) { ++again; };
    lines.end({91}, count);
    EXPECT_EQ(again, 0u) << "another vector";
    lines.end({90}, count);
    EXPECT_EQ(again, 1u);
    EXPECT_FALSE(lines.drive(5, false).has_value());
    lines.end({90}, count);
    EXPECT_EQ(again, 1u);
    EXPECT_TRUE(lines.drive(5, true).has_value());
}

/// A kernel that uses the test device.
struct Device : Probe {
    static constexpr hal::PciAddress first{0, 1, 0, 0}, second{0, 1, 0, 1};
    static constexpr u16 decode_and_master = 6;

    VirtAddr registers, table;
    u32 counts[256] = {};
    u32 wrong = 0;

    void open() {
        open_interrupts();
        // Where the linear window shows them: this machine knows no caches.
        registers = view(Pci::read_32(first, 0x10) & ~0xfffu);
        table = view(Pci::read_32(first, 0x18) & ~0xfffu);
        Pci::write_16(first, 4, decode_and_master);
        Pci::write_16(second, 4, decode_and_master);
    }
    static VirtAddr view(u64 address) {
        return {reinterpret_cast<u64>(hal::Memory::linear({address}))};
    }
    void expect(u8 vector, u32 count) { wrong += counts[vector] == count ? 0 : 1; }
    void write(VirtAddr base, u64 offset, u32 value) {
        hal::Io::write_32(base + Bytes{offset}, value);
    }
    void set_entry_of_table(u32 index, u8 vector, bool masked) {
        hal::Message const message = Controller::message({0}, {vector}).value();
        write(table, index * 16, static_cast<u32>(message.address.value));
        write(table, index * 16 + 4, 0);
        write(table, index * 16 + 8, message.data);
        write(table, index * 16 + 12, masked ? 1 : 0);
    }
};

void count(Probe& probe, hal::Interruption const& interruption) {
    auto& device = static_cast<Device&>(probe);
    ++device.counts[interruption.vector.value];
    if (device.counts[120] >= 3) { // a level: its device lets go after the third time
        device.write(device.registers, pci_drive_line, 0);
    }
    Controller::acknowledge(interruption.vector);
}

TEST(HostedDevices, MessagesOfTheTableAreHeldBackAndSent) {
    Device device;
    device.on_interrupt = count;
    device.body = [](Probe& probe, hal::BootInfo const&) {
        auto& it = static_cast<Device&>(probe);
        it.open();
        it.set_entry_of_table(2, 100, false);
        it.write(it.registers, pci_raise_vector, 2);
        it.expect(100, 0); // the capability is off: nothing is noted
        Pci::write_16(Device::first, 0x52, 0x8007);
        it.write(it.registers, pci_raise_vector, 2);
        it.expect(100, 1);
        it.write(it.registers, pci_raise_vector, 8); // no such vector
        it.set_entry_of_table(2, 100, true);
        it.write(it.registers, pci_raise_vector, 2);
        it.expect(100, 1);
        it.wrong += hal::Io::read_64(it.table + Bytes{0x2000}) == 4 ? 0 : 1;
        it.write(it.table, 2 * 16 + 12, 0); // unmasked: the pending one goes
        it.expect(100, 2);
        it.wrong += hal::Io::read_64(it.table + Bytes{0x2000}) == 0 ? 0 : 1;
        Pci::write_16(Device::first, 0x52, 0xc007); // the whole function is masked
        it.write(it.registers, pci_raise_vector, 2);
        it.expect(100, 2);
        Pci::write_16(Device::first, 4, 2); // and is no bus master
        Pci::write_16(Device::first, 0x52, 0x8007);
        it.expect(100, 2);
        Pci::write_16(Device::first, 4, Device::decode_and_master);
        it.expect(100, 3);
    };
    ASSERT_EQ(run_probe(device).kind, Stop::Kind::exited);
    EXPECT_EQ(device.wrong, 0u);
    EXPECT_EQ(device.counts[100], 3u);
}

TEST(HostedDevices, MessagesOfTheSecondFunctionShareWhatTheyAreGiven) {
    Device device;
    device.on_interrupt = count;
    device.body = [](Probe& probe, hal::BootInfo const&) {
        auto& it = static_cast<Device&>(probe);
        it.open();
        hal::Message const message = Controller::message({0}, {104}).value();
        Pci::write_32(Device::second, 0x44, static_cast<u32>(message.address.value));
        Pci::write_32(Device::second, 0x48, 0);
        Pci::write_16(Device::second, 0x4c, static_cast<u16>(message.data));
        Pci::write_16(Device::second, 0x42, 0x0011); // two messages, enabled
        it.write(it.registers, pci_raise_message, 0);
        it.write(it.registers, pci_raise_message, 1);
        it.write(it.registers, pci_raise_message, 3);
        it.expect(104, 1);
        it.expect(105, 2);
        Pci::write_32(Device::second, 0x50, 1);
        it.write(it.registers, pci_raise_message, 0);
        it.expect(104, 1);
        it.wrong += Pci::read_32(Device::second, 0x54) == 1 ? 0 : 1;
        Pci::write_32(Device::second, 0x50, 0);
        it.expect(104, 2);
        Pci::write_32(Device::second, 0x44, 0x1000); // no message: a write to nowhere
        it.write(it.registers, pci_raise_message, 0);
        it.expect(104, 2);
    };
    ASSERT_EQ(run_probe(device).kind, Stop::Kind::exited);
    EXPECT_EQ(device.wrong, 0u);
}

TEST(HostedDevices, ALevelComesAgainUntilTheDeviceLetsGo) {
    Device device;
    device.on_interrupt = count;
    device.body = [](Probe& probe, hal::BootInfo const&) {
        auto& it = static_cast<Device&>(probe);
        it.wrong += Controller::mask({0}).error() == Error::invalid_state ? 0 : 1;
        it.open();
        hal::Route const route{.vector = {120}, .target = {0}, .trigger = Trigger::level};
        it.wrong += Controller::route({pci_test_line}, route) ? 0 : 1;
        it.write(it.registers, pci_drive_line, 1);
        it.expect(120, 0);
        it.wrong += Controller::unmask({pci_test_line}) ? 0 : 1;
        it.expect(120, 3);
        it.write(it.registers, pci_drive_line, 1);
        it.expect(120, 4);
    };
    ASSERT_EQ(run_probe(device).kind, Stop::Kind::exited);
    EXPECT_EQ(device.wrong, 0u);
}

} // namespace
