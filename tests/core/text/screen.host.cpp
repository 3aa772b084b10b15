// The screen: its history, other sizes, text and digest, and whether what it says has changed is
// all that has, compared with a copy that a view would keep.
#include "tests/core/memory/failing_allocator.hpp"
#include "tests/core/text/random_bytes.hpp"
#include "tests/core/text/screens.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace {

using namespace twofold;
using namespace twofold::text;
using namespace twofold::text::testing;

using Rows = std::vector<std::string>;

Rows history(Session const& session) {
    Rows rows;
    for (u32 i = 0; i < session.screen.history_size(); ++i) {
        rows.push_back(session.history_row(i));
    }
    return rows;
}

TEST(Screen, RefusesWhatItCannotBe) {
    HostAllocator allocator;
    for (ScreenSize const size :
         {ScreenSize{0, 1}, {1, 0}, {columns_max + 1, 1}, {1, rows_max + 1}, {~0u, ~0u}}) {
        EXPECT_EQ(
            ScreenMemory<HostAllocator>::create(allocator, size, 0).error(), Error::out_of_range);
    }
    EXPECT_EQ(
        ScreenMemory<HostAllocator>::create(allocator, {80, 25}, history_rows_max + 1).error(),
        Error::out_of_range);
    EXPECT_EQ(allocator.blocks(), 0u);
    std::vector<std::byte> memory(Screen::bytes_needed({80, 25}, 10).value);
    EXPECT_TRUE(Screen::create(memory, {80, 25}, 10));
    EXPECT_EQ(Screen::create(std::span(memory).first(80), {80, 25}, 10).error(), Error::no_space);
}

TEST(Screen, NeedsWhatItSays) {
    for (ScreenSize const size : {ScreenSize{1, 1}, {3, 5}, {80, 25}, {columns_max, 2}}) {
        for (u32 const rows : {0u, 1u, 7u}) {
            usize const needed = Screen::bytes_needed(size, rows).value;
            for (usize const offset : {0u, 1u, 7u}) {
                std::vector<std::byte> memory(needed + offset);
                EXPECT_TRUE(Screen::create(std::span(memory).subspan(offset), size, rows));
            }
        }
    }
}

TEST(Screen, KeepsWhatScrollsOut) {
    Session session({4, 2}, 3);
    session << "1\r\n2\r\n3\r\n4";
    EXPECT_EQ(history(session), (Rows{"1", "2"}));
    session << "\r\n5\r\n6\r\n7";
    EXPECT_EQ(history(session), (Rows{"3", "4", "5"}));
    EXPECT_EQ(session.rows(), (Rows{"6", "7"}));
    session << "\x1B[9S";
    EXPECT_EQ(history(session), (Rows{"5", "6", "7"}));
    session << "\x1B[3J";
    EXPECT_EQ(history(session), Rows{});
    session << "\ra\r\nb\r\nc";
    EXPECT_EQ(history(session).back(), "a");
    EXPECT_TRUE(session.screen.verify());
}

TEST(Screen, KeepsNothingOfRegionsAndTheAlternatePlane) {
    Session session({4, 3}, 3);
    session << "1\r\n2\r\n3\x1B[2;3r\x1B[3H\n\n\x1B[r\x1B[2H\x1B[M";
    EXPECT_EQ(history(session), Rows{});
    session << "\x1B[?1049h1\r\n2\r\n3\r\n4\x1B[?1049l";
    EXPECT_EQ(history(session), Rows{});
    session << "\x1B[1;2r\x1B[H\x1B[2J" << "a\r\nb\r\nc";
    EXPECT_EQ(history(session), Rows{"a"}); // a region at the top is one that is kept
    EXPECT_TRUE(session.screen.verify());
}

TEST(Screen, WithoutHistory) {
    Session session({4, 2}, 0);
    session << "1\r\n2\r\n3\x1B[3J";
    EXPECT_EQ(session.rows(), (Rows{"2", "3"}));
    EXPECT_EQ(session.screen.history_size(), 0u);
}

