// The report of a panic on a screen: what is seen of it, whoever holds what.
#include "core/device/console/panic_screen.hpp"
#include "core/device/console/screen_console.hpp"
#include "tests/core/device/memory_display.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using device::PanicScreen;
using device::PixelOutlet;
using twofold::test::MemoryDisplay;

namespace {

constexpr u32 columns = 20, rows = 8;

text::Theme const& theme() {
    return text::themes().front();
}

struct Glass {
    MemoryDisplay display{{columns * 8, rows * 16}};
    PixelOutlet outlet = PixelOutlet::create(display, theme()).value();

    /// Whether the screen shows these rows, and blank ones behind them. The display's pixels are
    /// overwritten.
    bool shows(std::initializer_list<std::string_view> wanted) {
        text::Surface surface = device::surface_of(display).value();
        surface.fill(surface.bounds(), theme().background);
        i32 y = 0;
        for (std::string_view const row : wanted) {
            surface.text({0, y}, text::font_8x16, row, theme().text, theme().background);
            y += 16;
        }
        return display.shows_its_pixels();
    }
};

/// As large as a screen's owner has it, not on a stack.
struct Reported : Glass {
    memory::Box<PanicScreen, memory::KernelHeap> screen =
        memory::Box<PanicScreen, memory::KernelHeap>::create(*boot::current_kernel().heap, outlet)
            .value();
};

} // namespace

TEST(PanicScreen, ShowsTheReportInPlaceOfAllElse) {
    Reported it;
    text::Surface surface = device::surface_of(it.display).value();
    surface.fill(surface.bounds(), 0x123456);
    ASSERT_TRUE(it.display.present(surface.bounds()).has_value());
    it.screen->note("\nKERNEL PANIC: ");
    it.screen->note("on purpose\nstack:\n\n");
    it.screen->note("  a\x1b[1m\xc3\xa9\n");
    ASSERT_TRUE(it.screen->show().has_value());
    EXPECT_TRUE(it.shows({"KERNEL PANIC: on pur", "pose", "stack:", "", "  a?[1m??"}));
}

TEST(PanicScreen, OfALongReportShowsBeginningAndEnd) {
    Reported it;
    for (u32 i = 0; i < 30; ++i) {
        char text[16];
        it.screen->note(format_to(std::span(text), "row {}\n", i).text);
    }
    ASSERT_TRUE(it.screen->show().has_value());
    EXPECT_TRUE(it.shows(
        {"row 0", "row 1", "row 2", "row 3", "row 4", "row 5", "... 23 rows more, on", "row 29"}));
}

TEST(PanicScreen, TakesAnyAmount) {
    Reported it;
    for (u32 i = 0; i < 3000; ++i) {
        it.screen->note("0123456789abcdef\n\t");
    }
    ASSERT_TRUE(it.screen->show().has_value());
    Reported nothing;
    ASSERT_TRUE(nothing.screen->show().has_value());
    EXPECT_TRUE(nothing.shows({}));
}

TEST(PanicScreen, WaitsForNoLockOfTheScreen) {
    boot::Kernel& kernel = boot::current_kernel();
    if (kernel.threads == nullptr) {
        return; // a machine without interrupts or a clock
    }
    Reported it;
    auto* const console =
        device::ScreenConsole::open(
            *kernel.threads, *kernel.heap, it.outlet, {nullptr, [](void*, std::string_view) {}})
            .value();
    console->write("seen before");
    console->flush();
    bool is_shown = false;
    console->with_screen([&](text::Screen const&) { // its lock is held, and nobody else runs
        sync::InterruptGuard const off;
        it.screen->note("KERNEL PANIC\n");
        is_shown = it.screen->show().has_value();
    });
    EXPECT_TRUE(is_shown);
    console->close();
    EXPECT_TRUE(it.shows({"KERNEL PANIC"}));
}

TEST(PanicScreen, ADisplayThatCannotIsAnError) {
    Reported it;
    it.display.fail(true);
    it.screen->note("KERNEL PANIC\n");
    EXPECT_EQ(it.screen->show().error(), Error::io_failed);
}
