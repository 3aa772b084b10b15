// Each fault of the simulated block device: that it fires, what it does, and that the medium is as
// without it once faults are lifted.
#include "tests/hal/hosted/block_bench.hpp"

#include <bit>
#include <set>

namespace {

using namespace hosted;
using namespace hosted::test;
using enum DeviceFault;

struct BlockFaults : testing::Test {
    BlockBench block{{.sectors = 1000, .seed = 5}};

    void expect_lifted(u64 sector, std::string_view letters) {
        block.device.lift_faults();
        EXPECT_EQ(block.device.medium().damaged(), 0u);
        EXPECT_EQ(block.on_medium(sector, static_cast<u32>(letters.size())), letters);
    }
    void write_and_flush(u64 sector, std::string_view letters) {
        EXPECT_EQ(block.write(sector, letters), 0);
        EXPECT_EQ(block.flush(), 0);
    }
};

TEST_F(BlockFaults, ALostWrite) {
    write_and_flush(3, "ab");
    block.bench.plan({{block_lost_write, {1}}});
    EXPECT_EQ(block.write(3, "AB"), 0);
    EXPECT_EQ(block.read(3, 2), "AB") << "as long as it is cached";
    EXPECT_EQ(block.flush(), 0);
    EXPECT_EQ(block.read(3, 2), "ab");
    EXPECT_EQ(block.bench.fired(block_lost_write), 1u);
    expect_lifted(3, "AB");
}

TEST_F(BlockFaults, AMisdirectedWrite) {
    write_and_flush(3, "ab");
    block.bench.plan({{block_misdirected_write, {1}}});
    write_and_flush(3, "AB");
    EXPECT_EQ(block.read(3, 2), "ab");
    EXPECT_EQ(block.device.medium().damaged(), 4u);
    u32 found = 0;
    for (u64 sector = 0; sector + 2 <= 1000; ++sector) {
        found += block.on_medium(sector, 2) == "AB" ? 1 : 0;
    }
    EXPECT_EQ(found, 1u) << "somewhere else";
    expect_lifted(3, "AB");
    for (u64 sector = 0; sector < 1000; ++sector) {
        EXPECT_TRUE(sector - 3 < 2 || block.on_medium(sector, 1) == ".") << sector;
    }
}

TEST_F(BlockFaults, ATornWrite) {
    std::set<std::string> shapes;
    for (u64 i = 0; i < 30; ++i) {
        u64 const sector = 10 + i * 4;
        write_and_flush(sector, "abcd");
        block.bench.plan({{block_torn_write, {1}}});
        write_and_flush(sector, "ABCD");
        block.bench.plan({});
        std::string const held = block.on_medium(sector, 4);
        EXPECT_NE(held, "ABCD");
        EXPECT_NE(held, "abcd");
        shapes.insert(held);
        expect_lifted(sector, "ABCD");
    }
    auto const has = [&](auto const& is) { return std::ranges::any_of(shapes, is); };
    EXPECT_TRUE(has([](std::string const& s) { return s[0] == 'A'; })) << "its begin";
    EXPECT_TRUE(has([](std::string const& s) { return s[3] == 'D' && s[0] == 'a'; })) << "its end";
    EXPECT_TRUE(has([](std::string const& s) { return s[0] == 'a' && s[3] == 'd'; }))
        << "its middle";
}

TEST_F(BlockFaults, AMisdirectedRead) {
    for (u64 sector = 0; sector < 1000; sector += 8) {
        EXPECT_EQ(block.write(sector, sector < 100 ? "aaaaaaaa" : "zzzzzzzz"), 0);
    }
    block.bench.plan({{block_misdirected_read, {1, 2, 3, 4, 5}}});
    std::string got;
    for (u32 i = 0; i < 5; ++i) {
        got += block.read(0, 1);
    }
    EXPECT_NE(got.find('z'), std::string::npos) << got;
    EXPECT_EQ(block.read(0, 1), "a") << "the medium is as it was";
    EXPECT_EQ(block.device.medium().damaged(), 0u);
}

TEST_F(BlockFaults, AStaleRead) {
    write_and_flush(3, "a");
    write_and_flush(3, "b");
    block.bench.plan({{block_stale_read, {1, 3}}});
    EXPECT_EQ(block.read(3, 1), "a");
    EXPECT_EQ(block.read(3, 1), "b");
    EXPECT_EQ(block.write(3, "c"), 0);
    EXPECT_EQ(block.read(3, 1), "b") << "what the cache has is newer";
    EXPECT_EQ(block.read(3, 1), "c");
}

TEST_F(BlockFaults, BitRotIsClusteredAndStays) {
    for (u64 const bits : {1u, 7u, 64u}) {
        write_and_flush(3, "a");
        block.bench.plan({{block_bit_rot, {1}, bits}});
        EXPECT_EQ(block.read(3, 1), "?");
        EXPECT_EQ(block.read(3, 1), "?");
        SectorBytes const held = block.device.medium().read(3);
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

TEST_F(BlockFaults, AZeroedSector) {
    write_and_flush(3, "a");
    block.bench.plan({{block_zeroed, {1}}});
    EXPECT_EQ(block.read(3, 1), ".");
    EXPECT_EQ(block.read(3, 1), ".");
    expect_lifted(3, "a");
}

TEST_F(BlockFaults, Errors) {
    write_and_flush(3, "a");
    block.bench.plan({{block_read_error, {1}}, {block_write_error, {1}}});
    EXPECT_EQ(block.read(3, 1), "status 3");
    EXPECT_EQ(block.read(3, 1), "a");
    EXPECT_EQ(block.write(3, "b"), ring::status_medium);
    EXPECT_EQ(block.read(3, 1), "a");
    EXPECT_EQ(block.write(3, "b"), ring::status_done);
}

TEST_F(BlockFaults, ARequestThatTakesLonger) {
    block.bench.plan({{block_late, {2}, 7'000'000}});
    EXPECT_EQ(block.write(3, "a"), 0);
    EXPECT_LT(block.bench.now_ns(), 100'000u);
    EXPECT_EQ(block.write(3, "b"), 0);
    EXPECT_GT(block.bench.now_ns(), 7'000'000u);
}

TEST_F(BlockFaults, AReorderedWrite) {
    block.bench.plan({{block_reordered, {1}}});
    block.submit_write(3, "a", 0, 0);
    block.submit_write(3, "b", 0, 1);
    block.bench.run();
    auto const all = block.bench.take();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].token, 1u);
    EXPECT_EQ(all[1].token, 0u);
    EXPECT_EQ(block.read(3, 1), "a") << "the first one came last";
}

TEST_F(BlockFaults, LostAndDoubledCompletions) {
    block.bench.plan({{block_lost_completion, {1}}, {block_duplicate_completion, {1}}});
    block.submit_write(3, "a", 0, 8);
    block.bench.run();
    EXPECT_TRUE(block.bench.take().empty());
    block.submit_write(4, "b", 0, 9);
    block.bench.run();
    auto const all = block.bench.take();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].token, 9u);
    EXPECT_EQ(all[1].token, 9u);
    EXPECT_EQ(block.read(3, 2), "ab") << "both were done";
}

