// What the bus of a hosted machine lets a device reach: what the kernel has mapped for it, in the
// direction that it was mapped in, as long as it is mapped, and nothing else.
#include "hal/dma.hpp"
#include "hal/io.hpp"
#include "hal/memory.hpp"
#include "hal/pci.hpp"
#include "tests/hal/hosted/probe.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace {

using namespace hosted;
using namespace hosted::test;
using hal::Dma;
using hal::DmaDirection;
using hal::Pci;

/// What a Reacher is told to do.
enum class Reach : u32 { read = 1, write, look, change, both };

constexpr u64 address_register = 0, bytes_register = 8, command_register = 12, answer_register = 16;
constexpr u32 refused = ~u32{0};
constexpr std::byte mark{0x5a};

/// Does one access of memory for each write to its register of commands. The answer is its first
/// byte, or `refused`.
class Reacher final : public PciDevice {
public:
    PciIdentity identity() const override { return {.device = 0x30}; }
    void power_on(std::span<std::byte>) override {}
    void written(DeviceBus& bus, u64 offset) override {
        if (offset == command_register) {
            u32 const answer = perform(bus);
            std::memcpy(bus.registers().data() + answer_register, &answer, sizeof(answer));
        }
    }
    void due(DeviceBus&, u64) override {}
    bool needs_simulation() const override { return false; }
    std::vector<std::byte> save() const override { return {}; }
    void load(std::span<std::byte const>) override {}

private:
    template<class T>
    static T get(DeviceBus& bus, u64 offset) {
        T value;
        std::memcpy(&value, bus.registers().data() + offset, sizeof(value));
        return value;
    }
    static u32 perform(DeviceBus& bus) {
        DmaAddress const at{get<u64>(bus, address_register)};
        std::vector<std::byte> buffer(get<u32>(bus, bytes_register), mark);
        auto const first = [](std::span<std::byte const> bytes) {
            return bytes.empty() ? refused : std::to_integer<u32>(bytes[0]);
        };
        switch (static_cast<Reach>(get<u32>(bus, command_register))) {
        case Reach::read:
            return bus.read(at, buffer) ? first(buffer) : refused;
        case Reach::write:
            return bus.write(at, buffer) ? first(buffer) : refused;
        case Reach::look:
            return first(bus.reach(at, buffer.size(), DmaDirection::to_device));
        case Reach::change:
            return first(bus.reach(at, buffer.size(), DmaDirection::from_device));
        case Reach::both:
            return first(bus.reach(at, buffer.size(), DmaDirection::both));
        }
        return refused;
    }
};

/// A kernel that has devices reach its memory.
struct Reaching : Probe {
    static constexpr hal::PciAddress functions[] = {{0, 1, 1, 0}, {0, 1, 2, 0}};
    static constexpr std::byte filling{0x11};

    VirtAddr registers[2]{};
    hal::DmaDomain domains[2]{};
    u32 wrong = 0;
    char const* first_wrong = "";

    void open() {
        for (u32 i = 0; i < 2; ++i) {
            u64 const base = Pci::read_32(functions[i], 0x10) & ~0xfffu;
            registers[i] = {reinterpret_cast<u64>(hal::Memory::linear({base}))};
            Pci::write_16(functions[i], 4, 6);
            domains[i] = Dma::domain(functions[i]);
        }
    }
    void expect(bool is_true, char const* what) {
        first_wrong = is_true || wrong != 0 ? first_wrong : what;
        wrong += is_true ? 0 : 1;
    }
    u32 reach(u32 device, Reach how, u64 where, u32 bytes = 64) {
        VirtAddr const at = registers[device];
        hal::Io::write_64(at + Bytes{address_register}, where);
        hal::Io::write_32(at + Bytes{bytes_register}, bytes);
        hal::Io::write_32(at + Bytes{command_register}, static_cast<u32>(how));
        return hal::Io::read_32(at + Bytes{answer_register});
    }
    bool is_refused(u32 device, u64 where, u32 bytes = 64) {
        for (Reach const how :
             {Reach::read, Reach::write, Reach::look, Reach::change, Reach::both}) {
            if (reach(device, how, where, bytes) != refused) {
                return false;
            }
        }
        return true;
    }
    /// So many frames in a row, filled.
    PhysAddr frames(u32 count) {
        PhysAddr const first{take_frame()};
        for (u32 i = 1; i < count; ++i) {
            CHECK(take_frame() == first.value + i * page_size.value);
        }
        std::memset(
            hal::Memory::linear(first), std::to_integer<int>(filling), count * page_size.value);
        return first;
    }
    u64 map(u32 device, PhysAddr at, Bytes size, DmaDirection direction) {
        return Dma::map(domains[device], at, size, direction).value().value;
    }
    void unmap(u32 device, u64 where, Bytes size, DmaDirection direction) {
        Dma::unmap(domains[device], {where}, size, direction);
    }
};

