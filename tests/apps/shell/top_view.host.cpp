// What `top` draws, seen on a terminal's screen of any size.
#include "apps/shell/top_view.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace twofold;
using namespace twofold::shell;

namespace {

/// What was drawn on a screen, as text.
struct Drawn {
    std::vector<std::string> rows;
    u32 scrolled_out = 0;

    Drawn(TopSample const& sample, TopHistory const& history, text::ScreenSize size) {
        std::vector<std::byte> memory(text::Screen::bytes_needed(size, 50).value);
        text::Screen screen = text::Screen::create(memory, size, 50).value();
        text::Terminal terminal(screen, {nullptr, [](void*, std::string_view) {}});
        Output const out{&terminal, [](void* to, std::string_view text) {
                             static_cast<text::Terminal*>(to)->write(text);
                         }};
        draw_top(sample, history, size, out);
        std::vector<char> room(screen.row_text_bytes());
        screen.walk(room, [this](u32, std::string_view row) { rows.emplace_back(row); });
        scrolled_out = screen.history_size();
    }
};

struct Example {
    std::vector<u16> cpus{1000, 500, 0};
    std::vector<TopThread> threads{{7, "busy", "eevdf", 1, 456, 12}, {1, "main", "idle", 0, 0, 1}};
    std::vector<TopInterrupt> interrupts{{"deadlines", 1000}};
    TopSample sample;

    Example() {
        sample.title = "Twofold";
        sample.uptime_s = 3661;
        sample.cpus = cpus;
        sample.threads = threads;
        sample.threads_all = 2;
        sample.memory_kib = 65536;
        sample.memory_used_kib = 32768;
        sample.interrupts = interrupts;
        sample.late[1] = 80;
        sample.late[2] = 40;
    }
};

bool holds(std::vector<std::string> const& rows, std::string_view part) {
    return std::ranges::any_of(
        rows, [&](std::string const& row) { return row.find(part) != std::string::npos; });
}

} // namespace

TEST(TopView, ShowsWhatThereIs) {
    Example const example;
    TopHistory history;
    history.add(example.sample);
    Drawn const drawn(example.sample, history, {100, 40});
    EXPECT_TRUE(drawn.rows[0].starts_with(" Twofold   up 1:01:01   2 threads"));
    EXPECT_TRUE(drawn.rows[1].starts_with("cpu 0    [█")) << drawn.rows[1];
    EXPECT_TRUE(holds(drawn.rows, " 50.0 %]") || holds(drawn.rows, "50.0 %")) << drawn.rows[2];
    EXPECT_TRUE(holds(drawn.rows, "32 of 64 MiB"));
    EXPECT_TRUE(holds(drawn.rows, "1000  deadlines"));
    EXPECT_TRUE(holds(drawn.rows, "busy              eevdf"));
    EXPECT_TRUE(holds(drawn.rows, "45.6"));
}

TEST(TopView, FitsEveryScreenAndScrollsNone) {
    Example const example;
    TopHistory history;
    for (u32 i = 0; i < 300; ++i) {
        history.add(example.sample);
    }
    for (u32 columns : {1u, 2u, 9u, 20u, 36u, 79u, 80u, 132u, 300u}) {
        for (u32 rows : {1u, 2u, 5u, 17u, 18u, 24u, 28u, 60u}) {
            Drawn const drawn(example.sample, history, {columns, rows});
            EXPECT_EQ(drawn.scrolled_out, 0u) << columns << "x" << rows;
            std::string const title = std::string(" Twofold   ").substr(0, columns);
            EXPECT_TRUE((drawn.rows[0] + "   ").starts_with(title)) << columns << "x" << rows;
        }
    }
}

TEST(TopView, PlotsColumnsInEighths) {
    std::string text;
    Output const out{&text, [](void* to, std::string_view part) {
                         static_cast<std::string*>(to)->append(part);
                     }};
    std::vector<u16> const values{0, 125, 500, 1000, 5000};
    RowPen(out, 80).column_plot(values, 1000, 0, 2);
    RowPen(out, 80).column_plot(values, 1000, 1, 2);
    EXPECT_EQ(
        text, "   ██"
              " ▂███");
}

TEST(TopView, BarsAreExactToAnEighth) {
    for (u64 part = 0; part <= 80; ++part) {
        std::string text;
        Output const out{&text, [](void* to, std::string_view piece) {
                             static_cast<std::string*>(to)->append(piece);
                         }};
        RowPen(out, 10).bar(part, 80, 10);
        u64 const whole = part / 8;
        std::string expected;
        for (u64 i = 0; i < whole; ++i) {
            expected += "█";
        }
        EXPECT_TRUE(text.starts_with(expected)) << part;
        EXPECT_EQ(text.find("█", expected.size()), std::string::npos) << part;
    }
}

TEST(TopView, HistoryKeepsTheNewest) {
    TopHistory history;
    TopSample sample;
    for (u64 i = 1; i <= TopHistory::periods_max + 10; ++i) {
        sample.interrupts_per_s = i;
        history.add(sample);
    }
    auto const last = history.interrupts(3);
    ASSERT_EQ(last.size(), 3u);
    EXPECT_EQ(last[0], TopHistory::periods_max + 8);
    EXPECT_EQ(last[2], TopHistory::periods_max + 10);
    EXPECT_EQ(history.cpus(1000).size(), TopHistory::periods_max);
}
