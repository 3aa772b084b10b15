// Measures core/base: formatting, beside fmt. Same text, same buffer, the result checked once on
// both sides.
#include "core/base/base.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <array>
#include <string_view>

namespace {

using namespace twofold;

constexpr std::string_view expected = "frame 0x7fff0000 of 1048576 is busy (42 %)";

/// Both sides format the same line; the numbers are opaque to the compiler.
struct Line {
    std::array<char, 128> text{};
    u64 address = 0x7fff'0000;
    u64 count = 1'048'576;
    u32 share = 42;
    std::string_view state = "busy";
};

void check(benchmark::State& state, std::string_view text) {
    if (text != expected) {
        state.SkipWithError("the text is wrong");
    }
}

void ours(benchmark::State& state) {
    Line line;
    std::string_view text;
    for (auto _ : state) {
        benchmark::DoNotOptimize(line);
        text = format_to(
                   line.text, "frame {:#x} of {} is {} ({} %)", line.address, line.count,
                   line.state, line.share)
                   .text;
        benchmark::DoNotOptimize(text);
    }
    check(state, text);
}

void fmt_format(benchmark::State& state) {
    Line line;
    std::string_view text;
    for (auto _ : state) {
        benchmark::DoNotOptimize(line);
        auto const end = fmt::format_to_n(
            line.text.data(), line.text.size(), "frame {:#x} of {} is {} ({} %)", line.address,
            line.count, line.state, line.share);
        text = {line.text.data(), end.size};
        benchmark::DoNotOptimize(text);
    }
    check(state, text);
}

BENCHMARK(ours)->Name("format_line/ours");
BENCHMARK(fmt_format)->Name("format_line/fmt");

} // namespace