MachineConfig two_devices() {
    MachineConfig config;
    config.devices = {std::make_shared<Reacher>(), std::make_shared<Reacher>()};
    return config;
}

using Body = void (*)(Reaching& it);

/// Runs `body` as a kernel on a machine with two such devices.
void run(Body body, MachineConfig config = two_devices()) {
    Reaching probe;
    probe.argument = reinterpret_cast<void*>(body);
    probe.body = [](Probe& self, hal::BootInfo const&) {
        auto& it = static_cast<Reaching&>(self);
        it.open();
        reinterpret_cast<Body>(it.argument)(it);
    };
    ASSERT_EQ(run_probe(probe, std::move(config)).kind, Stop::Kind::exited);
    EXPECT_EQ(probe.wrong, 0u) << probe.first_wrong;
}

TEST(HostedDma, WhatIsMappedIsReachedInItsDirection) {
    run([](Reaching& it) {
        u32 const old_byte = std::to_integer<u32>(Reaching::filling);
        u32 const new_byte = std::to_integer<u32>(mark);
        PhysAddr const memory = it.frames(1);
        u64 const in = it.map(0, memory, page_size, DmaDirection::to_device);
        it.expect(it.reach(0, Reach::read, in) == old_byte, "read of what is mapped to be read");
        it.expect(it.reach(0, Reach::look, in) == old_byte, "look at what is mapped to be read");
        it.expect(it.reach(0, Reach::write, in) == refused, "write of what is to be read");
        it.expect(it.reach(0, Reach::change, in) == refused, "change of what is to be read");
        it.expect(it.reach(0, Reach::both, in) == refused, "both with what is to be read");
        it.unmap(0, in, page_size, DmaDirection::to_device);

        u64 const out = it.map(0, memory, page_size, DmaDirection::from_device);
        it.expect(it.reach(0, Reach::read, out) == refused, "read of what is to be written");
        it.expect(it.reach(0, Reach::look, out) == refused, "look at what is to be written");
        it.expect(it.reach(0, Reach::write, out) == new_byte, "write of what is to be written");
        it.expect(*hal::Memory::linear(memory) == mark, "the write arrives");
        it.expect(it.reach(0, Reach::change, out) == new_byte, "change of what is to be written");
        it.expect(it.reach(0, Reach::both, out) == refused, "both with what is to be written");
        u64 const more = it.map(0, memory, page_size, DmaDirection::to_device);
        it.expect(it.reach(0, Reach::both, more) == new_byte, "both, mapped one after the other");
        it.unmap(0, out, page_size, DmaDirection::from_device);
        it.unmap(0, more, page_size, DmaDirection::to_device);
        it.expect(it.is_refused(0, in), "all of it is unmapped");
    });
}

TEST(HostedDma, NothingElseIsReached) {
    run([](Reaching& it) {
        PhysAddr const memory = it.frames(3);
        it.expect(it.is_refused(0, memory.value), "a physical address before it is mapped");
        u64 const at = it.map(0, memory + page_size, page_size, DmaDirection::both);
        it.expect(it.is_refused(0, (memory + page_size).value), "its physical address");
        it.expect(!it.is_refused(0, at), "what is mapped");
        it.expect(it.is_refused(1, at), "a mapping of another device");
        it.expect(it.is_refused(0, at - 1), "from the byte before it on");
        it.expect(it.is_refused(0, at + page_size.value - 63), "to the byte behind it");
        it.expect(!it.is_refused(0, at + page_size.value - 64), "to its last byte");
        it.expect(it.is_refused(0, at - page_size.value, 3 * 4096), "what lies on both sides, too");
        it.expect(it.is_refused(0, dma_shift + (u64{1} << 40)), "beyond memory");
        it.expect(it.is_refused(0, ~u64{0} - 32), "an address that wraps");
        it.expect(it.is_refused(0, dma_shift - 32), "an address that comes to memory's first byte");
        Pci::write_16(Reaching::functions[0], 4, 2);
        it.expect(it.is_refused(0, at), "without being a bus master");
        Pci::write_16(Reaching::functions[0], 4, 6);
        it.unmap(0, at, page_size, DmaDirection::both);
        it.expect(it.is_refused(0, at), "after it is unmapped");
        it.expect(
            *hal::Memory::linear(memory) == Reaching::filling, "the page before is as it was");
    });
}