TEST(Screen, KnowsWhichRowsGoOn) {
    Session session({3, 3});
    session << "abcde\r\nf";
    EXPECT_TRUE(session.screen.is_wrapped(0));
    EXPECT_FALSE(session.screen.is_wrapped(1));
    session << "\x1B[1;2H\x1B[K";
    EXPECT_FALSE(session.screen.is_wrapped(0));
}

TEST(Screen, InAnotherSize) {
    Session session({6, 4}, 5);
    session << "one\r\ntwo\r\nthree\r\nfour";
    ASSERT_TRUE(session.memory.resize({3, 2}));
    EXPECT_EQ(session.rows(), (Rows{"thr", "fou"}));
    EXPECT_EQ(history(session), (Rows{"one", "two"}));
    EXPECT_EQ(session.screen.cursor(), (Cursor{1, 2}));
    ASSERT_TRUE(session.memory.resize({8, 5}));
    EXPECT_EQ(session.rows(), (Rows{"thr", "fou"}));
    EXPECT_EQ(history(session), (Rows{"one", "two"}));
    session << "!\r\n";
    EXPECT_EQ(session.rows(), (Rows{"thr", "fo!"}));
    EXPECT_EQ(session.allocator.blocks(), 1u);
}

TEST(Screen, BlankRowsBelowTheCursorGoFirst) {
    Session session({6, 5}, 5);
    session << "one\r\ntwo";
    ASSERT_TRUE(session.memory.resize({6, 2}));
    EXPECT_EQ(session.rows(), (Rows{"one", "two"}));
    EXPECT_EQ(session.screen.history_size(), 0u);
    session << "\x1B[H";
    ASSERT_TRUE(session.memory.resize({6, 1})); // the cursor stays in view
    EXPECT_EQ(session.rows(), Rows{"one"});
}

TEST(Screen, ResizedOnTheAlternatePlane) {
    Session session({6, 4}, 5);
    session << "one\r\ntwo\r\nthree\r\nfour\x1B[?1049h" << "x\r\ny\r\nz";
    ASSERT_TRUE(session.memory.resize({6, 2}));
    EXPECT_EQ(session.rows(), (Rows{"y", "z"}));
    session << "\x1B[?1049l!";
    EXPECT_EQ(session.rows(), (Rows{"three", "four!"}));
    EXPECT_EQ(history(session), (Rows{"one", "two"}));
}

TEST(Screen, AWideCharacterIsNotCut) {
    Session session({4, 1});
    session << "a\u4E00";
    ASSERT_TRUE(session.memory.resize({2, 1}));
    EXPECT_EQ(session.rows(), Rows{"a"});
    EXPECT_TRUE(session.screen.verify());
}

TEST(Screen, StaysAsItWasWithoutMemory) {
    HostAllocator host;
    memory::testing::FailingAllocator failing(host);
    using Memory = ScreenMemory<memory::testing::FailingAllocator<HostAllocator>>;
    failing.fail_at(1, false);
    EXPECT_EQ(Memory::create(failing, {4, 2}, 3).error(), Error::out_of_memory);
    {
        Memory memory = Memory::create(failing, {4, 2}, 3).value();
        memory.screen().write(0, 0, "abcd", {});
        u64 const before = memory.screen().digest();
        failing.fail_at(1, false);
        EXPECT_EQ(memory.resize({2, 2}).error(), Error::out_of_memory);
        EXPECT_EQ(memory.resize({0, 2}).error(), Error::out_of_range);
        EXPECT_EQ(memory.screen().digest(), before);
        EXPECT_TRUE(memory.resize({2, 2}));
        EXPECT_EQ(failing.out(), 1);
    }
    EXPECT_EQ(failing.out(), 0);
}

