// Devices that come and go while a hosted machine runs: what the kernel sees of them, that one
// which is gone reaches nothing and is told nothing, and what ports tell.
#include "hal/controller.hpp"
#include "hal/dma.hpp"
#include "hal/io.hpp"
#include "hal/memory.hpp"
#include "hal/pci.hpp"
#include "tests/hal/hosted/probe.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>

namespace {

using namespace hosted;
using namespace hosted::test;
using hal::Pci;

constexpr hal::PciAddress port{0, 0, 2, 0}, slot{0, 2, 0, 0};
constexpr u32 all_ones = ~u32{0};
constexpr u32 slot_control_at = 0x58, slot_status_at = 0x5a, link_status_at = 0x52;
constexpr u32 memory_window_at = 0x20, message_at = 0x80;
constexpr u16 presence = 0x40, changes = 0x108;

/// Counts what it is told, and writes to memory whenever it is.
class Counter final : public PciDevice {
public:
    explicit Counter(u16 device = 0x31, bool is_simulated = false)
        : m_device(device), m_is_simulated(is_simulated) {}

    std::atomic<u32> told = 0, reached = 0, pulled_out = 0, noticed_times = 0;
    std::function<void()> notice;

    PciIdentity identity() const override { return {.device = m_device}; }
    void power_on(std::span<std::byte> registers) override { registers[0] = std::byte{0x77}; }
    void written(DeviceBus& bus, u64) override {
        ++told;
        u64 at = 0;
        std::memcpy(&at, bus.registers().data() + 8, sizeof(at));
        std::byte const mark[8] = {std::byte{0x5a}};
        reached += bus.write({at}, mark) ? 1 : 0;
    }
    void due(DeviceBus&, u64) override {}
    void connected(std::function<void()> to_call) override { notice = std::move(to_call); }
    void noticed(DeviceBus&) override { ++noticed_times; }
    void pulled() override { ++pulled_out; }
    bool needs_simulation() const override { return m_is_simulated; }
    std::vector<std::byte> save() const override { return {std::byte{1}}; }
    void load(std::span<std::byte const> state) override { ASSERT_EQ(state.size(), 1u); }

private:
    u16 m_device;
    bool m_is_simulated;
};

/// A kernel that does one thing after the other, and rests in between.
struct Stepping : Probe {
    static constexpr u8 vector = 90;

    std::atomic<bool> is_over = false;
    u32 wrong = 0;
    char const* first_wrong = "";
    u32 rounds = 0;
    VirtAddr registers{};

