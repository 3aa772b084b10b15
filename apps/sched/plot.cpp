// Pictures of runs. See plot.hpp.
#include "apps/sched/plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <iterator>

namespace twofold::lab {

namespace {

constexpr double width = 1200;
constexpr double left = 90;
constexpr double right = 30;
constexpr double lane_height = 22;
constexpr double lane_gap = 4;
constexpr double title_height = 34;
constexpr double curve_height = 220;
constexpr double axis_height = 44;
constexpr usize legend_max = 24; ///< threads that are named
constexpr double legend_column = 180;
constexpr double ns_of_latency = 1e3; ///< latencies are shown in microseconds
constexpr double ns_of_time = 1e6;    ///< the time of a run in milliseconds

/// Of the colour-blind-safe set of P. Tol, "Colour schemes", SRON/EPS/TN/09-002, 2021 ("muted").
constexpr std::array<std::string_view, 9> colours = {"#332288", "#88CCEE", "#44AA99",
                                                     "#117733", "#999933", "#DDCC77",
                                                     "#CC6677", "#882255", "#AA4499"};

std::string_view colour(usize index) {
    return colours[index % colours.size()];
}

std::string escape(std::string_view text) {
    std::string out;
    for (char const letter : text) {
        switch (letter) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        default:
            out += static_cast<unsigned char>(letter) < 0x20 ? ' ' : letter;
        }
    }
    return out;
}

/// 1, 2 or 5 times a power of ten, so that there are at most about ten steps in `range`.
double round_step(double range) {
    double const power = std::pow(10.0, std::floor(std::log10(range / 10)));
    for (double const factor : {1.0, 2.0, 5.0}) {
        if (range / (power * factor) <= 10) {
            return power * factor;
        }
    }
    return power * 10;
}

class Drawing {
public:
    void rectangle(double x, double y, double w, double h, std::string_view fill) {
        add(R"(<rect x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}" fill="{}"/>)", x, y, w, h,
            fill);
    }
    void line(double x1, double y1, double x2, double y2) {
        add(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="#bbb"/>)", x1, y1, x2,
            y2);
    }
    void text(double x, double y, std::string_view anchor, std::string_view content) {
        add(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>)", x, y, anchor,
            escape(content));
    }
    void curve(std::string const& points, std::string_view stroke) {
        add(R"(<polyline points="{}" fill="none" stroke="{}" stroke-width="2"/>)", points, stroke);
    }
    std::string finish(double height) const {
        return fmt::format(
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
                   "viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
                   "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
                   width, std::ceil(height)) +
               m_body + "</svg>\n";
    }

private:
    template<class... Values>
    void add(fmt::format_string<Values...> format, Values&&... values) {
        fmt::format_to(std::back_inserter(m_body), format, std::forward<Values>(values)...);
        m_body += '\n';
    }

    std::string m_body;
};

/// The lanes of one run; returns where they end.
double draw_lanes(Drawing& drawing, PlottedRun const& run, double top) {
    PlotData const& data = *run.data;
    double const scale = (width - left - right) / static_cast<double>(data.window().value);
    drawing.text(left, top + 14, "start", run.policy);
    double y = top + 20;
    for (usize cpu = 0; cpu < data.pieces().size(); ++cpu) {
        drawing.text(left - 8, y + 15, "end", fmt::format("cpu {}", cpu));
        drawing.rectangle(left, y, width - left - right, lane_height, "#eee");
        for (PlotData::Piece const& piece : data.pieces()[cpu]) {
            double const from = left + static_cast<double>(piece.from.value) * scale;
            double const long_as = static_cast<double>((piece.to - piece.from).value) * scale;
            drawing.rectangle(from, y, std::max(long_as, 0.2), lane_height, colour(piece.thread));
        }
        y += lane_height + lane_gap;
    }
    double const window_ms = static_cast<double>(data.window().value) / ns_of_time;
    double const step = round_step(window_ms);
    for (double at = 0; at <= window_ms * 1.0001; at += step) {
        double const x = left + at * ns_of_time * scale;
        drawing.line(x, y, x, y + 5);
        drawing.text(x, y + 18, "middle", fmt::format("{:g} ms", at));
    }
    return y + axis_height - 14;
}

