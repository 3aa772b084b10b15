// The hosted machine as a whole: it boots a kernel with what it promises, stops when it should,
// refuses what it cannot do, and is copied and restored exactly.
#include "hal/hosted/machine.hpp"

#include "hal/console.hpp"
#include "hal/context.hpp"
#include "hal/cpu.hpp"
#include "hal/entropy.hpp"
#include "hal/interrupt.hpp"
#include "hal/memory.hpp"
#include "hal/power.hpp"
#include "tests/hal/hosted/probe.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace {

using namespace hosted;
using namespace hosted::test;
using namespace twofold;

/// A machine whose entropy is known, beside others.
MachineConfig config_in_window(unsigned window) {
    MachineConfig config;
    config.memory_bytes = u64{8} << 20;
    config.window = window;
    config.entropy = [](std::span<std::byte> bytes) { std::ranges::fill(bytes, std::byte{9}); };
    return config;
}

TEST(HostedMachine, ExitsWithTheKernelsStatus) {
    Probe probe;
    probe.body = [](Probe&, hal::BootInfo const&) { hal::Power::exit(42); };
    Stop const stop = run_probe(probe);
    EXPECT_EQ(stop.kind, Stop::Kind::exited);
    EXPECT_EQ(stop.status, 42);
}

TEST(HostedMachine, AnswersReset) {
    Probe probe;
    u64 runs = 0;
    probe.argument = &runs;
    probe.body = [](Probe& self, hal::BootInfo const&) {
        std::byte* const word = hal::Memory::linear({0x8000});
        if (*word != std::byte{0}) {
            hal::Power::exit(1); // memory was not cleared
        }
        *word = std::byte{1};
        if (++*static_cast<u64*>(self.argument) == 1) {
            hal::Power::reset();
        }
    };
    MemoryConsole console;
    auto const machine = make_machine(probe, console);
    EXPECT_EQ(machine->run().kind, Stop::Kind::reset);
    machine->reset();
    Stop const stop = machine->run();
    EXPECT_EQ(stop.kind, Stop::Kind::exited);
    EXPECT_EQ(stop.status, 0);
    EXPECT_EQ(runs, 2u);
}

TEST(HostedMachine, HoldsWhatItIsFilledWithAtEachPowerOn) {
    Probe probe;
    u64 runs = 0;
    probe.argument = &runs;
    probe.body = [](Probe& self, hal::BootInfo const& boot) {
        for (u64 const at : {u64{0x8000}, boot.memory.back().base.value + 0x5000}) {
            std::byte* const word = hal::Memory::linear({at});
            if (*word != std::byte{0xa5}) {
                hal::Power::exit(1); // the firmware left it, so it is as it was
            }
            *word = std::byte{1};
        }
        if (++*static_cast<u64*>(self.argument) < 3) {
            hal::Power::reset();
        }
    };
    MemoryConsole console;
    MachineConfig config;
    config.memory_fill = std::byte{0xa5};
    auto const machine = make_machine(probe, console, config);
    for (u32 run = 1; run < 3; ++run) {
        EXPECT_EQ(machine->run().kind, Stop::Kind::reset);
        machine->reset();
    }
    Stop const stop = machine->run();
    EXPECT_EQ(stop.kind, Stop::Kind::exited);
    EXPECT_EQ(stop.status, 0);
    EXPECT_EQ(runs, 3u);
}

