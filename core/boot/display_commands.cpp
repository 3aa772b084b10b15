// The command `display`: what the display is, and a pattern on it by which a test, or a person,
// sees that pixels arrive where they belong.
#include "core/boot/displays.hpp"
#include "core/boot/kernel.hpp"

namespace twofold::boot {

namespace {

using device::Display;
using device::DisplayMode;
using text::Rectangle;
using text::Surface;

constexpr Column display_columns[] = {{"display", 12}, {"width", 6},   {"height", 6},
                                      {"presents", 9}, {"pixels", 12}, {"errors", 7},
                                      {"wants", 0}};

constexpr text::Rgb bars[] = {0xffffff, 0xffff00, 0x00ffff, 0x00ff00,
                              0xff00ff, 0xff0000, 0x0000ff, 0x000000};
constexpr u32 tile = 8;

/// The colour of a tile tells where it is.
text::Rgb tile_colour(u32 column, u32 row) {
    return (column * 3 & 0xff) << 16 | (row * 5 & 0xff) << 8 | ((column ^ row) & 0xff);
}

i32 as_place(u32 number) {
    return static_cast<i32>(number);
}

/// Above, bars of the primary colours and what they make; below, tiles; in the lower right corner,
/// a copy of the upper left one.
void draw_pattern(Surface& surface) {
    u32 const width = surface.width(), height = surface.height();
    u32 const middle = height / 2;
    for (u32 row = 0; row * tile < height; ++row) {
        for (u32 column = 0; column * tile < width; ++column) {
            surface.fill(
                {as_place(column * tile), as_place(row * tile), tile, tile},
                tile_colour(column, row));
        }
    }
    u32 left = 0;
    for (u32 bar = 0; bar < std::size(bars); ++bar) {
        u32 const right = width * (bar + 1) / static_cast<u32>(std::size(bars));
        surface.fill({as_place(left), 0, right - left, middle}, bars[bar]);
        left = right;
    }
    constexpr u32 copy_width = 64, copy_height = 32;
    surface.blit(
        {as_place(width) - as_place(copy_width), as_place(height) - as_place(copy_height)}, surface,
        {0, 0, copy_width, copy_height});
}

/// All of the pattern, then one rectangle more; a second one is drawn and not presented.
Result<void> show_pattern(Display& display) {
    Surface surface = TRY(device::surface_of(display));
    draw_pattern(surface);
    TRY(display.present(surface.bounds()));
    constexpr Rectangle seen{37, 21, 101, 67}, unseen{300, 200, 50, 50};
    surface.fill(seen, 0x123456);
    surface.fill(unseen, 0xabcdef);
    return display.present(seen);
}

u8 test_display(CommandContext& context, Display& display) {
    auto const shown = show_pattern(display);
    if (!shown) {
        context.out.line("display: the pattern is not shown: {}", shown.error());
        return status::failure;
    }
    DisplayMode const mode = display.mode();
    context.out.line("the pattern is on {}, {} x {}", display.name(), mode.width, mode.height);
    return status::success;
}

/// Waits until the display wants another mode, and takes it.
u8 follow_display(CommandContext& context, Display& display, u64 milliseconds) {
    task::Threads* const threads = task::Threads::here();
    if (threads == nullptr) {
        context.out.line("display: nothing is waited for without threads");
        return status::failure;
    }
    task::Event<task::KernelThreads> changed(threads->waiting());
    using Event = decltype(changed);
    display.set_change_listener([](void* event) { static_cast<Event*>(event)->set(); }, &changed);
    Nanos const limit{static_cast<i64>(milliseconds) * 1'000'000};
    bool const has_changed = changed.wait_until(hal::Clock::now() + limit);
    display.set_change_listener(nullptr, nullptr);
    if (!has_changed) {
        context.out.line("display: no other mode was wanted in {} ms", milliseconds);
        return status::failure;
    }
    if (auto const adopted = display.adopt_mode(); !adopted) {
        context.out.line("display: the mode is not taken: {}", adopted.error());
        return status::failure;
    }
    return test_display(context, display);
}

constexpr char text_pattern[] = "\x1b[2J\x1b[H" // some of everything that text screens differ in
                                "plain \x1b[1mbold\x1b[0m \x1b[7minverse\x1b[0m "
                                "\x1b[31mred \x1b[42mon green\x1b[0m\r\n"
                                "\xe2\x95\x94\xe2\x95\x90\xe2\x95\x97 \xc3\xa9 \xce\xa9 "
                                "\xe2\x98\xba \xe6\xbc\xa2 \xe2\x82\xac\r\n"
                                "\x1b[25;80Hx\x1b[4;9H";

u8 test_text(CommandContext& context) {
    auto const display = text_display(context.kernel);
    if (!display) {
        context.out.line("display: there is no text screen: {}", display.error());
        return status::failure;
    }
    device::VgaText& text_screen = *display.value();
    auto memory =
        text::ScreenMemory<memory::KernelHeap>::create(*context.kernel.heap, text_screen.size(), 0);
    auto const theme = text::find_theme("dark");
    if (!memory || !theme) {
        context.out.line("display: there is no memory for a screen, or no theme");
        return status::failure;
    }
    text::Screen& screen = memory.value().screen();
    text::Terminal terminal(screen, {});
    terminal.write({text_pattern, sizeof(text_pattern) - 1});
    screen.damage_all();
    text_screen.show(screen, *theme.value());
    context.out.line(
        "the pattern is on the text screen, {} x {}", text_screen.size().columns,
        text_screen.size().rows);
    return status::success;
}

u8 show_display(CommandContext& context, Display& display) {
    DisplayMode const mode = display.mode();
    device::DisplayCounts const counts = display.counts();
    context.out.table(display_columns);
    context.out.row(
        {display.name(), mode.width, mode.height, counts.presents, counts.pixels, counts.errors,
         display.wants_mode() ? "another mode" : ""});
    return status::success;
}

} // namespace

u8 use_display(CommandContext& context) {
    std::string_view const what = context.arguments.empty() ? "info" : context.arguments[0];
    constexpr u64 follow_default_ms = 10'000, follow_max_ms = 600'000;
    auto const limit = argument_number(context, 1, follow_default_ms);
    if (!limit || limit.value() > follow_max_ms) {
        context.out.line("display: at most {} ms are waited", follow_max_ms);
        return status::usage;
    }
    if (what == "text") {
        return test_text(context);
    }
    auto const display = boot::display(context.kernel);
    if (!display) {
        context.out.line("display: there is none: {}", display.error());
        return status::failure;
    }
    if (what == "test") {
        return test_display(context, *display.value());
    }
    if (what == "follow") {
        return follow_display(context, *display.value(), limit.value());
    }
    return show_display(context, *display.value());
}

} // namespace twofold::boot
