// See top_view.hpp.
#include "apps/shell/top_view.hpp"

#include <algorithm>

namespace twofold::shell {

namespace {

constexpr std::string_view heading = "7";
constexpr std::string_view strong = "1";
constexpr std::string_view faint = "2";
constexpr std::string_view plain = "0";
constexpr u32 plot_rows = 5;
constexpr u32 plots = 3;
constexpr u32 rows_for_plots = 18; ///< on lower screens there are none
constexpr std::string_view late_names[TopSample::late_steps] = {"< 1 us", "< 10 us", "< 100 us",
                                                                "< 1 ms", "< 10 ms", "more"};

/// Green, yellow or red, by how much of what there is is taken.
std::string_view look_of(u64 permille) {
    return permille < 600 ? "32" : permille < 850 ? "33" : "31";
}

/// The rows of a screen, as many as there are.
class Rows {
public:
    Rows(text::ScreenSize size, Output const& out) : m_size(size), m_out(out) {}

    bool any_left() const { return m_row < m_size.rows; }
    u32 left() const { return m_size.rows - m_row; }
    u32 columns() const { return m_size.columns; }
    /// Calls fill(RowPen&) for the next row, if there is one.
    template<class Fill>
    void add(Fill const& fill) {
        if (!any_left()) {
            return;
        }
        RowPen pen(m_out, m_size.columns);
        fill(pen);
        if (++m_row < m_size.rows) {
            pen.end();
        } else {
            pen.end_last(); // a line end would scroll
        }
    }
    void fill() {
        while (any_left()) {
            add([](RowPen&) {});
        }
    }

private:
    text::ScreenSize m_size;
    Output const& m_out;
    u32 m_row = 0;
};

void draw_heading(TopSample const& sample, Rows& rows) {
    rows.add([&](RowPen& pen) {
        pen.look(heading)
            .format(
                " {}   up {}:{:02}:{:02}   {} threads   {} switches/s   q quits", sample.title,
                sample.uptime_s / 3600, sample.uptime_s / 60 % 60, sample.uptime_s % 60,
                sample.threads_all, sample.switches_per_s)
            .blanks(rows.columns());
    });
}

void draw_meter(
    RowPen& pen, std::string_view name, u64 part, u64 whole, u32 columns, std::string_view what) {
    u64 const permille = whole == 0 ? 0 : part * 1000 / whole;
    u32 const fixed = 9 + 2 + static_cast<u32>(what.size()) + 1;
    u32 const width = columns > fixed ? columns - fixed : 0;
    pen.field(name, 9).text("[").look(look_of(permille)).bar(part, whole, width).look(plain);
    pen.text("]").text(what).text(" ");
}

/// A meter for each processor, in as many columns as they need; those that find no room are left
/// out.
void draw_processors(TopSample const& sample, Rows& rows) {
    constexpr u32 column_least = 30;
    u32 const rows_most = std::max(rows.left() / 3, 1u);
    u32 const count = static_cast<u32>(sample.cpus.size());
    u32 const across_most = std::max(rows.columns() / column_least, 1u);
    u32 const across = std::clamp((count + rows_most - 1) / rows_most, 1u, across_most);
    u32 const down = std::min((count + across - 1) / across, rows_most);
    for (u32 row = 0; row < down; ++row) {
        rows.add([&](RowPen& pen) {
            for (u32 number = row; number < count && number < across * down; number += down) {
                char name[16], share[16];
                u16 const busy = sample.cpus[number];
                draw_meter(
                    pen, format_to(std::span(name), "cpu {}", number).text, busy, 1000,
                    rows.columns() / across,
                    format_to(std::span(share), "{:>4}.{} %", busy / 10, busy % 10).text);
            }
        });
    }
}

void draw_memory(TopSample const& sample, Rows& rows) {
    rows.add([&](RowPen& pen) {
        char what[64];
        draw_meter(
            pen, "memory", sample.memory_used_kib, sample.memory_kib, rows.columns(),
            format_to(
                std::span(what), " {} of {} MiB, heap {} KiB", sample.memory_used_kib >> 10,
                sample.memory_kib >> 10, sample.heap_kib)
                .text);
    });
}

struct Plot {
    std::string_view name;
    std::span<u16 const> values;
    u16 most;
};

void draw_plots(TopSample const& sample, TopHistory const& history, Rows& rows) {
    u32 const width = rows.columns() / plots;
    if (width < 12) {
        return;
    }
    u32 const shown = width - 2;
    auto const interrupts = history.interrupts(shown);
    u16 most = 1;
    for (u16 const value : interrupts) {
        most = std::max(most, value);
    }
    char rate[32];
    Plot const all[plots] = {
        {"processors", history.cpus(shown), 1000},
        {"memory", history.memory(shown), 1000},
        {format_to(std::span(rate), "{} interrupts/s", sample.interrupts_per_s).text, interrupts,
         most}};
    rows.add([&](RowPen& pen) {
        for (Plot const& plot : all) {
            pen.look(strong).field(plot.name, width).look(plain);
        }
    });
    for (u32 row = 0; row < plot_rows; ++row) {
        rows.add([&](RowPen& pen) {
            for (Plot const& plot : all) {
                u32 const missing = shown - static_cast<u32>(plot.values.size());
                pen.look(faint).text("│").look("36").blanks(missing);
                pen.column_plot(plot.values, plot.most, row, plot_rows).look(plain);
                pen.blanks(width - 1 - shown);
            }
        });
    }
}

/// How late deadlines were, beside the interrupts that come most.
void draw_latencies(TopSample const& sample, Rows& rows) {
    u64 most = 1;
    for (u64 const count : sample.late) {
        most = std::max(most, count);
    }
    u32 const half = rows.columns() / 2;
    rows.add([&](RowPen& pen) {
        char head[80];
        pen.look(strong).field(
            format_to(
                std::span(head), "deadlines late: half under {} us, at most {} us",
                (sample.late_p50_ns + 999) / 1000, (sample.late_max_ns + 999) / 1000)
                .text,
            half);
        pen.text("interrupts in a second").look(plain);
    });
    for (usize step = 0; step < TopSample::late_steps; ++step) {
        rows.add([&](RowPen& pen) {
            char count[24];
            std::string_view const shown =
                format_to(std::span(count), " {}", sample.late[step]).text;
            u32 const fixed = 10 + static_cast<u32>(shown.size()) + 1;
            pen.field(late_names[step], 10).look("35");
            u32 const width = half > fixed ? half - fixed : 0;
            pen.bar(sample.late[step], most, width).look(plain).text(shown);
            pen.blanks(
                pen.left() > rows.columns() - half ? pen.left() - (rows.columns() - half) : 0);
            if (step < sample.interrupts.size()) {
                TopInterrupt const& interrupt = sample.interrupts[step];
                pen.format("{:>10}  {}", interrupt.per_s, interrupt.name);
            }
        });
    }
}

void draw_threads(TopSample const& sample, Rows& rows) {
    rows.add([&](RowPen& pen) {
        pen.look(heading).text("    id  name              class       cpu   cpu %  switches/s");
        pen.blanks(rows.columns());
    });
    for (TopThread const& thread : sample.threads) {
        rows.add([&](RowPen& pen) {
            pen.format("{:>6}  ", thread.id).field(thread.name, 16).text("  ");
            pen.field(thread.class_name, 10);
            pen.format(
                "{:>5}  {:>4}.{}  {:>10}", thread.cpu, thread.permille / 10, thread.permille % 10,
                thread.switches_per_s);
        });
    }
}

} // namespace

u16 mean_busy(TopSample const& sample) {
    u64 sum = 0;
    for (u16 const busy : sample.cpus) {
        sum += busy;
    }
    return static_cast<u16>(sample.cpus.empty() ? 0 : sum / sample.cpus.size());
}

void TopHistory::add(TopSample const& sample) {
    if (m_count == periods_max) {
        for (Values* const values : {&m_cpus, &m_memory, &m_interrupts}) {
            std::copy(std::begin(*values) + 1, std::end(*values), std::begin(*values));
        }
        --m_count;
    }
    u64 const memory =
        sample.memory_kib == 0 ? 0 : sample.memory_used_kib * 1000 / sample.memory_kib;
    m_cpus[m_count] = mean_busy(sample);
    m_memory[m_count] = static_cast<u16>(std::min<u64>(memory, 1000));
    m_interrupts[m_count] = static_cast<u16>(std::min<u64>(sample.interrupts_per_s, 0xFFFF));
    ++m_count;
}

std::span<u16 const> TopHistory::newest(Values const& values, usize count) const {
    usize const shown = std::min(count, m_count);
    return std::span<u16 const>(values).subspan(m_count - shown, shown);
}

void draw_top(
    TopSample const& sample, TopHistory const& history, text::ScreenSize size, Output const& out) {
    out.write("\x1B[H");
    Rows rows(size, out);
    draw_heading(sample, rows);
    draw_processors(sample, rows);
    draw_memory(sample, rows);
    if (size.rows >= rows_for_plots) {
        draw_plots(sample, history, rows);
    }
    if (size.rows >= rows_for_plots + TopSample::late_steps + 4) {
        draw_latencies(sample, rows);
    }
    draw_threads(sample, rows);
    rows.fill();
}

} // namespace twofold::shell
