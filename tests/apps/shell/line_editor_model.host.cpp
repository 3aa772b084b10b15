// Random keys against plain models: what the line becomes (a vector of clusters that is edited),
// and what the screen shows of it (shown.hpp), on screens from 1x1 to 80x24, of changing size.
#include "tests/apps/shell/shown.hpp"

#include <gtest/gtest.h>

#include <random>

namespace {

using namespace twofold;
using namespace twofold::shell;
using namespace twofold::shell::testing;

/// A line as what it is made of, and a cursor between.
struct Model {
    std::vector<std::string> clusters;
    usize cursor = 0;
    std::vector<std::string> killed;

    std::string line() const { return joined(0, clusters.size()); }
    usize cursor_bytes() const { return joined(0, cursor).size(); }
    std::string joined(usize from, usize to) const {
        std::string text;
        for (usize i = from; i < to; ++i) {
            text += clusters[i];
        }
        return text;
    }
    void insert(std::vector<std::string> const& more) {
        clusters.insert(clusters.begin() + static_cast<i64>(cursor), more.begin(), more.end());
        cursor += more.size();
    }
    void erase(usize from, usize to, bool kills) {
        auto const begin = clusters.begin() + static_cast<i64>(from);
        auto const end = clusters.begin() + static_cast<i64>(to);
        if (kills && from < to) {
            killed.assign(begin, end);
        }
        clusters.erase(begin, end);
        cursor = from;
    }
    static bool is_word(std::string const& cluster) {
        return cluster.size() > 1 || std::isalnum(static_cast<u8>(cluster[0])) != 0;
    }
    usize word_left() const {
        usize at = cursor;
        while (at > 0 && !is_word(clusters[at - 1])) {
            --at;
        }
        while (at > 0 && is_word(clusters[at - 1])) {
            --at;
        }
        return at;
    }
    usize word_right() const {
        usize at = cursor;
        while (at < clusters.size() && !is_word(clusters[at])) {
            ++at;
        }
        while (at < clusters.size() && is_word(clusters[at])) {
            ++at;
        }
        return at;
    }
};

/// A key, and what it does to the model. Between two kills lies always another key.
struct Step {
    char const* bytes;
    void (*apply)(Model&);
};

Step const steps[] = {
    {"\x01", [](Model& m) { m.cursor = 0; }},
    {"\x05", [](Model& m) { m.cursor = m.clusters.size(); }},
    {"\x1B[H", [](Model& m) { m.cursor = 0; }},
    {"\x1B[4~", [](Model& m) { m.cursor = m.clusters.size(); }},
    {"\x02", [](Model& m) { m.cursor -= m.cursor > 0; }},
    {"\x1B[D", [](Model& m) { m.cursor -= m.cursor > 0; }},
    {"\x1BOD", [](Model& m) { m.cursor -= m.cursor > 0; }},
    {"\x06", [](Model& m) { m.cursor += m.cursor < m.clusters.size(); }},
    {"\x1B[C", [](Model& m) { m.cursor += m.cursor < m.clusters.size(); }},
    {"\x7F", [](Model& m) { m.erase(m.cursor - (m.cursor > 0), m.cursor, false); }},
    {"\x1B[3~",
     [](Model& m) { m.erase(m.cursor, m.cursor + (m.cursor < m.clusters.size()), false); }},
    {"\x0B\x07", [](Model& m) { m.erase(m.cursor, m.clusters.size(), true); }},
    {"\x15\x07", [](Model& m) { m.erase(0, m.cursor, true); }},
    {"\x1B"
     "d\x07",
     [](Model& m) { m.erase(m.cursor, m.word_right(), true); }},
    {"\x1B\x7F\x07", [](Model& m) { m.erase(m.word_left(), m.cursor, true); }},
    {"\x1B"
     "b",
     [](Model& m) { m.cursor = m.word_left(); }},
    {"\x1B[1;5C", [](Model& m) { m.cursor = m.word_right(); }},
    {"\x19", [](Model& m) { m.insert(m.killed); }},
    {"\x14",
     [](Model& m) {
         usize const middle = m.cursor - (m.cursor > 0 && m.cursor == m.clusters.size());
         if (middle > 0) {
             std::swap(m.clusters[middle - 1], m.clusters[middle]);
             m.cursor = middle + 1;
         }
     }},
};

constexpr char const* clusters[] = {
    "a", "b", "z", "0", " ", "-", "\u00E9", "\u4E00", "\uFF21", "e\u0301", "\u4E00\u0301\u0302"};

class Play {
public:
    Play(u32 seed, ScreenSize size) : m_random(seed), m_console(size) {
        m_console.prompt = below(3) == 0 ? "\u4E00longer> " : "> ";
        m_console.session << "before\r\n";
        m_console.begin();
    }
    u32 below(u32 end) { return static_cast<u32>(m_random() % end); }

