// The transport and the queues of the hosted machine's VIRTIO devices: their capabilities, what
// registers show, how a device gets to run, and what becomes of drivers that break the rules.
#include "hal/hosted/devices/pci_bus.hpp"
#include "tests/hal/hosted/virtio_bench.hpp"

namespace {

using namespace hosted;
using namespace hosted::test;
using virtio::Common;

/// Answers each chain with the bytes that it holds, backwards.
class Mirror final : public VirtioPci {
public:
    static constexpr u64 feature = 1 << 5;

    Mirror() : VirtioPci({.type = 9, .features = feature, .queues = 2, .config_bytes = 8}) {}
    u32 resets = 0;
    u64 seen = 0;
    u64 value = 0x1122'3344'5566'7788;

    void change(DeviceBus& bus, u64 to) {
        value = to;
        change_config(bus);
    }

private:
    void reset_own() override { ++resets; }
    void fill_config(std::span<std::byte> config) const override {
        std::memcpy(config.data(), &value, sizeof(value));
    }
    void config_written(DeviceBus&, u64 offset, std::span<std::byte const> config) override {
        if (offset == 0) { // the upper half can only be read
            std::memcpy(&value, config.data(), sizeof(u32));
        }
    }
    void notified(DeviceBus& bus, u32 queue) override {
        VirtioChain chain;
        while (take(bus, queue, chain)) {
            ++seen;
            u64 const bytes = std::min(chain.readable_bytes(), chain.writable_bytes());
            std::vector<std::byte> text(bytes);
            if (gather(bus, chain, 0, text)) {
                std::ranges::reverse(text);
                if (scatter(bus, chain, text)) {
                    give_back(bus, queue, chain, bytes);
                }
            }
        }
    }
    void archive_own(StateArchive& state) override { state(value); }
};

struct Virtio : testing::Test {
    Mirror device;
    VirtioBench bench{device};

