// The simulated medium behind an NVMe controller: what an operation takes, what the cache holds
// back, what a power cut leaves at every boundary, and what each fault of the data does to the
// medium, which is as without it once faults are lifted.
#include "tests/hal/hosted/simulated_nvme.hpp"

#include <bit>
#include <set>

namespace {

using namespace hosted;
using namespace hosted::test;
using enum DeviceFault;

// ---- without faults ----

TEST(SimulatedMedium, ReadsWhatWasWritten) {
    for (u32 const block_bytes : {512u, 4096u}) {
        SimulatedNvme disk({.blocks = 1000, .block_bytes = block_bytes});
        EXPECT_EQ(disk.read(0, 2), "..");
        EXPECT_EQ(disk.write(1, "ab"), 0);
        EXPECT_EQ(disk.write(2, "c"), 0);
        EXPECT_EQ(disk.read(1, 2), "ac");
        EXPECT_EQ(disk.on_medium(0, 4), "....") << "all of it is cached";
        EXPECT_EQ(disk.flush(), 0);
        EXPECT_EQ(disk.on_medium(0, 4), ".ac.");
        EXPECT_EQ(disk.read(2, 2), "c.");
    }
}

TEST(SimulatedMedium, TakesItsDeclaredTime) {
    MediumLatency const latency{
        .read_ns = 1000, .write_ns = 2000, .flush_ns = 3000, .block_ns = 10, .jitter_ns = 0};
    SimulatedNvme disk({.blocks = 1000, .latency = latency});
    u64 const begin = disk.now_ns();
    EXPECT_EQ(disk.read(0, 5).size(), 5u);
    EXPECT_EQ(disk.now_ns(), begin + 1050u);
    EXPECT_EQ(disk.write(0, "ab"), 0);
    EXPECT_EQ(disk.now_ns(), begin + 3070u);
    EXPECT_EQ(disk.flush(), 0);
    EXPECT_EQ(disk.now_ns(), begin + 6070u);
}

TEST(SimulatedMedium, DrawsJitterFromItsSeed) {
    auto const time_of = [](u64 seed) {
        SimulatedNvme disk({.blocks = 1000, .seed = seed});
        for (u32 i = 0; i < 10; ++i) {
            EXPECT_EQ(disk.write(i, "a"), 0);
        }
        return disk.now_ns();
    };
    EXPECT_EQ(time_of(1), time_of(1));
    std::set<u64> times;
    for (u64 seed = 0; seed < 10; ++seed) {
        times.insert(time_of(seed));
    }
    EXPECT_GT(times.size(), 5u);
}

TEST(SimulatedMedium, WritesThroughTheCache) {
    SimulatedNvme disk({.blocks = 1000, .power_cut = PowerCut::none_survives});
    EXPECT_EQ(disk.write(1, "abc"), 0);
    EXPECT_EQ(disk.write(7, "g"), 0);
    EXPECT_EQ(disk.write(2, "B", nvme::force_unit_access), 0);
    EXPECT_EQ(disk.on_medium(0, 9), ".aBc.....") << "what is older and concerns it went first";
    EXPECT_EQ(disk.cached_writes(), 1u);
    disk.cut_power();
    EXPECT_EQ(disk.read(0, 9), ".aBc.....");
}

TEST(SimulatedMedium, ItsCacheIsBounded) {
    SimulatedNvme disk({.blocks = 1000, .cached_writes_max = 4});
    for (u32 i = 0; i < 10; ++i) {
        EXPECT_EQ(disk.write(i, std::string(1, static_cast<char>('a' + i))), 0);
    }
    EXPECT_EQ(disk.cached_writes(), 4u);
    EXPECT_EQ(disk.on_medium(0, 10), "abcdef....");
    EXPECT_EQ(disk.read(0, 10), "abcdefghij");
}

// ---- power cuts ----

/// Writes of three epochs, each but the last flushed; the power is cut behind the first `writes`
/// requests. What each block may hold then.
struct Epochs {
    static constexpr u32 writes = 12, of_epoch = 4;

    explicit Epochs(SimulatedMediumConfig const& config) : disk(config) {}

