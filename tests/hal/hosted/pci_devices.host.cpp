// Devices that are plugged into the hosted machine's PCI bus: their configuration spaces, where
// their registers lie, when they may reach memory and interrupt; and what a machine refuses.
#include "hal/hosted/devices/pci_bus.hpp"
#include "hal/hosted/machine.hpp"
#include "hal/hosted/sim/device_fault_kinds.hpp"

#include <gtest/gtest.h>

namespace {

using namespace hosted;

constexpr PciAccess at(u8 device, u32 offset, u32 width, u8 function = 0) {
    return {.function = {0, 1, device, function}, .offset = offset, .width = width};
}

/// A bus with two devices, the bridge numbered as the firmware does it.
PciBus plugged_bus() {
    PciBus bus;
    bus.plug({.device = 0x20, .class_and_revision = 0x0180'0001, .subsystem = 7});
    bus.plug({.device = 0x21, .class_and_revision = 0x0280'0001, .register_bytes = 16384});
    bus.configure({.registers = {0x10'4000}, .vectors = {0x10'0000}});
    bus.place(0, {0x10'5000});
    bus.place(1, {0x10'8000});
    return bus;
}

void no_message(PhysAddr, u32) {
    FAIL() << "nothing was to be sent";
}

TEST(PciDevices, AnswerBehindTheTestDevice) {
    PciBus const bus = plugged_bus();
    EXPECT_EQ(bus.devices(), 2u);
    EXPECT_EQ(bus.read(at(0, 0, 4)), 0x0010'2f0du) << "the test device stays";
    EXPECT_EQ(bus.read(at(1, 0, 4)), 0x0020'2f0du);
    EXPECT_EQ(bus.read(at(2, 0, 4)), 0x0021'2f0du);
    EXPECT_EQ(bus.read(at(3, 0, 4)), ~0u);
    EXPECT_EQ(bus.read(at(1, 0, 4, 1)), ~0u) << "one function";
    EXPECT_EQ(bus.read(at(1, 0x2e, 2)), 7u);
    EXPECT_EQ(bus.read(at(2, 0x10, 4)), 0x10'8000u);
}

TEST(PciDevices, RegistersAreSizedAndFound) {
    PciBus bus = plugged_bus();
    bus.write(at(2, 0x10, 4), ~0u, {}, no_message);
    EXPECT_EQ(bus.read(at(2, 0x10, 4)), 0xffff'c000u);
    EXPECT_FALSE(bus.register_at({0x10'4ff8}).has_value()) << "the test device's";
    auto const first = bus.register_at({0x10'5010});
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(first->device, 0u);
    EXPECT_EQ(first->offset, 0x10u);
    EXPECT_FALSE(bus.register_at({0x10'6000}).has_value());
    EXPECT_EQ(bus.register_at({0x10'bfff})->device, 1u);
    EXPECT_FALSE(bus.register_at({0x10'c000}).has_value());
}

TEST(PciDevices, InterruptOnlyAsTheKernelWants) {
    PciBus bus = plugged_bus();
    bus.write(at(1, 0x44, 4), 0xfee0'1000, {}, no_message);
    bus.write(at(1, 0x4c, 2), 77, {}, no_message);
    EXPECT_FALSE(bus.is_master(0));
    EXPECT_FALSE(bus.message(0).has_value());
    bus.write(at(1, 0x42, 2), 1, {}, no_message);
    EXPECT_FALSE(bus.message(0).has_value()) << "no bus master";
    bus.write(at(1, 0x04, 2), 6, {}, no_message);
    EXPECT_TRUE(bus.is_master(0));
    auto const message = bus.message(0);
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->address.value, 0xfee0'1000u);
    EXPECT_EQ(message->data, 77u);
    EXPECT_FALSE(bus.message(1).has_value()) << "each for itself";
    bus.write(at(1, 0x42, 2), 0, {}, no_message);
    EXPECT_FALSE(bus.message(0).has_value());
}

/// Nothing but an identity.
class Plain final : public PciDevice {
public:
    explicit Plain(u64 register_bytes) : m_bytes(register_bytes) {}
    PciIdentity identity() const override { return {.device = 0x30, .register_bytes = m_bytes}; }
    void power_on(std::span<std::byte>) override {}
    void written(DeviceBus&, u64) override {}
    void due(DeviceBus&, u64) override {}
    std::vector<std::byte> save() const override { return {}; }
    void load(std::span<std::byte const>) override {}

private:
    u64 m_bytes;
};

class Silent final : public ConsoleEndpoint {
public:
    void write(std::string_view) override {}
    hal::ConsoleInput read() override { return {hal::InputStatus::end, '\0'}; }
    void write_result(std::span<std::byte const>) override {}
};

TEST(PciDevices, MachinesRefuseWhatTheyCannotHave) {
    Silent console;
    MachineConfig odd;
    odd.devices.push_back(std::make_shared<Plain>(5000));
    EXPECT_EQ(
        Board::create(odd, console).error(),
        "the registers of a device take a power of two from 4096 to 16384 bytes, not 5000");
    MachineConfig many;
    many.devices.assign(32, std::make_shared<Plain>(4096));
    EXPECT_EQ(
        Board::create(many, console).error(), "a hosted machine has at most 31 devices, not 32");
    MachineConfig live;
    live.devices.push_back(std::make_shared<Plain>(4096));
    auto const machine = Machine::create(live, console);
    ASSERT_FALSE(machine.has_value());
    EXPECT_NE(machine.error().find("virtual time"), std::string::npos) << machine.error();
}

TEST(DeviceFaults, AreKindsOfTheCatalogue) {
    FaultKinds const catalogue(device_fault_kinds());
    EXPECT_EQ(device_fault_kinds().size(), device_faults);
    EXPECT_EQ(catalogue.find("nvme.torn_write"), fault_id(DeviceFault::nvme_torn_write));
    EXPECT_EQ(catalogue.find("link.partition"), fault_id(DeviceFault::link_partition));
    for (FaultKind const& kind : device_fault_kinds()) {
        EXPECT_EQ(kind.unit == FaultUnit::none, kind.amount == 0) << kind.name;
        EXPECT_FALSE(kind.about.empty());
    }
}

} // namespace