    static std::vector<std::byte> bytes_of(std::string_view text) {
        auto const bytes = std::as_bytes(std::span(text));
        return {bytes.begin(), bytes.end()};
    }
};

TEST_F(Virtio, HasModernCapabilities) {
    PciIdentity const identity = device.identity();
    EXPECT_TRUE(identity.is_sound());
    EXPECT_EQ(identity.vendor, 0x1af4u);
    EXPECT_EQ(identity.device, 0x1049u);
    PciBus bus;
    bus.plug(identity);
    bus.configure({.registers = {0x10'4000}, .vectors = {0x10'0000}});
    auto const read = [&](u32 offset, u32 width) {
        return bus.read({.function = {0, 1, 1, 0}, .offset = offset, .width = width});
    };
    EXPECT_EQ(read(0, 4), 0x1049'1af4u);
    EXPECT_EQ(read(0x2c, 4), 0x1049'1af4u);
    std::map<u32, u32> offsets; // by structure
    std::map<u32, u32> lengths;
    u32 kinds = 0;
    u32 at = read(0x34, 1);
    EXPECT_EQ(read(at, 1), 0x11u) << "MSI-X";
    EXPECT_EQ(read(at + 2, 2), 2u) << "three vectors";
    EXPECT_EQ(read(at + 4, 4), 0x2000u);
    EXPECT_EQ(read(at + 8, 4), 0x3000u);
    for (at = read(at + 1, 1); at != 0 && kinds < 10; at = read(at + 1, 1), ++kinds) {
        ASSERT_EQ(read(at, 1), 9u);
        EXPECT_EQ(read(at + 4, 1), 0u) << "base address 0";
        offsets[read(at + 3, 1)] = read(at + 8, 4);
        lengths[read(at + 3, 1)] = read(at + 12, 4);
        if (read(at + 3, 1) == 2) {
            EXPECT_EQ(read(at + 2, 1), 20u);
            EXPECT_EQ(read(at + 16, 4), 4u);
        }
    }
    EXPECT_EQ(kinds, 4u);
    EXPECT_EQ(offsets, (std::map<u32, u32>{{1, 0}, {2, 0x1000}, {3, 0x100}, {4, 0x200}}));
    EXPECT_EQ(lengths, (std::map<u32, u32>{{1, 64}, {2, 8}, {3, 1}, {4, 8}}));
}

TEST_F(Virtio, RegistersFollowWhatIsSelected) {
    EXPECT_EQ(bench.common().device_feature, 1u << 5);
    bench.write<u32>(offsetof(Common, device_feature_select), 1);
    EXPECT_EQ(bench.common().device_feature, 1u) << "VERSION_1";
    bench.write<u32>(offsetof(Common, device_feature_select), 2);
    EXPECT_EQ(bench.common().device_feature, 0u);
    EXPECT_EQ(bench.common().queues, 2u);
    EXPECT_EQ(bench.common().queue_size, 256u);
    bench.write<u16>(offsetof(Common, queue_select), 1);
    EXPECT_EQ(bench.common().queue_notify_offset, 1u);
    bench.write<u16>(offsetof(Common, queue_size), 16);
    bench.write<u64>(offsetof(Common, used), 0x1234'5678'0000);
    bench.write<u16>(offsetof(Common, queue_select), 2);
    EXPECT_EQ(bench.common().queue_size, 0u) << "there is none";
    bench.write<u16>(offsetof(Common, queue_size), 4);
    EXPECT_EQ(bench.common().queue_size, 0u);
    bench.write<u16>(offsetof(Common, queue_select), 1);
    EXPECT_EQ(bench.common().queue_size, 16u);
    EXPECT_EQ(bench.common().used, 0x1234'5678'0000u);
    bench.write<u16>(offsetof(Common, queues), 7); // cannot be written
    EXPECT_EQ(bench.common().queues, 2u);
    bench.write<u16>(offsetof(Common, queue_vector), 3); // there are 0 to 2
    EXPECT_EQ(bench.common().queue_vector, virtio::no_vector);
    bench.write<u16>(offsetof(Common, queue_vector), 2);
    EXPECT_EQ(bench.common().queue_vector, 2u);
    bench.write<u16>(offsetof(Common, config_vector), 99);
    EXPECT_EQ(bench.common().config_vector, virtio::no_vector);
    bench.set_status(0);
    EXPECT_EQ(bench.common().queue_size, 256u);
    EXPECT_EQ(device.resets, 2u);
}

TEST_F(Virtio, FeaturesAreAgreedOnOnce) {
    bench.set_status(virtio::acknowledge | virtio::driver);
    bench.accept(0);
    bench.set_status(bench.status() | virtio::features_ok);
    EXPECT_EQ(bench.status() & virtio::features_ok, 0) << "a driver of another version";
    bench.accept(virtio::feature_version_1 | 1);
    bench.set_status(bench.status() | virtio::features_ok | virtio::driver_ok);
    EXPECT_EQ(bench.status(), virtio::acknowledge | virtio::driver) << "not offered";
    bench.accept(virtio::feature_version_1 | Mirror::feature);
    bench.set_status(bench.status() | virtio::features_ok);
    EXPECT_NE(bench.status() & virtio::features_ok, 0);
    bench.accept(virtio::feature_version_1);
    bench.write<u32>(offsetof(Common, driver_feature_select), 0);
    EXPECT_EQ(bench.common().driver_feature, Mirror::feature) << "settled";
}

TEST_F(Virtio, AnswersChainsInPieces) {
    bench.start(2);
    auto const text = bytes_of("abcdef");
    bench.put_bytes(0x10000, text);
    bench.set_descriptor(1, 3, {0x10000, 2, virtio::has_next, 5});
    bench.set_descriptor(1, 5, {0x10002, 4, virtio::has_next, 0});
    bench.set_descriptor(1, 0, {0x11000, 5, virtio::has_next | virtio::is_writable, 1});
    bench.set_descriptor(1, 1, {0x12000, 9, virtio::is_writable, 0});
    bench.make_available(1, 3);
    auto const all = bench.take(1);
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].head, 3u);
    EXPECT_EQ(all[0].bytes, 6u);
    auto const at = [&](u64 place, u64 bytes) {
        auto const found = bench.memory().subspan(place, bytes);
        return std::vector<std::byte>(found.begin(), found.end());
    };
    EXPECT_EQ(at(0x11000, 5), bytes_of("fedcb"));
    EXPECT_EQ(at(0x12000, 2), bytes_of(std::string_view("a\0", 2)));
    EXPECT_EQ(bench.interrupts_of(2), 1u);
    EXPECT_EQ(bench.interrupts_of(1), 0u);
    bench.put<u16>(VirtioBench::available(1), virtio::no_interrupt);
    bench.make_available(1, 3);
    EXPECT_EQ(bench.take(1).size(), 1u);
    EXPECT_EQ(bench.interrupts_of(2), 1u) << "not wanted";
}

TEST_F(Virtio, GoesRoundItsRingForEver) {
    bench.start(1);
    for (u32 i = 0; i < 70'000; ++i) { // indexes wrap
        ASSERT_EQ(bench.perform(0, bytes_of("xy"), 2), bytes_of("yx")) << i;
    }
    EXPECT_EQ(bench.interrupts_of(1), 70'000u);
    EXPECT_FALSE(bench.needs_reset());
}

TEST_F(Virtio, DoesNothingBeforeItRuns) {
    bench.set_descriptor(0, 0, {0x10000, 2, 0, 0});
    bench.make_available(0, 0);
    EXPECT_EQ(device.seen, 0u);
    bench.start(1);
    bench.make_available(1, 0); // not enabled
    EXPECT_EQ(device.seen, 0u);
    bench.set_master(false);
    bench.make_available(0, 0);
    EXPECT_TRUE(bench.needs_reset()) << "its queue cannot be read";
    EXPECT_EQ(device.seen, 0u);
}

/// What a driver does wrong, and that it finds NEEDS_RESET, one interrupt and a device that has
/// touched nothing, and works again after a reset.
struct WrongDrivers : Virtio {
    template<class Act>
    void expect_failure(Act const& act) {
        bench.start(1);
        u64 const told = bench.interrupts_of(VirtioBench::config_vector);
        u64 const before = device.seen;
        act();
        EXPECT_TRUE(bench.needs_reset());
        EXPECT_EQ(bench.interrupts_of(VirtioBench::config_vector), told + 1);
        EXPECT_TRUE(bench.take(0).empty());
        bench.notify(0);
        bench.set_status(virtio::acknowledge); // does not take it away
        EXPECT_TRUE(bench.needs_reset());
        EXPECT_LE(device.seen, before + 1);
        bench.start(1);
        EXPECT_EQ(bench.perform(0, bytes_of("ok"), 2), bytes_of("ko"));
    }
};

TEST_F(WrongDrivers, ChainsThatLoopOrLeaveTheTable) {
    expect_failure([&] {
        bench.set_descriptor(0, 0, {0x10000, 1, virtio::has_next, 1});
        bench.set_descriptor(0, 1, {0x10000, 1, virtio::has_next, 0});
        bench.make_available(0, 0);
    });
    expect_failure([&] {
        bench.set_descriptor(0, 0, {0x10000, 1, virtio::has_next, VirtioBench::entries});
        bench.make_available(0, 0);
    });
    expect_failure([&] { bench.make_available(0, VirtioBench::entries); });
}

TEST_F(WrongDrivers, DescriptorsThatAreNone) {
    expect_failure([&] {
        bench.set_descriptor(0, 0, {0x10000, 16, virtio::is_indirect, 0});
        bench.make_available(0, 0);
    });
    expect_failure([&] {
        bench.set_descriptor(0, 0, {0x10000, 1, virtio::is_writable | virtio::has_next, 1});
        bench.set_descriptor(0, 1, {0x10000, 1, 0, 0}); // to be read behind one to be written
        bench.make_available(0, 0);
    });
    expect_failure([&] {
        bench.set_descriptor(0, 0, {~u64{0} - 3, 16, 0, 0}); // wraps
        bench.make_available(0, 0);
    });
}

TEST_F(WrongDrivers, MemoryThatIsNotThere) {
    expect_failure([&] {
        bench.set_descriptor(0, 0, {VirtioBench::memory_bytes - 1, 2, virtio::has_next, 1});
        bench.set_descriptor(0, 1, {0x10000, 2, virtio::is_writable, 0});
        bench.make_available(0, 0);
    });
    expect_failure([&] {
        bench.set_descriptor(0, 0, {0x10000, 2, virtio::has_next, 1});
        bench.set_descriptor(0, 1, {VirtioBench::memory_bytes, 2, virtio::is_writable, 0});
        bench.make_available(0, 0);
    });
}

TEST_F(WrongDrivers, AnIndexThatLeaps) {
    expect_failure([&] {
        bench.put<u16>(VirtioBench::available(0) + virtio::index_offset, VirtioBench::entries + 1);
        bench.notify(0);
    });
}

TEST_F(WrongDrivers, RingsThatLieNowhere) {
    for (u64 const field : {offsetof(Common, available), offsetof(Common, used)}) {
        bench.start(0);
        bench.write<u64>(offsetof(Common, descriptors), VirtioBench::descriptors(0));
        bench.write<u64>(offsetof(Common, available), VirtioBench::available(0));
        bench.write<u64>(offsetof(Common, used), VirtioBench::used(0));
        bench.write<u64>(field, VirtioBench::memory_bytes - 4); // index, and nothing behind it
        bench.put<u16>(VirtioBench::memory_bytes - 2, 1);
        bench.write<u16>(offsetof(Common, queue_enable), 1);
        EXPECT_FALSE(bench.needs_reset());
        bench.set_descriptor(0, 0, {0x10000, 1, 0, 0});
        bench.make_available(0, 0);
        EXPECT_TRUE(bench.needs_reset()) << field;
    }
}

TEST_F(WrongDrivers, QueuesOfNoSize) {
    struct {
        u64 field;
        u64 value;
    } const wrong[] = {{offsetof(Common, queue_size), 0},     {offsetof(Common, queue_size), 3},
                       {offsetof(Common, queue_size), 512},   {offsetof(Common, descriptors), 8},
                       {offsetof(Common, available), 0x1001}, {offsetof(Common, used), 0x1002}};
    for (auto const& each : wrong) {
        bench.start(0);
        if (each.field == offsetof(Common, queue_size)) {
            bench.write<u16>(each.field, static_cast<u16>(each.value));
        } else {
            bench.write<u64>(each.field, each.value);
        }
        bench.write<u16>(offsetof(Common, queue_enable), 1);
        EXPECT_TRUE(bench.needs_reset()) << each.field << ' ' << each.value;
        EXPECT_EQ(bench.common().queue_enable, 0u);
    }
    bench.set_status(0);
    bench.write<u16>(offsetof(Common, queue_enable), 1);
    EXPECT_TRUE(bench.needs_reset()) << "before features are agreed on";
}

TEST_F(Virtio, ConfigurationChangesAreTold) {
    bench.start(1);
    u8 const generation = bench.common().config_generation;
    device.change(bench, 77);
    EXPECT_EQ(bench.read<u64>(VirtioPci::config_at), 77u);
    EXPECT_NE(bench.common().config_generation, generation);
    EXPECT_EQ(bench.interrupts_of(VirtioBench::config_vector), 1u);
    bench.write<u32>(VirtioPci::config_at, 5);
    EXPECT_EQ(device.value, 5u);
    bench.write<u32>(VirtioPci::config_at + 4, 5);
    EXPECT_EQ(bench.read<u64>(VirtioPci::config_at), 5u) << "as it was";
    bench.set_status(0);
    device.change(bench, 9);
    EXPECT_EQ(bench.interrupts_of(VirtioBench::config_vector), 1u) << "nobody listens";
    EXPECT_EQ(bench.read<u64>(VirtioPci::config_at), 9u);
}

TEST_F(Virtio, GoesOnFromACopy) {
    bench.start(2);
    EXPECT_EQ(bench.perform(1, bytes_of("12"), 2), bytes_of("21"));
    bench.write<u16>(offsetof(Common, queue_select), 1);
    auto const state = device.save();
    device.change(bench, 3);
    bench.set_status(0);
    device.load(state);
    EXPECT_EQ(device.save(), state);
    bench.write<u16>(offsetof(Common, queue_notify_data), 0); // registers lie in memory's copy
    EXPECT_EQ(bench.common().queue_select, 1u);
    EXPECT_EQ(bench.common().queue_enable, 1u);
    EXPECT_EQ(device.value, 0x1122'3344'5566'7788u);
    EXPECT_EQ(bench.perform(1, bytes_of("34"), 2), bytes_of("43"));
    Mirror other;
    other.load(state);
    EXPECT_EQ(other.save().size(), state.size());
}

} // namespace