    void run(u32 until) {
        for (u64 i = 0; i < until; ++i) {
            char const letter = static_cast<char>('a' + i);
            EXPECT_EQ(disk.write(i % 3 * 4, std::string(4, letter)), 0);
            if (i % of_epoch == of_epoch - 1) {
                EXPECT_EQ(disk.flush(), 0);
            }
        }
        disk.cut_power();
    }
    /// The letters that a place may have: the youngest that was flushed, and all since.
    static std::string allowed(u64 place, u32 until) {
        std::string letters = ".";
        u32 const flushed = until / of_epoch * of_epoch;
        for (u32 i = 0; i < until; ++i) {
            if (i % 3 == place) {
                char const letter = static_cast<char>('a' + i);
                letters = i < flushed ? std::string(1, letter) : letters + letter;
            }
        }
        return letters;
    }

    SimulatedNvme disk;
};

TEST(SimulatedMedium, APowerCutAtEveryWriteKeepsWhatWasFlushed) {
    u32 survived = 0, lost = 0, torn = 0;
    for (u64 seed = 0; seed < 20; ++seed) {
        for (u32 until = 0; until <= Epochs::writes; ++until) {
            Epochs epochs({.blocks = 100, .seed = seed});
            epochs.run(until);
            EXPECT_EQ(epochs.disk.medium().damaged(), 0u) << "no fault";
            for (u64 place = 0; place < 3; ++place) {
                std::string const held = epochs.disk.read(place * 4, 4);
                std::string const allowed = Epochs::allowed(place, until);
                EXPECT_EQ(held.find_first_not_of(allowed), std::string::npos)
                    << held << " of " << allowed << ", seed " << seed << ", cut at " << until;
                bool const is_one = held == std::string(4, held[0]);
                torn += is_one ? 0 : 1;
                survived += is_one && allowed.size() > 1 && held[0] == allowed.back() ? 1 : 0;
                lost += is_one && allowed.size() > 1 && held[0] == allowed.front() ? 1 : 0;
            }
        }
    }
    EXPECT_GT(survived, 30u);
    EXPECT_GT(lost, 30u);
    EXPECT_GT(torn, 30u);
}

TEST(SimulatedMedium, APowerCutCanKeepAllOrNothing) {
    for (u32 until = 0; until <= Epochs::writes; ++until) {
        Epochs none({.blocks = 100, .power_cut = PowerCut::none_survives});
        none.run(until);
        Epochs all({.blocks = 100, .power_cut = PowerCut::all_survive});
        all.run(until);
        for (u64 place = 0; place < 3; ++place) {
            std::string const allowed = Epochs::allowed(place, until);
            EXPECT_EQ(none.disk.read(place * 4, 4), std::string(4, allowed.front())) << until;
            EXPECT_EQ(all.disk.read(place * 4, 4), std::string(4, allowed.back())) << until;
        }
    }
}

TEST(SimulatedMedium, AFlushThatIsIgnoredLosesWhatItPromised) {
    u32 lost = 0;
    for (u64 seed = 0; seed < 20; ++seed) {
        SimulatedNvme disk({.blocks = 100, .seed = seed});
        disk.plan(nvme_flush_ignored);
        disk.write_and_flush(3, "a");
        EXPECT_EQ(disk.cached_writes(), 1u);
        disk.cut_power();
        lost += disk.read(3, 1) == "." ? 1 : 0;
        disk.medium().lift_faults();
        EXPECT_EQ(disk.read(3, 1), "a") << "without the fault it had been durable";
    }
    EXPECT_GT(lost, 5u);
}

// ---- faults ----

struct MediumFaults : testing::Test, SimulatedNvme {
    MediumFaults() : SimulatedNvme({.blocks = 1000, .seed = 5}) {}