TEST(HostedDma, WhatIsMappedTwiceStaysUntilBothAreUndone) {
    run([](Reaching& it) {
        PhysAddr const memory = it.frames(2);
        // Two buffers that share a page.
        u64 const one = it.map(0, memory + Bytes{4000}, Bytes{200}, DmaDirection::from_device);
        u64 const other = it.map(0, memory + Bytes{100}, Bytes{64}, DmaDirection::from_device);
        it.expect(it.reach(0, Reach::write, one, 200) != refused, "a buffer on two pages");
        it.unmap(0, one, Bytes{200}, DmaDirection::from_device);
        it.expect(it.reach(0, Reach::write, one, 200) == refused, "its second page");
        it.expect(it.reach(0, Reach::write, other) != refused, "the other buffer");
        it.unmap(0, other, Bytes{64}, DmaDirection::from_device);
        it.expect(it.reach(0, Reach::write, other) == refused, "now nobody's");
    });
}

TEST(HostedDma, ACountThatIsFullIsAnErrorAndChangesNothing) {
    run([](Reaching& it) {
        PhysAddr const memory = it.frames(2);
        PhysAddr const second = memory + page_size;
        for (u32 i = 0; i < DmaTables::count_max; ++i) {
            it.map(0, second, page_size, DmaDirection::to_device);
        }
        for (auto const direction : {DmaDirection::to_device, DmaDirection::both}) {
            auto const more = Dma::map(it.domains[0], memory, page_size * 2, direction);
            it.expect(!more && more.error() == Error::no_space, "one more than can be counted");
        }
        it.expect(it.is_refused(0, memory.value + dma_shift), "the page before it is not mapped");
        u64 const at = it.map(0, second, page_size, DmaDirection::from_device);
        it.unmap(0, at, page_size, DmaDirection::from_device);
        for (u32 i = 0; i < DmaTables::count_max; ++i) {
            it.expect(it.reach(0, Reach::read, at) != refused || i % 1000 != 0, "still mapped");
            it.unmap(0, at, page_size, DmaDirection::to_device);
        }
        it.expect(it.is_refused(0, at), "none is left");
    });
}

