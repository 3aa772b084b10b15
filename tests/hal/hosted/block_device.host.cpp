// The simulated block device without faults: what is read is what was written, what was flushed
// outlasts a power cut, and what was not survives in a way that is legal, at every boundary.
#include "tests/hal/hosted/block_bench.hpp"

#include <set>

namespace {

using namespace hosted;
using namespace hosted::test;

TEST(BlockDevice, ReadsWhatWasWritten) {
    for (u32 const sector_bytes : {512u, 4096u}) {
        BlockBench block({.sectors = 1000, .sector_bytes = sector_bytes});
        EXPECT_EQ(block.read(0, 3), "...");
        EXPECT_EQ(block.write(1, "ab"), 0);
        EXPECT_EQ(block.write(2, "c"), 0);
        EXPECT_EQ(block.read(0, 4), ".ac.");
        EXPECT_EQ(block.on_medium(0, 4), "....") << "all of it is cached";
        EXPECT_EQ(block.flush(), 0);
        EXPECT_EQ(block.on_medium(0, 4), ".ac.");
        EXPECT_EQ(block.read(0, 4), ".ac.");
    }
}

TEST(BlockDevice, RefusesWhatItDoesNotHave) {
    BlockBench block({.sectors = 1000, .sectors_max = 8});
    EXPECT_EQ(block.read(992, 8), "........");
    EXPECT_EQ(block.read(993, 8), "status 1");
    EXPECT_EQ(block.read(1000, 1), "status 1");
    EXPECT_EQ(block.read(0, 0), "status 1");
    EXPECT_EQ(block.read(0, 9), "status 1");
    EXPECT_EQ(block.read(~u64{0}, 2), "status 1");
    EXPECT_EQ(block.write(999, "ab"), 1);
    EXPECT_EQ(block.bench.perform({.operation = 77}).status, ring::status_invalid);
    u64 const outside = DeviceBench::memory_bytes - 100;
    EXPECT_EQ(
        block.bench.perform({.operation = 1, .count = 1, .buffer = outside}).status,
        ring::status_memory);
    EXPECT_EQ(
        block.bench.perform({.operation = 2, .count = 1, .buffer = outside}).status,
        ring::status_memory);
    EXPECT_EQ(block.device.cached_writes(), 0u);
}

TEST(BlockDevice, IdentifiesItself) {
    BlockBench block({.sectors = 1000, .sector_bytes = 4096, .sectors_max = 16});
    EXPECT_EQ(block.bench.perform({.operation = 4, .buffer = DeviceBench::buffers}).status, 0);
    block::Identity identity;
    std::memcpy(
        &identity, block.bench.memory(DeviceBench::buffers, sizeof(identity)).data(),
        sizeof(identity));
    EXPECT_EQ(identity.sectors, 1000u);
    EXPECT_EQ(identity.sector_bytes, 4096u);
    EXPECT_EQ(identity.sectors_max, 16u);
    EXPECT_STREQ(identity.name, "Twofold simulated block device");
}

TEST(BlockDevice, TakesItsDeclaredTime) {
    BlockLatency const latency{1000, 2000, 3000, 10, 0};
    BlockBench block({.sectors = 1000, .latency = latency});
    EXPECT_EQ(block.read(0, 5).size(), 5u);
    EXPECT_EQ(block.bench.now_ns(), 1050u);
    EXPECT_EQ(block.write(0, "ab"), 0);
    EXPECT_EQ(block.bench.now_ns(), 3070u);
    EXPECT_EQ(block.flush(), 0);
    EXPECT_EQ(block.bench.now_ns(), 6070u);
}

TEST(BlockDevice, DrawsJitterFromItsSeed) {
    auto const time_of = [](u64 seed) {
        BlockBench block({.sectors = 1000, .seed = seed});
        for (u32 i = 0; i < 10; ++i) {
            EXPECT_EQ(block.write(i, "a"), 0);
        }
        return block.bench.now_ns();
    };
    EXPECT_EQ(time_of(1), time_of(1));
    std::set<u64> times;
    for (u64 seed = 0; seed < 10; ++seed) {
        times.insert(time_of(seed));
    }
    EXPECT_GT(times.size(), 5u);
}

TEST(BlockDevice, WritesThroughTheCache) {
    BlockBench block({.sectors = 1000, .power_cut = PowerCut::none_survives});
    EXPECT_EQ(block.write(1, "abc"), 0);
    EXPECT_EQ(block.write(7, "g"), 0);
    EXPECT_EQ(block.write(2, "B", block::flag_through), 0);
    EXPECT_EQ(block.on_medium(0, 9), ".aBc.....") << "what is older and concerns it went first";
    EXPECT_EQ(block.device.cached_writes(), 1u);
    block.cut_power();
    EXPECT_EQ(block.read(0, 9), ".aBc.....");
}

TEST(BlockDevice, ItsCacheIsBounded) {
    BlockBench block({.sectors = 1000, .cached_writes_max = 4});
    for (u32 i = 0; i < 10; ++i) {
        EXPECT_EQ(block.write(i, std::string(1, static_cast<char>('a' + i))), 0);
    }
    EXPECT_EQ(block.device.cached_writes(), 4u);
    EXPECT_EQ(block.on_medium(0, 10), "abcdef....");
    EXPECT_EQ(block.read(0, 10), "abcdefghij");
}

/// Writes of three epochs, each but the last flushed; the power is cut behind the first `writes`
/// requests. What each sector may hold then.
struct Epochs {
    static constexpr u32 writes = 12, of_epoch = 4;

    explicit Epochs(BlockConfig const& config) : block(config) {}

    void run(u32 until) {
        for (u32 i = 0; i < until; ++i) {
            char const letter = static_cast<char>('a' + i);
            EXPECT_EQ(block.write(i % 3 * 4, std::string(4, letter)), 0);
            if (i % of_epoch == of_epoch - 1) {
                EXPECT_EQ(block.flush(), 0);
            }
        }
        block.cut_power();
    }
    /// The letters that a place may have: the youngest that was flushed, and all since.
    static std::string allowed(u32 place, u32 until) {
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

    BlockBench block;
};

TEST(BlockDevice, APowerCutAtEveryWriteKeepsWhatWasFlushed) {
    u32 survived = 0, lost = 0, torn = 0;
    for (u64 seed = 0; seed < 20; ++seed) {
        for (u32 until = 0; until <= Epochs::writes; ++until) {
            Epochs epochs({.sectors = 100, .seed = seed});
            epochs.run(until);
            EXPECT_EQ(epochs.block.device.medium().damaged(), 0u) << "no fault";
            for (u32 place = 0; place < 3; ++place) {
                std::string const held = epochs.block.read(place * 4, 4);
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

TEST(BlockDevice, APowerCutCanKeepAllOrNothing) {
    for (u32 until = 0; until <= Epochs::writes; ++until) {
        Epochs none({.sectors = 100, .power_cut = PowerCut::none_survives});
        none.run(until);
        Epochs all({.sectors = 100, .power_cut = PowerCut::all_survive});
        all.run(until);
        for (u32 place = 0; place < 3; ++place) {
            std::string const allowed = Epochs::allowed(place, until);
            EXPECT_EQ(none.block.read(place * 4, 4), std::string(4, allowed.front())) << until;
            EXPECT_EQ(all.block.read(place * 4, 4), std::string(4, allowed.back())) << until;
        }
    }
}

} // namespace