double draw_legend(Drawing& drawing, std::vector<std::string> const& names, double top) {
    usize const shown = std::min(names.size(), legend_max);
    auto const columns = static_cast<usize>((width - left - right) / legend_column);
    for (usize i = 0; i < shown; ++i) {
        double const x = left + static_cast<double>(i % columns) * legend_column;
        double const y = top + static_cast<double>(i / columns) * 18;
        drawing.rectangle(x, y, 11, 11, colour(i));
        drawing.text(x + 16, y + 10, "start", names[i].substr(0, 22));
    }
    double const y = top + static_cast<double>((shown + columns - 1) / columns) * 18;
    if (names.size() > shown) {
        drawing.text(left, y + 10, "start", fmt::format("and {} more", names.size() - shown));
        return y + 26;
    }
    return y + 8;
}

/// How many latencies are at most so long, on a scale of powers of ten from 100 ns on.
void draw_curves(Drawing& drawing, std::vector<PlottedRun> const& runs, double top) {
    constexpr double least = 100;
    double most = 10 * least;
    for (PlottedRun const& run : runs) {
        if (!run.wake_latencies.empty()) {
            most = std::max(most, static_cast<double>(run.wake_latencies.back()));
        }
    }
    double const decades = std::ceil(std::log10(most / least));
    double const unit = (width - left - right) / decades;
    double const bottom = top + curve_height;
    drawing.text(left, top - 8, "start", "wake-up latency: how many are at most so long");
    for (int decade = 0; decade <= static_cast<int>(decades); ++decade) {
        double const x = left + decade * unit;
        double const value_us = least * std::pow(10.0, decade) / ns_of_latency;
        drawing.line(x, top, x, bottom);
        drawing.text(
            x, bottom + 16, "middle",
            value_us < 1000 ? fmt::format("{:g} us", value_us)
                            : fmt::format("{:g} ms", value_us / 1000));
    }
    for (int quarter = 0; quarter <= 4; ++quarter) {
        double const y = bottom - curve_height * quarter / 4;
        drawing.line(left, y, width - right, y);
        drawing.text(left - 8, y + 4, "end", fmt::format("{} %", 25 * quarter));
    }
    for (usize i = 0; i < runs.size(); ++i) {
        auto const& values = runs[i].wake_latencies;
        std::string points = fmt::format("{:.1f},{:.1f} ", left, bottom);
        usize const step = std::max<usize>(values.size() / 500, 1);
        for (usize j = 0; j < values.size(); j = j + step < values.size() || j + 1 == values.size()
                                                     ? j + step
                                                     : values.size() - 1) {
            double const value = std::max(static_cast<double>(values[j]), least);
            double const part = static_cast<double>(j + 1) / static_cast<double>(values.size());
            fmt::format_to(
                std::back_inserter(points), "{:.1f},{:.1f} ",
                left + std::log10(value / least) * unit, bottom - part * curve_height);
        }
        drawing.curve(points, colour(i * 3));
        drawing.rectangle(left + 12, top + 8 + 18 * static_cast<double>(i), 11, 11, colour(i * 3));
        drawing.text(left + 28, top + 18 + 18 * static_cast<double>(i), "start", runs[i].policy);
    }
}

} // namespace

PlotData::PlotData(Workload const& workload, Nanos window)
    : m_window(window), m_pieces(workload.cpus.size()), m_running(workload.cpus.size()) {}

void PlotData::end_piece(u32 cpu, Nanos now) {
    Running& running = m_running[cpu];
    if (running.thread != nobody && running.since < m_window) {
        m_pieces[cpu].push_back({running.thread, running.since, std::min(now, m_window)});
    }
    running.thread = nobody;
}

void PlotData::take(Happening const& happening) {
    if (happening.kind == HappeningKind::run) {
        end_piece(happening.cpu, happening.now);
        m_running[happening.cpu] = {happening.thread, happening.now};
    }
}

void PlotData::finish(Nanos end) {
    for (u32 cpu = 0; cpu < m_running.size(); ++cpu) {
        end_piece(cpu, end);
    }
}

std::string draw_plot(
    std::string const& title,
    std::vector<std::string> const& names,
    std::vector<PlottedRun> const& runs) {
    Drawing drawing;
    drawing.text(left, 22, "start", title);
    double y = title_height;
    for (PlottedRun const& run : runs) {
        y = draw_lanes(drawing, run, y);
    }
    y = draw_legend(drawing, names, y) + 30;
    draw_curves(drawing, runs, y);
    return drawing.finish(y + curve_height + axis_height);
}

} // namespace twofold::lab