    void expect(bool is_true, char const* what) {
        first_wrong = is_true || wrong != 0 ? first_wrong : what;
        wrong += is_true ? 0 : 1;
    }
    static void rest() {
        static_cast<void>(hal::Interrupt::disable());
        hal::Cpu::idle();
    }
    /// Gives the device its address, as whoever finds it has to.
    void configure() {
        u32 const window = Pci::read_32(port, memory_window_at);
        u64 const base = u64{window & 0xfff0} << 16;
        Pci::write_32(slot, 0x10, static_cast<u32>(base));
        Pci::write_16(slot, 4, 6);
        registers = {reinterpret_cast<u64>(hal::Memory::linear({base}))};
    }
    void listen() {
        open_interrupts();
        hal::Message const message = hal::Controller::message({0}, {vector}).value();
        Pci::write_32(port, message_at + 4, static_cast<u32>(message.address.value));
        Pci::write_32(port, message_at + 8, 0);
        Pci::write_16(port, message_at + 12, static_cast<u16>(message.data));
        Pci::write_16(port, message_at + 2, 1);
        Pci::write_16(port, 4, 6);
        Pci::write_16(port, slot_control_at, 0x1028);
    }
};

MachineConfig with_ports(u32 ports) {
    MachineConfig config;
    config.hot_plug_ports = ports;
    return config;
}

TEST(HotPlug, IsRefusedWhereItCannotBe) {
    Probe probe;
    MemoryConsole console;
    auto const plain = make_machine(probe, console);
    EXPECT_EQ(
        plain->plug(std::make_shared<Counter>()).error(),
        "the machine has no ports that devices can be plugged into");
    auto const machine = [&] {
        MachineConfig config = with_ports(2);
        config.window = 1;
        return make_machine(probe, console, std::move(config));
    }();
    EXPECT_NE(
        machine->plug(std::make_shared<Counter>(u16{1}, true)).error().find("virtual time"),
        std::string::npos);
    EXPECT_EQ(machine->plug(std::make_shared<Counter>()).value(), 0u);
    EXPECT_EQ(machine->plug(std::make_shared<Counter>()).value(), 1u);
    EXPECT_EQ(
        machine->plug(std::make_shared<Counter>()).error(),
        "each of the machine's 2 ports has a device");
    EXPECT_EQ(machine->unplug(2), nullptr);
    EXPECT_NE(machine->unplug(0), nullptr);
    EXPECT_EQ(machine->unplug(0), nullptr);
    EXPECT_EQ(machine->plug(std::make_shared<Counter>()).value(), 0u);
    MachineConfig many = with_ports(pci_ports_max + 1);
    EXPECT_EQ(Board::create(many, console).error(), "a hosted machine has at most 8 ports, not 9");
}

TEST(HotPlug, ADeviceComesAndIsUsedAndIsGone) {
    Stepping probe;
    probe.body = [](Probe& self, hal::BootInfo const&) {
        auto& it = static_cast<Stepping&>(self);
        it.open_interrupts();
        it.expect(Pci::read_32(port, 0) == 0x0003'2f0d, "the port is there");
        it.expect(Pci::read_32(slot, 0) == all_ones, "nothing is in it");
        it.expect((Pci::read_16(port, slot_status_at) & presence) == 0, "as it says");
        it.expect(hal::Dma::domain(slot) == hal::DmaDomain{}, "so nobody reaches memory");
        Stepping::rest();
        it.expect(Pci::read_32(slot, 0) == 0x0031'2f0d, "the device has come");
        u16 const status = Pci::read_16(port, slot_status_at);
        it.expect((status & presence) != 0 && (status & changes) == changes, "as the port says");
        it.expect((Pci::read_16(port, link_status_at) & 0x2000) != 0, "its link runs");
        Pci::write_16(port, slot_status_at, changes);
        it.expect((Pci::read_16(port, slot_status_at) & changes) == 0, "that is noted");
        it.configure();
        it.expect(hal::Io::read_8(it.registers) == 0x77, "its registers are there");
        PhysAddr const memory{it.take_frame()};
        auto const domain = hal::Dma::domain(slot);
        auto const at =
            hal::Dma::map(domain, memory, page_size, hal::DmaDirection::from_device).value();
        hal::Io::write_64(it.registers + Bytes{8}, at.value);
        it.expect(*hal::Memory::linear(memory) == std::byte{0x5a}, "it reaches memory");
        *hal::Memory::linear(memory) = std::byte{};
        Stepping::rest();
        it.expect(Pci::read_32(slot, 0) == all_ones, "the device is gone");
        it.expect(hal::Io::read_32(it.registers) == all_ones, "and its registers");
        hal::Io::write_64(it.registers + Bytes{8}, at.value);
        it.expect(hal::Io::read_64(it.registers + Bytes{8}) == ~u64{0}, "what is written is lost");
        Pci::write_16(slot, 4, 6);
        it.expect(Pci::read_16(slot, 4) == 0xffff, "and so in its configuration space");
        it.expect(*hal::Memory::linear(memory) == std::byte{}, "it reaches nothing");
        it.expect((Pci::read_16(port, slot_status_at) & presence) == 0, "the port says so");
        hal::Dma::unmap(domain, at, page_size, hal::DmaDirection::from_device);
        ++it.rounds;
    };
    MemoryConsole console;
    auto const machine = make_machine(probe, console, with_ports(2));
    ASSERT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
    auto const device = std::make_shared<Counter>();
    u32 const number = machine->plug(device).value();
    device->notice();
    ASSERT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
    EXPECT_EQ(device->noticed_times, 1u);
    u32 const told = device->told;
    EXPECT_EQ(device->reached, 1u);
    EXPECT_EQ(machine->unplug(number), device);
    EXPECT_EQ(device->pulled_out, 1u);
    device->notice(); // leads nowhere
    ASSERT_EQ(machine->run().kind, Stop::Kind::exited);
    EXPECT_EQ(device->told, told);
    EXPECT_EQ(device->noticed_times, 1u);
    EXPECT_EQ(probe.rounds, 1u);
    EXPECT_EQ(probe.wrong, 0u) << probe.first_wrong;
}

TEST(HotPlug, PortsInterruptWhoListens) {
    Stepping probe;
    probe.on_interrupt = [](Probe& self, hal::Interruption const& interruption) {
        self.interrupts += interruption.vector == hal::Vector{Stepping::vector} ? 1 : 0;
        Pci::write_16(port, slot_status_at, changes);
        hal::Controller::acknowledge(interruption.vector);
    };
    probe.body = [](Probe& self, hal::BootInfo const&) {
        auto& it = static_cast<Stepping&>(self);
        it.listen();
        while (it.interrupts < 4) {
            Stepping::rest();
            static_cast<void>(hal::Interrupt::disable());
            hal::Interrupt::restore(hal::InterruptState::enabled);
        }
        ++it.rounds;
    };
    MemoryConsole console;
    auto const machine = make_machine(probe, console, with_ports(1));
    for (u32 i = 0; i < 4; ++i) {
        ASSERT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
        EXPECT_EQ(probe.interrupts, i);
        if (i % 2 == 0) {
            ASSERT_TRUE(machine->plug(std::make_shared<Counter>()).has_value());
        } else {
            ASSERT_NE(machine->unplug(0), nullptr);
        }
    }
    ASSERT_EQ(machine->run().kind, Stop::Kind::exited);
    EXPECT_EQ(probe.rounds, 1u);
}

TEST(HotPlug, CopiesAreOfAMachineWithTheSameDevices) {
    Stepping probe;
    probe.body = [](Probe& self, hal::BootInfo const&) {
        auto& it = static_cast<Stepping&>(self);
        it.open_interrupts();
        it.configure();
        Stepping::rest();
        it.expect(Pci::read_16(slot, 4) == 6, "what was written is kept");
        it.expect(hal::Io::read_8(it.registers) == 0x77, "and its registers");
        ++it.rounds;
    };
    MemoryConsole console;
    auto const machine = make_machine(probe, console, with_ports(1));
    ASSERT_TRUE(machine->plug(std::make_shared<Counter>()).has_value());
    ASSERT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
    auto const copy = machine->snapshot();
    ASSERT_TRUE(copy.has_value());
    ASSERT_NE(machine->unplug(0), nullptr);
    EXPECT_EQ(
        machine->restore(*copy).error(), "the snapshot is of a machine that has other devices");
    ASSERT_TRUE(machine->plug(std::make_shared<Counter>(u16{0x32})).has_value());
    EXPECT_FALSE(machine->restore(*copy).has_value()) << "another kind";
    ASSERT_NE(machine->unplug(0), nullptr);
    ASSERT_TRUE(machine->plug(std::make_shared<Counter>()).has_value());
    for (u32 round = 1; round < 3; ++round) {
        ASSERT_TRUE(machine->restore(*copy).has_value());
        ASSERT_EQ(machine->run().kind, Stop::Kind::exited);
        EXPECT_EQ(probe.rounds, round);
    }
    EXPECT_EQ(probe.wrong, 0u) << probe.first_wrong;
    // What is plugged in stays so where the machine starts over.
    machine->reset();
    ASSERT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
    EXPECT_EQ(probe.wrong, 0u) << probe.first_wrong;
}

TEST(HotPlug, AnyMomentIsRightForIt) {
    constexpr u32 times = 300;
    Stepping probe;
    probe.body = [](Probe& self, hal::BootInfo const&) {
        auto& it = static_cast<Stepping&>(self);
        it.open_interrupts();
        while (!it.is_over.load()) {
            u32 const identity = Pci::read_32(slot, 0);
            it.expect(identity == all_ones || identity == 0x0031'2f0d, "there or not");
            it.configure();
            hal::Io::write_32(it.registers + Bytes{16}, 1);
            ++it.rounds;
        }
    };
    MemoryConsole console;
    auto const machine = make_machine(probe, console, with_ports(1));
    std::jthread const other([&] {
        for (u32 i = 0; i < times; ++i) {
            auto const device = std::make_shared<Counter>();
            u32 const number = machine->plug(device).value();
            for (u32 spin = 0; spin < 20 && device->told == 0; ++spin) {
                std::this_thread::sleep_for(std::chrono::microseconds(50));
            }
            EXPECT_EQ(machine->unplug(number), device);
            u32 const told = device->told;
            std::this_thread::yield();
            EXPECT_EQ(device->told, told);
        }
        probe.is_over = true;
    });
    ASSERT_EQ(machine->run().kind, Stop::Kind::exited);
    EXPECT_GT(probe.rounds, 0u);
    EXPECT_EQ(probe.wrong, 0u) << probe.first_wrong;
}

} // namespace