TEST_F(BlockFaults, AFlushThatIsIgnored) {
    u32 lost = 0;
    for (u64 seed = 0; seed < 20; ++seed) {
        BlockBench it({.sectors = 100, .seed = seed});
        it.bench.plan({{block_flush_ignored, {1}}});
        EXPECT_EQ(it.write(3, "a"), 0);
        EXPECT_EQ(it.flush(), 0);
        EXPECT_EQ(it.device.cached_writes(), 1u);
        it.cut_power();
        lost += it.read(3, 1) == "." ? 1 : 0;
        it.device.lift_faults();
        EXPECT_EQ(it.read(3, 1), "a") << "without the fault it had been durable";
    }
    EXPECT_GT(lost, 5u);
}

TEST_F(BlockFaults, AWriteThatArrivesHeals) {
    block.bench.plan({{block_lost_write, {1}}});
    write_and_flush(3, "a");
    EXPECT_EQ(block.device.medium().damaged(), 1u);
    write_and_flush(3, "b");
    EXPECT_EQ(block.device.medium().damaged(), 0u);
    EXPECT_EQ(block.read(3, 1), "b");
}

TEST_F(BlockFaults, OneFaultLessChangesNoOtherDraw) {
    auto const run = [](std::vector<Fails> const& fails) {
        BlockBench it({.sectors = 1000, .seed = 9});
        it.bench.plan(fails);
        for (u32 i = 0; i < 8; ++i) {
            EXPECT_EQ(it.write(i * 10, "abcd"), 0);
            EXPECT_EQ(it.flush(), 0);
        }
        return it.on_medium(70, 4) + std::to_string(it.bench.now_ns());
    };
    std::string const both = run({{block_torn_write, {2, 8}}});
    EXPECT_EQ(run({{block_torn_write, {8}}}), both);
    EXPECT_NE(run({{block_torn_write, {2}}}), both);
}

} // namespace
