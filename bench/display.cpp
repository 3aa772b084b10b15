// Measures text on a screen: bytes through a terminal into 1920x1080 pixels in memory, and what a
// scroll costs to draw. The room is compiled as kernel code, in general registers alone; pixels are
// written by the best kernels of this processor, or ("reference") by the room's own. The peer is
// libvterm, which keeps a screen as ours does and draws nothing.
//
// "By chunk" draws once for each 64 KiB of text; "by frame" once for each 16 ms that passed.
#include "core/text/text.hpp"

#include <benchmark/benchmark.h>
#include <isa/pixel_kernels.hpp>
#include <vterm.h>

#include <chrono>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::text;

constexpr u32 width = 1920;
constexpr u32 height = 1080;
constexpr usize chunk_bytes = usize{64} << 10;
constexpr usize text_bytes = usize{4} << 20;
constexpr u32 history_rows = 1000;

enum class Kind { plain, colours, utf8 };

/// Lines of up to 100 columns, as a program's log might have them.
std::string make_text(Kind kind) {
    std::mt19937 random(1);
    std::string text;
    while (text.size() < text_bytes) {
        for (u32 left = 20 + random() % 80; left > 0;) {
            u32 const letters = std::min<u32>(1 + random() % 9, left);
            if (kind == Kind::colours) {
                text += "\x1B[" + std::to_string(30 + random() % 8) + "m";
            }
            for (u32 i = 0; i < letters; ++i) {
                bool const is_far = kind == Kind::utf8 && random() % 2 == 0;
                text += is_far ? std::string("\u00E4\u0436\u03B1").substr(random() % 3 * 2, 2)
                               : std::string(1, static_cast<char>('a' + random() % 26));
            }
            left -= letters;
            if (left > 0) {
                text += ' ';
                --left;
            }
        }
        text += kind == Kind::colours ? "\x1B[0m\r\n" : "\r\n";
    }
    text.resize(text_bytes);
    return text;
}

std::string const& text_of(Kind kind) {
    static std::string const texts[] = {
        make_text(Kind::plain), make_text(Kind::colours), make_text(Kind::utf8)};
    return texts[static_cast<usize>(kind)];
}

/// A terminal that fills the surface.
struct Console {
    explicit Console(PixelKernels const& kernels)
        : pixels(usize{width} * height),
          surface(Surface::create(pixels, width, height, width, kernels).value()),
          size(TextView::cells_of(surface, font_8x16)),
          memory(Screen::bytes_needed(size, history_rows).value),
          screen(Screen::create(memory, size, history_rows).value()) {
        view.draw(screen, surface);
    }

    std::vector<u32> pixels;
    Surface surface;
    ScreenSize size;
    std::vector<std::byte> memory;
    Screen screen;
    Terminal terminal{screen, {nullptr, [](void*, std::string_view) {}}};
    TextView view{font_8x16, themes().front()};
};

void by_chunk(benchmark::State& state, Kind kind, PixelKernels const& kernels) {
    std::string_view const text = text_of(kind);
    Console console(kernels);
    for (auto _ : state) {
        for (usize at = 0; at < text.size(); at += chunk_bytes) {
            console.terminal.write(text.substr(at, chunk_bytes));
            console.view.draw(console.screen, console.surface);
        }
    }
    state.SetBytesProcessed(static_cast<i64>(state.iterations() * text.size()));
}

void by_frame(benchmark::State& state, Kind kind, PixelKernels const& kernels) {
    using Clock = std::chrono::steady_clock;
    constexpr auto frame = std::chrono::milliseconds(16);
    constexpr usize piece = 4096;
    std::string_view const text = text_of(kind);
    Console console(kernels);
    Clock::time_point drawn = Clock::now();
    for (auto _ : state) {
        for (usize at = 0; at < text.size(); at += piece) {
            console.terminal.write(text.substr(at, piece));
            if (Clock::now() - drawn >= frame) {
                drawn = Clock::now();
                console.view.draw(console.screen, console.surface);
            }
        }
    }
    state.SetBytesProcessed(static_cast<i64>(state.iterations() * text.size()));
}