TEST(HostedDma, OnlyMemoryCanBeMapped) {
    run([](Reaching& it) {
        auto const error_of = [&](u64 at, u64 size) {
            auto const mapped = Dma::map(it.domains[0], {at}, {size}, DmaDirection::both);
            return mapped ? Error::busy : mapped.error(); // busy: none
        };
        u64 const memory_bytes = u64{64} << 20;
        it.expect(error_of(memory_bytes, 1) == Error::out_of_range, "behind memory");
        it.expect(error_of(memory_bytes - 1, 2) == Error::out_of_range, "over its end");
        it.expect(error_of(~u64{0}, 2) == Error::out_of_range, "an end that wraps");
        it.expect(error_of(0x10'0000, 1) == Error::out_of_range, "registers of a device");
        it.expect(error_of(640 << 10, 1) == Error::out_of_range, "where a PC has its firmware");
        it.expect(error_of((640 << 10) - 1, 2) == Error::out_of_range, "into that");
    });
}

TEST(HostedDma, WhoUnmapsWhatIsNotMappedIsStopped) {
    struct Case {
        DmaDirection mapped, unmapped;
    };
    for (Case const& each :
         {Case{DmaDirection::to_device, DmaDirection::from_device},
          Case{DmaDirection::from_device, DmaDirection::to_device},
          Case{DmaDirection::to_device, DmaDirection::both}}) {
        EXPECT_DEATH(
            {
                std::vector<std::byte> bytes(dma_table_bytes(u64{1} << 20));
                DmaTables const tables(bytes.data(), u64{1} << 20);
                tables.add(3, 7, 2, each.mapped).value();
                tables.remove(3, 7, 2, each.unmapped);
            },
            "holds");
    }
}

/// Maps and unmaps the same page on all processors at once.
struct Crowd : Reaching {
    static constexpr u32 cpus = 4, times = 20'000;

    PhysAddr shared{};
    std::atomic<u32> arrived = 0, done = 0;

    void work() {
        arrived.fetch_add(1);
        while (arrived.load() != cpus) {
            hal::Cpu::pause();
        }
        for (u32 i = 0; i < times; ++i) {
            auto const direction = static_cast<DmaDirection>(1 + i % 3);
            u64 const at = map(0, shared, page_size * 2, direction);
            unmap(0, at, page_size * 2, direction);
        }
        done.fetch_add(1);
    }
};

TEST(HostedDma, SeveralProcessorsMapAtOnce) {
    Crowd probe;
    MachineConfig config = two_devices();
    config.cpus = Crowd::cpus;
    probe.on_processor = [](Probe& self) { static_cast<Crowd&>(self).work(); };
    probe.body = [](Probe& self, hal::BootInfo const& info) {
        auto& it = static_cast<Crowd&>(self);
        it.open_interrupts();
        it.open();
        it.shared = it.frames(2);
        for (u32 id = 1; id < Crowd::cpus; ++id) {
            it.start_processor(id, info).value();
        }
        it.work();
        while (it.done.load() != Crowd::cpus) {
            hal::Cpu::pause();
        }
        it.expect(it.is_refused(0, it.shared.value + dma_shift), "nothing is left");
        u64 const at = it.map(0, it.shared, page_size, DmaDirection::both);
        it.expect(!it.is_refused(0, at), "and the page can be mapped");
        it.unmap(0, at, page_size, DmaDirection::both);
        it.expect(it.is_refused(0, at), "and unmapped");
    };
    ASSERT_EQ(run_probe(probe, std::move(config)).kind, Stop::Kind::exited);
    EXPECT_EQ(probe.wrong, 0u) << probe.first_wrong;
}

/// Maps a page, says so, and goes on when there is input.
struct Kept : Reaching {
    u64 at = 0;
    u32 rounds = 0;
};

TEST(HostedDma, CopiesOfAMachineHoldWhatIsMapped) {
    Kept probe;
    probe.body = [](Probe& self, hal::BootInfo const&) {
        auto& it = static_cast<Kept&>(self);
        it.open_interrupts();
        it.open();
        PhysAddr const memory = it.frames(1);
        u64 const at = it.map(0, memory, page_size, DmaDirection::both);
        static_cast<void>(hal::Interrupt::disable());
        hal::Cpu::idle(); // the machine is copied
        it.expect(!it.is_refused(0, at), "mapped before and after");
        it.unmap(0, at, page_size, DmaDirection::both);
        it.expect(it.is_refused(0, at), "and then no more");
        ++it.rounds;
    };
    MemoryConsole console;
    auto const machine = make_machine(probe, console, two_devices());
    ASSERT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
    auto const copy = machine->snapshot();
    ASSERT_TRUE(copy.has_value()) << copy.error();
    ASSERT_EQ(machine->run().kind, Stop::Kind::exited);
    for (u32 round = 2; round < 4; ++round) {
        ASSERT_TRUE(machine->restore(*copy).has_value());
        ASSERT_EQ(machine->run().kind, Stop::Kind::exited);
        EXPECT_EQ(probe.rounds, round);
    }
    EXPECT_EQ(probe.wrong, 0u) << probe.first_wrong;
}

TEST(HostedDma, NothingIsMappedAtPowerOn) {
    for (std::byte const fill : {std::byte{}, std::byte{0xff}}) {
        Kept probe;
        probe.body = [](Probe& self, hal::BootInfo const&) {
            auto& it = static_cast<Kept&>(self);
            it.open();
            PhysAddr const memory = it.frames(1);
            it.expect(it.is_refused(0, memory.value + dma_shift), "mapped by nobody");
            it.map(0, memory, page_size, DmaDirection::both); // and never unmapped
            ++it.rounds;
        };
        MemoryConsole console;
        MachineConfig config = two_devices();
        config.memory_fill = fill;
        auto const machine = make_machine(probe, console, std::move(config));
        for (u32 round = 1; round < 4; ++round) {
            ASSERT_EQ(machine->run().kind, Stop::Kind::exited);
            EXPECT_EQ(probe.rounds, round);
            machine->reset();
        }
        EXPECT_EQ(probe.wrong, 0u) << probe.first_wrong;
    }
}

TEST(HostedDma, MapAndUnmapDoNotLeaveTheKernel) {
    struct Timed : Reaching {
        u64 cycles = 0;
    } probe;
    constexpr u32 times = 1'000'000;
    probe.body = [](Probe& self, hal::BootInfo const&) {
        auto& it = static_cast<Timed&>(self);
        it.open();
        PhysAddr const memory = it.frames(1);
        u64 const begun = hal::Cpu::cycle_counter();
        for (u32 i = 0; i < times; ++i) {
            u64 const at = it.map(0, memory, page_size, DmaDirection::from_device);
            it.unmap(0, at, page_size, DmaDirection::from_device);
        }
        it.cycles = hal::Cpu::cycle_counter() - begun;
    };
    auto const begun = std::chrono::steady_clock::now();
    u64 const from = __builtin_ia32_rdtsc();
    ASSERT_EQ(run_probe(probe, two_devices()).kind, Stop::Kind::exited);
    u64 const cycles = __builtin_ia32_rdtsc() - from;
    std::chrono::duration<double, std::nano> const passed =
        std::chrono::steady_clock::now() - begun;
    double const each =
        passed.count() / static_cast<double>(cycles) * static_cast<double>(probe.cycles) / times;
    std::printf("a map and an unmap of one page: %.1f ns\n", each);
    // Leaving the kernel alone takes longer; far from what it takes, since others may be busy.
    EXPECT_LT(each, 1000.0);
}

} // namespace
