// The slot ring under the log and the event ring, and those two.
#include "core/trace/trace.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::trace;

TEST(SlotRing, IsEmptyAtFirst) {
    SlotRing<2, 8> ring;
    unsigned visits = 0;
    ring.for_each([&](u64, auto const&) { ++visits; });
    EXPECT_EQ(visits, 0u);
    EXPECT_EQ(ring.written(), 0u);
    EXPECT_EQ(ring.dropped(), 0u);
    EXPECT_FALSE(ring.read(0).has_value());
    EXPECT_FALSE(ring.read(1).has_value());
}

TEST(SlotRing, KeepsTheLastLapInOrder) {
    SlotRing<1, 8> ring;
    for (u64 total = 1; total <= 40; ++total) {
        ring.push({total * 7});
        u64 expected = total > 8 ? total - 7 : 1;
        ASSERT_EQ(ring.oldest(), expected);
        ring.for_each([&](u64 number, auto const& words) {
            EXPECT_EQ(number, expected);
            EXPECT_EQ(words[0], number * 7);
            ++expected;
        });
        ASSERT_EQ(expected, total + 1);
    }
}

TEST(SlotRing, RefusesOverwrittenAndFutureRecords) {
    SlotRing<1, 4> ring;
    for (u64 i = 1; i <= 6; ++i) {
        ring.push({i});
    }
    EXPECT_FALSE(ring.read(2).has_value());
    EXPECT_TRUE(ring.read(3).has_value());
    EXPECT_TRUE(ring.read(6).has_value());
    EXPECT_FALSE(ring.read(7).has_value());
    EXPECT_FALSE(ring.read(~u64{0}).has_value());
}

TEST(SlotRing, AWriterInsideAReaderIsSeenWholeOrNotAtAll) {
    SlotRing<2, 2> ring;
    ring.push({1, 10});
    ring.push({2, 20});
    unsigned visits = 0;
    ring.for_each([&](u64, auto const& words) {
        EXPECT_EQ(words[1], words[0] * 10);
        ring.push({3, 30}); // these two overtake what would be read next
        ring.push({4, 40});
        ++visits;
    });
    EXPECT_EQ(visits, 1u);
    EXPECT_EQ(ring.written(), 4u);
}

TEST(EventRing, KeepsEveryField) {
    EventRing ring;
    Event const event{
        .cycles = ~u64{0}, .kind = EventKind::scenario_value, .cpu = {~u32{0}}, .a = 1, .b = 2};
    ring.push(event);
    unsigned visits = 0;
    ring.for_each([&](Event const& seen) {
        EXPECT_TRUE(seen == event);
        ++visits;
    });
    EXPECT_EQ(visits, 1u);
}

TEST(EventRing, ShowsOnlyTheLast) {
    EventRing ring;
    for (u64 i = 0; i < 3 * EventRing::capacity; ++i) {
        ring.push({.cycles = i, .kind = EventKind::test_begin, .cpu = {}, .a = i, .b = 0});
    }
    u64 expected = 3 * EventRing::capacity - 5;
    ring.for_last(5, [&](Event const& event) { EXPECT_EQ(event.a, expected++); });
    EXPECT_EQ(expected, 3 * EventRing::capacity);
    unsigned none = 0;
    ring.for_last(0, [&](Event const&) { ++none; });
    EXPECT_EQ(none, 0u);
}

TEST(EventRing, NamesItsKinds) {
    for (usize i = 0; i < event_kind_count; ++i) {
        EXPECT_NE(event_name(static_cast<EventKind>(i)), std::string_view("unknown event"));
    }
    EXPECT_EQ(
        event_name(static_cast<EventKind>(event_kind_count)), std::string_view("unknown event"));
}

TEST(LogRing, KeepsTextLevelAndProcessor) {
    LogRing ring;
    ring.push(5, {2}, LogLevel::warning, "eight by eight");
    unsigned visits = 0;
    ring.for_each([&](LogEntry const& entry) {
        EXPECT_EQ(entry.text(), std::string_view("eight by eight"));
        EXPECT_EQ(entry.level, LogLevel::warning);
        EXPECT_EQ(entry.cpu, CpuId{2});
        EXPECT_EQ(entry.cycles, 5u);
        ++visits;
    });
    EXPECT_EQ(visits, 1u);
}

TEST(LogRing, CutsLongTextAtItsCapacity) {
    LogRing ring;
    char text[LogEntry::text_capacity + 1];
    for (char& letter : text) {
        letter = 'x';
    }
    text[LogEntry::text_capacity] = 'y';
    ring.push(0, {}, LogLevel::info, {text, sizeof(text)});
    ring.for_each([&](LogEntry const& entry) {
        EXPECT_EQ(entry.text().size(), LogEntry::text_capacity);
        EXPECT_EQ(entry.text().back(), 'x');
    });
}

TEST(LogRing, KeepsBytesAboveAscii) {
    LogRing ring;
    ring.push(0, {}, LogLevel::error, "\xc3\xa9\xff");
    ring.for_each(
        [](LogEntry const& entry) { EXPECT_EQ(entry.text(), std::string_view("\xc3\xa9\xff")); });
    EXPECT_EQ(level_name(LogLevel::error), std::string_view("error"));
    EXPECT_EQ(level_name(static_cast<LogLevel>(77)), std::string_view("unknown level"));
}