TEST(HostedMachine, HandsOverWhatItWasMadeWith) {
    struct Seen : Probe {
        bool machine_is_host, stack_is_here, maps_are_sorted, linear_works;
        u64 usable, total, module_size, modules;
        char module_name[16], module_bytes[8];
        u64 image_base, image_size;
    };
    Seen seen{};
    seen.body = [](Probe& self, hal::BootInfo const& info) {
        auto& out = static_cast<Seen&>(self);
        out.machine_is_host = info.machine == "host" && info.protocol == "hosted";
        u64 const here = reinterpret_cast<u64>(__builtin_frame_address(0));
        out.stack_is_here = here - info.stack_base.value < info.stack_size.value;
        out.maps_are_sorted = true;
        u64 end = 0;
        for (hal::MemoryRange const& range : info.memory) {
            out.maps_are_sorted = out.maps_are_sorted && range.base.value == end;
            end = range.base.value + range.size.value;
            out.usable += range.kind == hal::MemoryKind::usable ? range.size.value : 0;
        }
        out.total = end;
        out.modules = info.modules.size();
        for (hal::Module const& module : info.modules) {
            out.module_size = module.size.value;
            module.name.copy(out.module_name, sizeof(out.module_name) - 1);
            __builtin_memcpy(out.module_bytes, hal::Memory::linear(module.base), 5);
        }
        std::byte* const word = hal::Memory::linear({0x9000});
        *word = std::byte{7};
        out.linear_works = hal::Memory::physical(word) == PhysAddr{0x9000};
        out.image_base = info.image_base.value;
        out.image_size = info.image_size.value;
    };
    char const text[] = "hello";
    MachineConfig config;
    config.memory_bytes = (u64{33} << 20) + 4096; // not a multiple of a large page
    config.modules.push_back({"first", {}});
    config.modules.push_back({"data.bin", {}});
    config.modules.back().bytes.assign(
        reinterpret_cast<std::byte const*>(text), reinterpret_cast<std::byte const*>(text) + 5);
    ASSERT_EQ(run_probe(seen, config).kind, Stop::Kind::exited);
    EXPECT_TRUE(seen.machine_is_host);
    EXPECT_TRUE(seen.stack_is_here);
    EXPECT_TRUE(seen.maps_are_sorted);
    EXPECT_TRUE(seen.linear_works);
    EXPECT_EQ(seen.total, config.memory_bytes);
    EXPECT_GT(seen.usable, u64{30} << 20);
    EXPECT_EQ(seen.modules, 2u);
    EXPECT_EQ(seen.module_size, 5u);
    EXPECT_STREQ(seen.module_name, "data.bin");
    EXPECT_STREQ(seen.module_bytes, "hello");
    EXPECT_EQ(seen.image_base, Image::self().base);
    u64 const code = reinterpret_cast<u64>(&run_probe);
    EXPECT_LT(code - seen.image_base, seen.image_size);
}

TEST(HostedMachine, WaitsForInputAndGoesOn) {
    Probe probe;
    probe.body = [](Probe&, hal::BootInfo const&) {
        while (true) {
            hal::ConsoleInput const input = hal::Console::read();
            if (input.status == hal::InputStatus::end) {
                return;
            }
            if (input.status == hal::InputStatus::none) {
                hal::Cpu::idle();
                continue;
            }
            hal::Console::write({&input.byte, 1});
            char const doubled[2] = {input.byte, input.byte};
            hal::Console::write_result(std::as_bytes(std::span(doubled)));
        }
    };
    MemoryConsole console;
    auto const machine = make_machine(probe, console);
    EXPECT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
    EXPECT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
    console.type("ab");
    EXPECT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
    EXPECT_EQ(console.output, "ab");
    console.type("c");
    console.ended = true;
    EXPECT_EQ(machine->run().kind, Stop::Kind::exited);
    EXPECT_EQ(console.output, "abc");
    EXPECT_EQ(console.results, "aabbcc");
}