TEST(Screen, DigestsWhatIsSeen) {
    Session session({4, 2}, 2);
    session << "ab";
    u64 const first = session.screen.digest();
    for (std::string_view const change :
         {"\x1B[D", "\bX", "\x1B[D\x1B[1mb", "\x1B[D\x1B[31mb", "\x1B[D\x1B[41mb", "\x1B[?25l",
          "\x1B[3 q", "\u0301"}) {
        Session other({4, 2}, 2);
        other << "ab" << change;
        EXPECT_NE(other.screen.digest(), first) << ::testing::PrintToString(change);
    }
    // What scrolled out and how it came about are not seen.
    session << "\r\nx\r\n\r\nb\x1B[Ha\x1B[2H b";
    Session other({4, 2}, 0);
    other << "a\r\n b";
    EXPECT_EQ(session.rows(), other.rows());
    session << "\x1B[2J\x1B[H";
    other << "\x1B[2J\x1B[H";
    EXPECT_EQ(session.screen.digest(), other.screen.digest());
}

TEST(Screen, TextIsCutWhereTheRoomEnds) {
    Session session({4, 1});
    session << "a\u4E00b";
    char room[5] = {};
    EXPECT_EQ(session.screen.text_of(session.screen.row(0), std::span(room, 3)), "a");
    EXPECT_EQ(session.screen.text_of(session.screen.row(0), room), "a\u4E00b");
    EXPECT_EQ(session.screen.text_of(session.screen.row(0), {}), "");
}

/// What a view holds: it follows the scroll and the damaged columns, and nothing else.
struct Copy {
    explicit Copy(Screen const& screen) : rows(screen.size().rows) { follow(screen); }

    void follow(Screen const& screen) {
        Scroll const& scroll = screen.scroll();
        if (scroll.lines > 0) {
            std::move(
                rows.begin() + scroll.top + scroll.lines, rows.begin() + scroll.bottom,
                rows.begin() + scroll.top);
        }
        for (u32 at = 0; at < rows.size(); ++at) {
            std::span<Cell const> const cells = screen.row(at);
            rows[at].resize(cells.size());
            ColumnRange const range = screen.damage(at);
            for (u32 column = range.first; column < range.end; ++column) {
                rows[at][column] = cells[column];
            }
        }
    }
    bool equals(Screen const& screen) const {
        for (u32 at = 0; at < rows.size(); ++at) {
            if (!std::ranges::equal(rows[at], screen.row(at))) {
                return false;
            }
        }
        return true;
    }
    std::vector<std::vector<Cell>> rows;
};

TEST(Screen, NothingChangesWithoutDamage) {
    for (u32 seed = 0; seed < 120; ++seed) {
        RandomBytes random(seed);
        Session session({1 + seed % 12, 1 + seed % 7}, seed % 5);
        Copy copy(session.screen);
        session.screen.clear_damage();
        for (u32 round = 0; round < 100; ++round) {
            for (u32 parts = random.below(6); parts > 0; --parts) {
                session << random.part();
            }
            copy.follow(session.screen);
            session.screen.clear_damage();
            ASSERT_TRUE(copy.equals(session.screen)) << "seed " << seed << ", round " << round;
            ASSERT_TRUE(session.screen.verify()) << "seed " << seed << ", round " << round;
        }
    }
}

TEST(Screen, StaysSoundInAnySizes) {
    for (u32 seed = 0; seed < 80; ++seed) {
        RandomBytes random(seed);
        Session session({5, 5}, 4);
        for (u32 round = 0; round < 50; ++round) {
            session << random.part() << random.part();
            ASSERT_TRUE(session.memory.resize({1 + random.below(9), 1 + random.below(9)}));
            ASSERT_TRUE(session.screen.verify()) << "seed " << seed << ", round " << round;
            ASSERT_LT(session.screen.cursor().row, session.screen.size().rows);
        }
    }
}

} // namespace