    void expect_lifted(u64 block, std::string_view letters) {
        medium().lift_faults();
        EXPECT_EQ(medium().damaged(), 0u);
        EXPECT_EQ(on_medium(block, static_cast<u32>(letters.size())), letters);
    }
};

TEST_F(MediumFaults, ALostWrite) {
    write_and_flush(3, "ab");
    plan(nvme_lost_write);
    EXPECT_EQ(write(3, "AB"), 0);
    EXPECT_EQ(read(3, 2), "AB") << "as long as it is cached";
    EXPECT_EQ(flush(), 0);
    EXPECT_EQ(read(3, 2), "ab");
    EXPECT_EQ(fired(nvme_lost_write), 1u);
    expect_lifted(3, "AB");
}

TEST_F(MediumFaults, AMisdirectedWrite) {
    write_and_flush(3, "ab");
    plan(nvme_misdirected_write);
    write_and_flush(3, "AB");
    EXPECT_EQ(read(3, 2), "ab");
    EXPECT_EQ(medium().damaged(), 4u);
    u32 found = 0;
    for (u64 block = 0; block + 2 <= 1000; ++block) {
        found += on_medium(block, 2) == "AB" ? 1 : 0;
    }
    EXPECT_EQ(found, 1u) << "somewhere else";
    expect_lifted(3, "AB");
    for (u64 block = 0; block < 1000; ++block) {
        EXPECT_TRUE(block - 3 < 2 || on_medium(block, 1) == ".") << block;
    }
}

TEST_F(MediumFaults, ATornWrite) {
    std::set<std::string> shapes;
    for (u64 i = 0; i < 30; ++i) {
        u64 const block = 10 + i * 4;
        write_and_flush(block, "abcd");
        plan(nvme_torn_write);
        write_and_flush(block, "ABCD");
        EXPECT_EQ(fired(nvme_torn_write), 1u);
        std::string const held = on_medium(block, 4);
        EXPECT_NE(held, "ABCD");
        EXPECT_NE(held, "abcd");
        shapes.insert(held);
        expect_lifted(block, "ABCD");
    }
    auto const has = [&](auto const& is) { return std::ranges::any_of(shapes, is); };
    EXPECT_TRUE(has([](std::string const& s) { return s[0] == 'A'; })) << "its begin";
    EXPECT_TRUE(has([](std::string const& s) { return s[3] == 'D' && s[0] == 'a'; })) << "its end";
    EXPECT_TRUE(has([](std::string const& s) { return s[0] == 'a' && s[3] == 'd'; }))
        << "its middle";
}

TEST_F(MediumFaults, AMisdirectedRead) {
    for (u64 block = 0; block < 1000; block += 8) {
        EXPECT_EQ(write(block, block < 100 ? "aaaaaaaa" : "zzzzzzzz"), 0);
    }
    plan(nvme_misdirected_read, {1, 2, 3, 4, 5});
    std::string got;
    for (u32 i = 0; i < 5; ++i) {
        got += read(0, 1);
    }
    EXPECT_NE(got.find('z'), std::string::npos) << got;
    EXPECT_EQ(read(0, 1), "a") << "the medium is as it was";
    EXPECT_EQ(medium().damaged(), 0u);
}

TEST_F(MediumFaults, AStaleRead) {
    write_and_flush(3, "a");
    write_and_flush(3, "b");
    plan(nvme_stale_read, {1, 3});
    EXPECT_EQ(read(3, 1), "a");
    EXPECT_EQ(read(3, 1), "b");
    EXPECT_EQ(write(3, "c"), 0);
    EXPECT_EQ(read(3, 1), "b") << "what the cache has is newer";
    EXPECT_EQ(read(3, 1), "c");
}

TEST_F(MediumFaults, BitRotIsClusteredAndStays) {
    for (u64 const bits : {1u, 7u, 64u}) {
        write_and_flush(3, "a");
        plan(nvme_bit_rot, {1}, bits);
        EXPECT_EQ(read(3, 1), "?");
        EXPECT_EQ(read(3, 1), "?");
        SectorBytes const held = medium().read(3);
        u64 flipped = 0;
        std::vector<u64> places;
        for (u64 i = 0; i < held.size(); ++i) {
            u8 const change = static_cast<u8>(std::to_integer<u8>(held[i]) ^ 'a');
            flipped += static_cast<u64>(std::popcount(change));
            if (change != 0) {
                places.push_back(i);
            }
        }
        EXPECT_EQ(flipped, bits);
        u64 const extent = places.back() - places.front();
        EXPECT_TRUE(extent <= 24 || extent >= held.size() - 25) << "close together, or round";
        expect_lifted(3, "a");
    }
}

TEST_F(MediumFaults, ABlockOfZerosOrOnesStays) {
    for (auto const& [fault, letter] : {std::pair(nvme_zeroed, "."), std::pair(nvme_filled, "#")}) {
        write_and_flush(3, "a");
        plan(fault);
        EXPECT_EQ(read(3, 1), letter);
        EXPECT_EQ(read(3, 1), letter);
        expect_lifted(3, "a");
    }
}

TEST_F(MediumFaults, ErrorsAreOfOneOperation) {
    write_and_flush(3, "a");
    plan(nvme_read_error);
    EXPECT_EQ(read(3, 1), "status " + std::to_string(nvme::status::unrecovered_read));
    EXPECT_EQ(read(3, 1), "a");
    plan(nvme_write_error);
    EXPECT_EQ(write(3, "b"), nvme::status::write_fault);
    EXPECT_EQ(read(3, 1), "a") << "it has changed nothing";
    EXPECT_EQ(write(3, "b"), 0);
}

TEST_F(MediumFaults, AWriteThatTakesLonger) {
    plan(nvme_late, {2}, 7'000'000);
    u64 const begin = now_ns();
    EXPECT_EQ(write(3, "a"), 0);
    EXPECT_LT(now_ns(), begin + 100'000u);
    EXPECT_EQ(write(3, "b"), 0);
    EXPECT_GT(now_ns(), begin + 7'000'000u);
}

TEST_F(MediumFaults, AReorderedWriteComesLast) {
    plan(nvme_reordered);
    u16 const first = submit_write(3, "a"); // its data is read when its time has come
    u16 const second = host.submit(1, io_command(nvme::Opcode::write_zeroes, 3));
    EXPECT_EQ(host.await(1)->id, second);
    EXPECT_EQ(host.await(1)->id, first);
    EXPECT_EQ(read(3, 1), "a") << "it came over what was asked for later";
}

TEST_F(MediumFaults, WhatIsDoneAndNotToldIsDone) {
    plan(nvme_dropped_completion);
    static_cast<void>(submit_write(3, "a"));
    EXPECT_FALSE(host.await(1).has_value());
    EXPECT_EQ(read(3, 1), "a");
}

TEST_F(MediumFaults, AWriteThatArrivesHeals) {
    plan(nvme_lost_write);
    write_and_flush(3, "a");
    EXPECT_EQ(medium().damaged(), 1u);
    write_and_flush(3, "b");
    EXPECT_EQ(medium().damaged(), 0u);
    EXPECT_EQ(read(3, 1), "b");
}

TEST_F(MediumFaults, OneFaultLessChangesNoOtherDraw) {
    auto const run = [](std::vector<u64> const& at) {
        SimulatedNvme it({.blocks = 1000, .seed = 9});
        it.plan(nvme_torn_write, at);
        for (u64 i = 0; i < 8; ++i) {
            it.write_and_flush(i * 10, "abcd");
        }
        return it.on_medium(70, 4) + std::to_string(it.now_ns());
    };
    std::string const both = run({2, 8});
    EXPECT_EQ(run({8}), both);
    EXPECT_NE(run({2}), both);
}

TEST_F(MediumFaults, ACopyHoldsCacheDamageAndWhatWasBefore) {
    write_and_flush(4, "abc");
    plan(nvme_lost_write);
    write_and_flush(5, "X");
    EXPECT_EQ(write(6, "cached"), 0);
    SimulatedNvme other({.blocks = 1000, .seed = 5});
    other.bench.controller.load(bench.controller.save());
    EXPECT_EQ(other.bench.controller.save(), bench.controller.save());
    EXPECT_EQ(other.cached_writes(), 1u);
    EXPECT_EQ(other.medium().damaged(), 1u);
    EXPECT_EQ(other.on_medium(4, 3), "abc");
    other.medium().lift_faults();
    EXPECT_EQ(other.on_medium(4, 3), "aXc");
}

} // namespace