    void step() {
        u32 const kind = below(10);
        if (kind < 5 || m_model.clusters.size() > 300) {
            std::string const cluster = clusters[below(std::size(clusters))];
            m_console.type(cluster);
            m_model.insert({cluster});
        } else {
            Step const& step = steps[below(std::size(steps))];
            m_console.type(step.bytes);
            step.apply(m_model);
        }
    }
    void check() {
        ASSERT_EQ(m_console.editor.line(), m_model.line());
        ASSERT_EQ(m_console.editor.cursor(), m_model.cursor_bytes());
        std::optional<std::string> const found = difference(m_console);
        ASSERT_FALSE(found.has_value()) << *found;
    }
    void resize(ScreenSize size) { m_console.resize(size); }
    void undo_all() {
        for (u32 i = 0; i < 5000 && m_console.session.terminal.bells() == 0; ++i) {
            m_console.type("\x1F");
        }
        ASSERT_EQ(m_console.session.terminal.bells(), 1u);
        ASSERT_EQ(m_console.editor.line(), "");
        std::optional<std::string> const found = difference(m_console);
        ASSERT_FALSE(found.has_value()) << *found;
    }

private:
    std::mt19937 m_random;
    Console m_console;
    Model m_model;
};

void play(u32 seed, ScreenSize size, bool resizes) {
    SCOPED_TRACE(
        "seed " + std::to_string(seed) + ", " + std::to_string(size.columns) + "x" +
        std::to_string(size.rows));
    Play game(seed, size);
    for (u32 i = 0; i < 200; ++i) {
        game.step();
        if (resizes && game.below(10) == 0) {
            game.resize({1 + game.below(40), 1 + game.below(10)});
        }
        game.check();
        if (::testing::Test::HasFatalFailure()) {
            return;
        }
    }
    game.undo_all();
}

TEST(LineEditorModel, ScreensOfAllSizesShowTheLine) {
    constexpr ScreenSize sizes[] = {{1, 1},  {1, 5},  {2, 1},  {2, 2},  {3, 2},  {5, 1},  {5, 3},
                                    {8, 24}, {10, 4}, {20, 2}, {33, 7}, {80, 1}, {80, 24}};
    u32 seed = 1;
    for (ScreenSize const size : sizes) {
        for (u32 i = 0; i < 12 && !HasFatalFailure(); ++i) {
            play(seed++, size, false);
        }
    }
}

TEST(LineEditorModel, ScreensThatChangeTheirSizeShowTheLine) {
    for (u32 seed = 1000; seed < 1100 && !HasFatalFailure(); ++seed) {
        play(seed, {10, 5}, true);
    }
}

/// Lines with line feeds, controls, and marks without a character; here the editor's own line is
/// what is to be shown.
TEST(LineEditorModel, ScreensShowAllThatALineCanHold) {
    constexpr char const* pieces[] = {
        "a",      "\u4E00", "\u0301", " ",    "\x1B\r", "\x1B[200~\t\x01\n\x7F\x1B[201~",
        "\x1B[D", "\x1B[A", "\x1B[B", "\x7F", "\x1B[C", "\x01",
        "\x0B",   "\x19",   "\x14",   "\x1F", "\x05",   "bc",
        "\x17",   "\x1B[3~"};
    for (u32 seed = 0; seed < 150; ++seed) {
        std::mt19937 random(seed);
        ScreenSize const size{
            1 + static_cast<u32>(random() % 12), 1 + static_cast<u32>(random() % 8)};
        Console console(size);
        console.begin();
        for (u32 i = 0; i < 150; ++i) {
            console.type(pieces[random() % std::size(pieces)]);
            std::optional<std::string> const found = difference(console);
            ASSERT_FALSE(found.has_value()) << "seed " << seed << ", " << size.columns << "x"
                                            << size.rows << ", key " << i << ": " << *found;
        }
    }
}

/// Text that comes at once is drawn once, and looks as if it had come bit by bit.
TEST(LineEditorModel, RareRefreshesShowTheSame) {
    for (u32 seed = 0; seed < 60; ++seed) {
        std::mt19937 random(seed);
        Console console({1 + static_cast<u32>(random() % 20), 1 + static_cast<u32>(random() % 6)});
        console.begin();
        for (u32 i = 0; i < 300; ++i) {
            std::string_view const bytes = random() % 2 == 0
                                               ? clusters[random() % std::size(clusters)]
                                               : steps[random() % std::size(steps)].bytes;
            for (char const byte : bytes) {
                ASSERT_EQ(console.editor.take(static_cast<u8>(byte)), Action::none);
                if (random() % 8 == 0) {
                    console.editor.refresh();
                    std::optional<std::string> const found = difference(console);
                    ASSERT_FALSE(found.has_value()) << "seed " << seed << ": " << *found;
                }
            }
        }
    }
}

} // namespace
