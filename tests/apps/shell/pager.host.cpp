// The pager key by key, and random keys against a model of the place on screens of all sizes.
#include "apps/shell/pager.hpp"
#include "tests/apps/shell/console.hpp"

#include <gtest/gtest.h>

#include <random>

namespace {

using namespace twofold;
using namespace twofold::shell;
using namespace twofold::shell::testing;

struct Viewer {
    explicit Viewer(ScreenSize size) : session(size), pager(any, output(), size) {
        session << "before";
    }
    Output output() {
        return {this, [](void* self, std::string_view bytes) {
                    static_cast<Viewer*>(self)->session << bytes;
                }};
    }
    void show(std::string const& text) {
        pager.add(text).value();
        pager.begin();
        pager.refresh();
    }
    Pager::Action type(std::string_view bytes) {
        Pager::Action action = Pager::Action::none;
        for (char const byte : bytes) {
            action = pager.take(static_cast<u8>(byte));
            if (action == Pager::Action::quit) {
                break;
            }
            pager.refresh();
        }
        return action;
    }
    void resize(ScreenSize size) {
        session.memory.resize(size).value();
        pager.resize(size);
        pager.refresh();
    }

    text::testing::Session session;
    LimitedAllocator allocator;
    AnyAllocator any{allocator};
    Pager pager;
};

using Rows = std::vector<std::string>;

/// Lines "0" to "count - 1".
std::string numbered(usize count) {
    std::string text;
    for (usize i = 0; i < count; ++i) {
        text += std::to_string(i) + "\n";
    }
    return text;
}

TEST(Pager, KeysMove) {
    struct {
        char const* keys;
        usize top;
    } const cases[] = {
        {"", 0},
        {" ", 4},
        {"f", 4},
        {"  b", 4},
        {"\x1B[6~", 4},
        {"j", 1},
        {"\r", 1},
        {"\x1B[B", 1},
        {"jjk", 1},
        {"jj\x1B[A", 1},
        {"d", 2},
        {" u", 2},
        {"G", 16},
        {"Gg", 0},
        {"\x1B[F", 16},
        {"G\x1B[H", 0},
        {"k", 0},
        {"b", 0},
        {"G ", 16},
        {"G\x1B[5~", 12},
        {"/7\r", 7},
        {"/1\rn", 10},
        {"/1\rnnN", 10},
        {"/99\r", 0},
        {"jj/1\r", 10},
        {"/1\x7F"
         "5\r",
         5},
        {"/5\x07j", 1},
        {"/\x7Fj", 1},
        {"/5\r/\r", 15},
        {"n", 0},
        {"/19\r", 16},
        {"/\x1B[Aj\x03", 0},
    };
    for (auto const& one : cases) {
        SCOPED_TRACE(one.keys);
        Viewer viewer({40, 5});
        viewer.show(numbered(20));
        EXPECT_EQ(viewer.type(one.keys), Pager::Action::none);
        EXPECT_EQ(viewer.pager.top(), one.top);
        EXPECT_EQ(viewer.session.row(0), std::to_string(one.top));
    }
}

TEST(Pager, ShowsTextAndStatus) {
    Viewer viewer({40, 4});
    viewer.show("one\ntwo\tx\n\nfour");
    EXPECT_EQ(
        viewer.session.rows(), (Rows{"one", "two^Ix", "", "lines 1-3 of 4  (q: quit, /: search)"}));
    viewer.type(" /o");
    EXPECT_EQ(viewer.session.rows(), (Rows{"two^Ix", "", "four", "/o"}));
    EXPECT_EQ(viewer.session.screen.cursor(), (text::Cursor{3, 2}));
    viewer.type("\x07g/o\r");
    auto const look = [&](u32 row, u32 column) {
        return viewer.session.screen.row(row)[column].attributes();
    };
    EXPECT_EQ(look(0, 0), text::Attributes::inverse);
    EXPECT_EQ(look(0, 1), text::Attributes::none);
    EXPECT_EQ(look(1, 2), text::Attributes::inverse);
    viewer.type("/nowhere\r");
    EXPECT_EQ(viewer.session.rows().back(), "not found");
    EXPECT_EQ(viewer.type("q"), Pager::Action::quit);
    EXPECT_EQ(viewer.session.rows(), (Rows{"before"})) << "the screen is given back";
}

TEST(Pager, LongLinesAreSeenInParts) {
    Viewer viewer({8, 3});
    viewer.show("abcdefghijklm\n1234567\u4E00x\n");
    EXPECT_EQ(viewer.session.row(0), "abcdefgh");
    EXPECT_EQ(viewer.session.row(1), "1234567") << "half of a wide character is blank";
    viewer.type("\x1B[C");
    EXPECT_EQ(viewer.session.row(0), "efghijkl");
    EXPECT_EQ(viewer.session.row(1), "567\u4E00x");
    viewer.type("\x1B[C");
    EXPECT_EQ(viewer.session.row(1), " x");
    viewer.type("\x1B[D\x1B[D\x1B[D");
    EXPECT_EQ(viewer.session.row(0), "abcdefgh");
}

TEST(Pager, KnowsWhetherTextFits) {
    struct {
        char const* text;
        bool fits;
    } const cases[] = {
        {"", true},
        {"a\nb\nc\n", true},
        {"a\nb\nc\nd", false},
        {"12345678", true},
        {"123456789", false}};
    for (auto const& one : cases) {
        Viewer viewer({8, 4});
        viewer.pager.add(one.text).value();
        EXPECT_EQ(viewer.pager.fits(), one.fits) << one.text;
    }
}

TEST(Pager, TextComesInPieces) {
    Viewer viewer({8, 4});
    for (char const* const piece : {"a", "b\n", "\n", "c", "\nd"}) {
        viewer.pager.add(piece).value();
    }
    ASSERT_EQ(viewer.pager.lines(), 4u);
    EXPECT_EQ(viewer.pager.line(0), "ab");
    EXPECT_EQ(viewer.pager.line(1), "");
    EXPECT_EQ(viewer.pager.line(2), "c");
    EXPECT_EQ(viewer.pager.line(3), "d");
}

TEST(Pager, EndsInTheMiddleOfAnything) {
    for (char const* const keys :
         {"", "/", "/1", "/\xE4\xB8", "\x1B", "\x1B[", "\x1B[200~1", "j/2\r"}) {
        Viewer viewer({20, 5});
        viewer.show(numbered(30));
        EXPECT_EQ(viewer.type(keys), Pager::Action::none);
        viewer.pager.end();
        EXPECT_EQ(viewer.session.rows()[0], "before") << keys;
    }
}

TEST(Pager, LivesWithoutMemory) {
    Viewer viewer({20, 4});
    viewer.show(numbered(50));
    viewer.allocator.limit(0);
    viewer.resize({60, 20});
    viewer.type(" /4\r");
    EXPECT_EQ(viewer.session.row(0), "out of memory");
    viewer.allocator.limit(-1);
    viewer.type("gj");
    EXPECT_EQ(viewer.session.row(0), "1");
    EXPECT_EQ(viewer.session.row(18), "19");
    std::string const much(100'000, 'x');
    viewer.allocator.limit(0);
    EXPECT_EQ(viewer.pager.add(much).error(), Error::out_of_memory);
    EXPECT_EQ(viewer.pager.lines(), 50u);
}

/// The rows show the lines from the top on, whatever keys came and however large the screen is.
TEST(Pager, ShowsItsPlaceOnAllScreens) {
    constexpr char const* keys[] = {" ",   "b",      "j",      "k",       "d",       "u",
                                    "g",   "G",      "\r",     "n",       "N",       "/1\r",
                                    "/\r", "\x1B[A", "\x1B[B", "\x1B[5~", "\x1B[6~", "/3\x07"};
    for (u32 seed = 0; seed < 200; ++seed) {
        std::mt19937 random(seed);
        ScreenSize size{3 + static_cast<u32>(random() % 20), 1 + static_cast<u32>(random() % 8)};
        if (seed % 4 == 0) {
            size = {1, 1};
        }
        Viewer viewer(size);
        usize const count = random() % 40;
        viewer.show(numbered(count));
        for (int i = 0; i < 60; ++i) {
            viewer.type(keys[random() % std::size(keys)]);
            if (size.columns > 2 && random() % 8 == 0) {
                size.rows = 1 + static_cast<u32>(random() % 8);
                viewer.resize(size);
            }
            ASSERT_EQ(viewer.pager.lines(), count);
            u32 const rows = size.rows - 1; // the last one may be the status
            for (u32 row = 0; row < rows; ++row) {
                usize const line = viewer.pager.top() + row;
                std::string const wanted = line < count ? std::to_string(line) : "";
                ASSERT_EQ(viewer.session.row(row), wanted) << "seed " << seed << " key " << i;
            }
            usize const text_rows = std::max(rows, 1u);
            ASSERT_LE(viewer.pager.top() + std::min<usize>(text_rows, count), count);
        }
        ASSERT_EQ(viewer.type("q"), Pager::Action::quit);
    }
}

} // namespace