/// The terminal and its screen alone.
void terminal(benchmark::State& state, Kind kind) {
    std::string_view const text = text_of(kind);
    Console console(reference_pixel_kernels());
    for (auto _ : state) {
        console.terminal.write(text);
        console.screen.clear_damage();
    }
    state.SetBytesProcessed(static_cast<i64>(state.iterations() * text.size()));
}

constexpr usize vterm_piece = 4096;

void terminal_vterm(benchmark::State& state, Kind kind) {
    std::string_view const text = text_of(kind);
    VTerm* const vterm = vterm_new(height / 16, width / 8);
    vterm_set_utf8(vterm, 1);
    vterm_screen_reset(vterm_obtain_screen(vterm), 1);
    vterm_screen_set_damage_merge(vterm_obtain_screen(vterm), VTERM_DAMAGE_SCROLL);
    for (auto _ : state) {
        // Not at once: it keeps four bytes on its stack for each that it is given.
        for (usize at = 0; at < text.size(); at += vterm_piece) {
            std::string_view const piece = text.substr(at, vterm_piece);
            vterm_input_write(vterm, piece.data(), piece.size());
        }
    }
    vterm_free(vterm);
    state.SetBytesProcessed(static_cast<i64>(state.iterations() * text.size()));
}

/// A line feed at the bottom of a screen that is full of text, drawn.
void scroll_one(benchmark::State& state, PixelKernels const& kernels) {
    Console console(kernels);
    std::string const line(console.size.columns, 'x');
    for (u32 row = 0; row <= console.size.rows; ++row) {
        console.terminal.write(line);
    }
    for (auto _ : state) {
        console.terminal.write("\r\n");
        console.terminal.write(line);
        console.view.draw(console.screen, console.surface);
    }
}

/// The whole screen, full of text, drawn anew: what a scroll by many lines costs.
void redraw(benchmark::State& state, PixelKernels const& kernels) {
    Console console(kernels);
    console.terminal.write("\x1B#8");
    for (auto _ : state) {
        console.view.redraw();
        console.view.draw(console.screen, console.surface);
    }
}

void declare(char const* name, PixelKernels const& kernels) {
    auto const named = [&](char const* subject) { return std::string(subject) + name + "/ours"; };
    auto const all = [&](char const* subject, Kind kind) {
        benchmark::RegisterBenchmark(
            named((std::string(subject) + "_by_chunk").c_str()).c_str(),
            [kind, &kernels](benchmark::State& state) { by_chunk(state, kind, kernels); });
        benchmark::RegisterBenchmark(
            named((std::string(subject) + "_by_frame").c_str()).c_str(),
            [kind, &kernels](benchmark::State& state) { by_frame(state, kind, kernels); });
    };
    all("text_plain", Kind::plain);
    all("text_colours", Kind::colours);
    all("text_utf8", Kind::utf8);
    benchmark::RegisterBenchmark(named("scroll_one").c_str(), [&kernels](benchmark::State& state) {
        scroll_one(state, kernels);
    });
    benchmark::RegisterBenchmark(
        named("redraw").c_str(), [&kernels](benchmark::State& state) { redraw(state, kernels); });
}

bool const declared = [] {
    constexpr char const* names[] = {"terminal_plain", "terminal_colours", "terminal_utf8"};
    for (Kind const kind : {Kind::plain, Kind::colours, Kind::utf8}) {
        std::string const name = names[static_cast<usize>(kind)];
        benchmark::RegisterBenchmark(
            (name + "/ours").c_str(), [kind](benchmark::State& state) { terminal(state, kind); });
        benchmark::RegisterBenchmark((name + "/libvterm").c_str(), [kind](benchmark::State& state) {
            terminal_vterm(state, kind);
        });
    }
    declare("", isa::pixel_kernels(isa::decode(isa::read_cpuid())));
    declare("_reference", reference_pixel_kernels());
    return true;
}();

} // namespace