TEST(HostedMachine, WritesMoreThanOneTransfer) {
    Probe probe;
    probe.body = [](Probe&, hal::BootInfo const&) {
        char text[10'000];
        for (usize i = 0; i < sizeof(text); ++i) {
            text[i] = static_cast<char>('a' + i % 26);
        }
        hal::Console::write({text, sizeof(text)});
        hal::Console::write({});
    };
    MemoryConsole console;
    EXPECT_EQ(make_machine(probe, console)->run().kind, Stop::Kind::exited);
    ASSERT_EQ(console.output.size(), 10'000u);
    for (usize i = 0; i < console.output.size(); ++i) {
        ASSERT_EQ(console.output[i], static_cast<char>('a' + i % 26));
    }
}

TEST(HostedMachine, DrawsEntropyFromItsConfiguration) {
    struct Seen : Probe {
        std::byte bytes[5000];
    };
    Seen seen{};
    seen.body = [](Probe& self, hal::BootInfo const&) {
        hal::Entropy::fill(static_cast<Seen&>(self).bytes);
    };
    MachineConfig config;
    config.entropy = [](std::span<std::byte> bytes) { std::ranges::fill(bytes, std::byte{0x5A}); };
    ASSERT_EQ(run_probe(seen, config).kind, Stop::Kind::exited);
    EXPECT_EQ(std::ranges::count(seen.bytes, std::byte{0x5A}), 5000);
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    EXPECT_LT(std::ranges::count(seen.bytes, std::byte{0x5A}), 200);
}

TEST(HostedMachine, KnowsItsProcessor) {
    struct Seen : Probe {
        u32 id, count;
        bool pointer_kept, nested, counter_advances;
        hal::InterruptState at_start, inside;
        char vendor[17];
    };
    Seen seen{};
    seen.body = [](Probe& self, hal::BootInfo const&) {
        auto& out = static_cast<Seen&>(self);
        out.id = hal::Cpu::id().value;
        out.count = hal::Cpu::count();
        out.pointer_kept = hal::Cpu::per_cpu() == &self;
        out.at_start = hal::Interrupt::state();
        hal::Interrupt::restore(hal::InterruptState::enabled);
        hal::InterruptState const outer = hal::Interrupt::disable();
        hal::InterruptState const inner = hal::Interrupt::disable();
        out.inside = hal::Interrupt::state();
        hal::Interrupt::restore(inner);
        out.nested = hal::Interrupt::state() == hal::InterruptState::disabled;
        hal::Interrupt::restore(outer);
        out.nested = out.nested && hal::Interrupt::state() == hal::InterruptState::enabled;
        u64 const first = hal::Cpu::cycle_counter();
        hal::Cpu::pause();
        out.counter_advances = hal::Cpu::cycle_counter() >= first;
        hal::CpuDescription const description = hal::Cpu::describe();
        __builtin_memcpy(out.vendor, description.vendor, 16);
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    EXPECT_EQ(seen.id, 0u);
    EXPECT_EQ(seen.count, 1u);
    EXPECT_TRUE(seen.pointer_kept);
    EXPECT_TRUE(seen.nested);
    EXPECT_TRUE(seen.counter_advances);
    EXPECT_EQ(seen.at_start, hal::InterruptState::disabled);
    EXPECT_EQ(seen.inside, hal::InterruptState::disabled);
    EXPECT_EQ(std::string_view(seen.vendor).size(), 12u);
}

struct PingPong : Probe {
    hal::Context main, other;
    u64 order[8];
    usize count;
};

void play(void* raw) {
    auto& game = *static_cast<PingPong*>(raw);
    for (u64 round = 0;; ++round) {
        game.order[game.count++] = 100 + round;
        if (round == 1) { // also from a stack that is not the boot stack
            hal::Console::write("from the other stack\n");
        }
        switch_stacks(game.other, game.main);
    }
}

TEST(HostedMachine, SwitchesBetweenStacks) {
    PingPong game{};
    game.body = [](Probe& self, hal::BootInfo const& info) {
        auto& it = static_cast<PingPong&>(self);
        constexpr u64 size = 64 << 10;
        u64 const base = info.stack_base.value + (u64{16} << 20);
        for (u64 offset = 0; offset < size; offset += page_size.value) {
            it.map(base + offset, it.take_frame(), hal::Access::write);
        }
        it.other.create({reinterpret_cast<std::byte*>(base), size}, play, &it);
        for (u64 round = 0; round < 3; ++round) {
            it.order[it.count++] = round;
            switch_stacks(it.main, it.other);
        }
    };
    MemoryConsole console;
    ASSERT_EQ(make_machine(game, console)->run().kind, Stop::Kind::exited);
    u64 const expected[] = {0, 100, 1, 101, 2, 102};
    ASSERT_EQ(game.count, std::size(expected));
    EXPECT_TRUE(std::equal(std::begin(expected), std::end(expected), game.order));
    EXPECT_EQ(console.output, "from the other stack\n");
}

struct BadConfig {
    char const* name;
    void (*spoil)(MachineConfig&);
    char const* expected;
};

class HostedMachineRefusal : public testing::TestWithParam<BadConfig> {};

TEST_P(HostedMachineRefusal, NamesWhatIsWrong) {
    MachineConfig config;
    GetParam().spoil(config);
    MemoryConsole console;
    auto const machine = Machine::create(config, console);
    ASSERT_FALSE(machine.has_value());
    EXPECT_NE(machine.error().find(GetParam().expected), std::string::npos) << machine.error();
    EXPECT_EQ(machine.error().find('\n'), std::string::npos) << machine.error();
}

INSTANTIATE_TEST_SUITE_P(
    All,
    HostedMachineRefusal,
    testing::Values(
        BadConfig{"NoMemory", [](MachineConfig& c) { c.memory_bytes = 0; }, "at least 4 MiB"},
        BadConfig{"TooLittle", [](MachineConfig& c) { c.memory_bytes = 4096; }, "at least 4 MiB"},
        BadConfig{"Uneven", [](MachineConfig& c) { c.memory_bytes += 100; }, "multiple of a page"},
        BadConfig{
            "MoreThanWindow", [](MachineConfig& c) { c.memory_bytes = u64{1} << 42; }, "can have"},
        BadConfig{
            "MoreThanHost", [](MachineConfig& c) { c.memory_bytes = memory_bytes_max; },
            "more than the host has to give"},
        BadConfig{"NoCpus", [](MachineConfig& c) { c.cpus = 0; }, "1 to 64 processors, not 0"},
        BadConfig{
            "ManyCpus", [](MachineConfig& c) { c.cpus = 1000; }, "1 to 64 processors, not 1000"},
        BadConfig{"NoSuchWindow", [](MachineConfig& c) { c.window = window_count; }, "no window"},
        BadConfig{"FewWays", [](MachineConfig& c) { c.tlb_ways = 1; }, "TLB ways"},
        BadConfig{
            "LargeModule",
            [](MachineConfig& c) {
                c.memory_bytes = u64{4} << 20;
                c.modules.push_back({"large", std::vector<std::byte>(u64{4} << 20)});
            },
            "do not fit"}),
    [](auto const& parameter) { return parameter.param.name; });

TEST(HostedMachine, RefusesAWindowThatIsTaken) {
    MemoryConsole console;
    auto const first = Machine::create({}, console);
    ASSERT_TRUE(first.has_value());
    auto const second = Machine::create({}, console);
    ASSERT_FALSE(second.has_value());
    EXPECT_NE(second.error().find("window 0 is taken"), std::string::npos) << second.error();
}

TEST(HostedMachine, RefusesMoreTranslationsThanTheHostMaps) {
    MemoryConsole console;
    std::vector<std::unique_ptr<Machine>> machines;
    for (unsigned window = 0; window < window_count; ++window) {
        auto machine = Machine::create(config_in_window(window), console);
        if (!machine) {
            EXPECT_NE(machine.error().find("limit on mappings"), std::string::npos)
                << machine.error();
            break;
        }
        machines.push_back(std::move(*machine));
    }
    EXPECT_GE(machines.size(), 2u);
    EXPECT_LT(machines.size(), window_count);
}

TEST(HostedMachine, AWindowIsFreeAgainAfterItsMachine) {
    for (int round = 0; round < 20; ++round) {
        Probe probe;
        probe.body = [](Probe&, hal::BootInfo const&) {};
        EXPECT_EQ(run_probe(probe, config_in_window(7)).kind, Stop::Kind::exited);
    }
}

/// A kernel whose state is spread over its stack, its memory and its tables, and that mixes every
/// byte of input and some entropy into all of it.
void mix_for_ever(Probe& self, hal::BootInfo const& info) {
    u64 on_stack = info.stack_base.value & 0xffff;
    auto* const in_memory = reinterpret_cast<u64*>(hal::Memory::linear({self.take_frame()}));
    while (true) {
        hal::ConsoleInput const input = hal::Console::read();
        if (input.status == hal::InputStatus::end) {
            return;
        }
        if (input.status == hal::InputStatus::none) {
            hal::Cpu::idle();
            continue;
        }
        u8 random = 0;
        hal::Entropy::fill(std::as_writable_bytes(std::span(&random, 1)));
        on_stack = on_stack * 31 + static_cast<u8>(input.byte) + random;
        in_memory[on_stack % 512] += on_stack;
        u64 sum = 0;
        for (u64 i = 0; i < 512; ++i) {
            sum = sum * 33 + in_memory[i];
        }
        char digits[16];
        for (usize i = 0; i < 16; ++i) {
            digits[i] = "0123456789abcdef"[sum >> (4 * i) & 15];
        }
        hal::Console::write({digits, sizeof(digits)});
    }
}

TEST(HostedMachine, IsRestoredFromACopyWhileAnotherRuns) {
    Probe first_probe{.body = mix_for_ever};
    Probe second_probe{.body = mix_for_ever};
    MemoryConsole first_console, second_console;
    auto const first = make_machine(first_probe, first_console, config_in_window(0));
    auto const second = make_machine(second_probe, second_console, config_in_window(1));

    auto const feed = [](Machine& machine, MemoryConsole& console, std::string_view text) {
        console.output.clear();
        console.type(text);
        EXPECT_EQ(machine.run().kind, Stop::Kind::waiting_for_input);
        return console.output;
    };
    std::string const start = feed(*first, first_console, "one");
    EXPECT_EQ(feed(*second, second_console, "one"), start);
    Snapshot const copy = first->snapshot().value();

    std::string const original = feed(*first, first_console, "two");
    std::vector<std::byte> const memory(first->memory().begin(), first->memory().end());
    EXPECT_EQ(original.size(), 48u);
    std::string const undisturbed = feed(*second, second_console, "other");

    feed(*first, first_console, "something else altogether");
    ASSERT_TRUE(first->restore(copy).has_value());
    EXPECT_EQ(first->cached_translations(), 0u);
    EXPECT_EQ(feed(*first, first_console, "two"), original);
    EXPECT_EQ(std::memcmp(first->memory().data(), memory.data(), memory.size()), 0)
        << "memory must be equal, byte for byte";

    // The other kernel never noticed: it ends where a kernel that ran alone ends.
    std::string const last = feed(*second, second_console, "end");
    Probe alone_probe{.body = mix_for_ever};
    MemoryConsole alone_console;
    auto const alone = make_machine(alone_probe, alone_console, config_in_window(2));
    EXPECT_EQ(feed(*alone, alone_console, "one"), start);
    EXPECT_EQ(feed(*alone, alone_console, "other"), undisturbed);
    EXPECT_EQ(feed(*alone, alone_console, "end"), last);
    second_console.ended = true;
    EXPECT_EQ(second->run().kind, Stop::Kind::exited);
}

TEST(HostedMachine, RestoresIntoANewMachine) {
    Probe probe{.body = mix_for_ever};
    MemoryConsole console;
    Snapshot copy;
    {
        auto const machine = make_machine(probe, console, config_in_window(3));
        console.type("abc");
        EXPECT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
        copy = machine->snapshot().value();
        console.output.clear();
        console.type("xyz");
        EXPECT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
    }
    std::string const original = console.output;
    auto const heir = make_machine(probe, console, config_in_window(3));
    ASSERT_TRUE(heir->restore(copy).has_value());
    console.output.clear();
    console.type("xyz");
    EXPECT_EQ(heir->run().kind, Stop::Kind::waiting_for_input);
    EXPECT_EQ(console.output, original);
}

TEST(HostedMachine, RefusesAForeignSnapshot) {
    Probe probe{.body = mix_for_ever};
    MemoryConsole console;
    auto const machine = make_machine(probe, console, config_in_window(0));
    auto const other_window = make_machine(probe, console, config_in_window(1));
    MachineConfig larger = config_in_window(2);
    larger.memory_bytes *= 2;
    auto const other_size = make_machine(probe, console, larger);
    Snapshot const copy = machine->snapshot().value();
    EXPECT_FALSE(other_window->restore(copy).has_value());
    Snapshot moved = copy;
    moved.window = 2;
    EXPECT_FALSE(other_size->restore(moved).has_value());
    console.type("a");
    EXPECT_EQ(other_window->run().kind, Stop::Kind::waiting_for_input); // and is as good as before
}

} // namespace
