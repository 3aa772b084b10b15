// The edge registry: records of 12 bytes, the newest ones kept, and noted by the code that takes
// rare paths.
#include "core/boot/boot.hpp"
#include "core/memory/memory.hpp"
#include "core/sync/sync.hpp"
#include "core/trace/trace.hpp"
#include "tests/support/test.hpp"

namespace twofold::trace {
namespace {

constexpr EdgeSite site(u32 line) {
    return EdgeSite::at(Edge::frames_misused, 1, line);
}

TEST(FlightRing, KeepsTheNewestInOrder) {
    FlightRing ring{};
    u32 seen = 0;
    ring.for_each([&](FlightRecord const&) { ++seen; });
    EXPECT_EQ(seen, 0u);
    u32 const total = FlightRing::capacity + 5;
    for (u32 line = 0; line < total; ++line) {
        ring.push(site(line), u64{line} << FlightRing::tick_shift);
    }
    EXPECT_EQ(ring.written(), total);
    ring.for_each([&](FlightRecord const& record) {
        u32 const line = total - FlightRing::capacity + seen++;
        FlightRecord const expected{Edge::frames_misused, 1, line, line};
        EXPECT_TRUE(record == expected);
    });
    EXPECT_EQ(seen, FlightRing::capacity);
}

TEST(FlightRing, KeepsEveryBitOfARecord) {
    FlightRing ring{};
    ring.push(EdgeSite::at(static_cast<Edge>(0xfedc), 0xba98, 0x7654'3210), u64{0xffff'ffff} << 10);
    ring.for_each([&](FlightRecord const& record) {
        EXPECT_EQ(static_cast<u16>(record.edge), 0xfedc);
        EXPECT_EQ(record.file, 0xba98);
        EXPECT_EQ(record.line, 0x7654'3210u);
        EXPECT_EQ(record.tick, 0xffff'ffffu);
    });
    EXPECT_EQ(edge_name(static_cast<Edge>(0xfedc)), "unknown edge");
    EXPECT_EQ(edge_file_name(0xba98), "?");
}

TEST(FlightRing, IsFilledByWhatGoesWrong) {
    FlightRing const& flight = sync::cpu_state()->flight;
    u32 const before = flight.written();
    memory::BuddyFrames& frames = *boot::current_kernel().frames;
    EXPECT_FALSE(frames.free({1}, 0).has_value());
    EXPECT_EQ(flight.written(), before + 1);
    FlightRecord last{};
    flight.for_each([&](FlightRecord const& record) { last = record; });
    EXPECT_EQ(edge_name(last.edge), "frames misused");
    EXPECT_EQ(edge_file_name(last.file), "core/memory/frames/buddy_frames.cpp");
    EXPECT_GT(last.line, 0u);
}

} // namespace
} // namespace twofold::trace
