// A terminal on a display: what is written is seen, at most sixty times a second, and nothing is
// done where nothing changes.
#include "core/device/console/screen_console.hpp"
#include "tests/core/device/memory_display.hpp"
#include "tests/support/test.hpp"

#include <optional>

using namespace twofold;
using device::PixelOutlet;
using device::ScreenConsole;
using twofold::test::MemoryDisplay;

namespace {

/// A console of 20 cells in 4 rows; none where there are no threads.
struct Desk {
    MemoryDisplay display{{160, 64}};
    PixelOutlet outlet;
    ScreenConsole* console = nullptr;

    Desk() : outlet(PixelOutlet::create(display, text::themes().front()).value()) {
        boot::Kernel& kernel = boot::current_kernel();
        if (kernel.threads != nullptr) {
            console = ScreenConsole::open(
                          *kernel.threads, *kernel.heap, outlet,
                          {nullptr, [](void*, std::string_view) {}})
                          .value();
        }
    }
    ~Desk() { close(); }
    void close() {
        if (console != nullptr) {
            console->close();
            console = nullptr;
        }
    }

    std::string_view row(u32 number, std::span<char> room) const {
        std::string_view text;
        console->with_screen(
            [&](text::Screen const& screen) { text = screen.text_of(screen.row(number), room); });
        return text;
    }
};

} // namespace

TEST(ScreenConsole, ShowsWhatIsWritten) {
    Desk desk;
    if (desk.console == nullptr) {
        return; // a machine without interrupts or a clock
    }
    desk.console->write("one\r\n\x1b[31mtwo");
    desk.console->flush();
    char room[128];
    EXPECT_EQ(desk.row(0, room), std::string_view("one"));
    EXPECT_EQ(desk.row(1, room), std::string_view("two"));
    EXPECT_TRUE(desk.display.shows_its_pixels());
    u32 lit = 0;
    for (u32 const pixel : desk.display.screen()) {
        lit += pixel != text::themes().front().background ? 1 : 0;
    }
    EXPECT_TRUE(lit > 50); // six letters and the cursor
}

TEST(ScreenConsole, DrawsAtMostOnceAFrameAndNeverWithoutNeed) {
    Desk desk;
    if (desk.console == nullptr) {
        return;
    }
    task::Threads& threads = *boot::current_kernel().threads;
    Nanos const began = hal::Clock::now();
    for (u32 i = 0; i < 100; ++i) {
        desk.console->write("x");
        threads.sleep_for({1'000'000});
    }
    desk.console->flush();
    auto const frames =
        static_cast<u64>((hal::Clock::now() - began).value / ScreenConsole::frame_time.value) + 2;
    u64 const drawn = desk.console->counts().frames;
    EXPECT_TRUE(drawn >= 2 && drawn <= frames);
    threads.sleep_for({100'000'000});
    EXPECT_EQ(desk.console->counts().frames, drawn);
}

TEST(ScreenConsole, ShowsTwoChangesBehindARestAtOnceAndTheThirdInItsTurn) {
    Desk desk;
    if (desk.console == nullptr) {
        return;
    }
    Nanos const began = hal::Clock::now();
    Nanos shown[3]{};
    for (Nanos& moment : shown) {
        desk.console->write("x");
        desk.console->flush();
        moment = hal::Clock::now() - began;
    }
    EXPECT_EQ(desk.console->counts().frames, 3u);
    EXPECT_TRUE(shown[2] >= ScreenConsole::frame_time);
    if (probe::is_simulated) { // elsewhere others may have the processor
        EXPECT_TRUE(shown[1] < Nanos{4'000'000});
    }
}

TEST(ScreenConsole, FollowsItsDisplayToAnotherSize) {
    Desk desk;
    if (desk.console == nullptr) {
        return;
    }
    desk.console->write("kept\r\n");
    desk.console->flush();
    desk.display.want({320, 128});
    while (desk.console->counts().resizes == 0) {
        boot::current_kernel().threads->sleep_for({1'000'000});
    }
    desk.console->flush();
    EXPECT_EQ(desk.console->size().columns, 40u);
    EXPECT_EQ(desk.console->size().rows, 8u);
    char room[256];
    EXPECT_EQ(desk.row(0, room), std::string_view("kept"));
    EXPECT_TRUE(desk.display.shows_its_pixels());
}

TEST(ScreenConsole, LooksBackUntilTheNextWrite) {
    Desk desk;
    if (desk.console == nullptr) {
        return;
    }
    for (u32 i = 0; i < 10; ++i) {
        desk.console->write("line\r\n");
    }
    desk.console->flush();
    u32 const end = desk.outlet.digest();
    desk.console->look_back(3);
    desk.console->flush();
    EXPECT_NE(desk.outlet.digest(), end); // the cursor's row is out of sight
    desk.console->look_back(-3);
    desk.console->flush();
    EXPECT_EQ(desk.outlet.digest(), end);
}

TEST(ScreenConsole, OutlivesADeviceThatFails) {
    Desk desk;
    if (desk.console == nullptr) {
        return;
    }
    desk.display.fail(true);
    desk.console->write("lost");
    desk.console->flush();
    EXPECT_TRUE(desk.console->counts().errors > 0);
    desk.display.fail(false);
    desk.console->write(", and found");
    desk.console->flush();
    EXPECT_TRUE(desk.display.shows_its_pixels());
}

TEST(ScreenConsole, ChangesItsTheme) {
    Desk desk;
    if (desk.console == nullptr) {
        return;
    }
    desk.console->write("seen");
    desk.console->flush();
    u32 const before = desk.outlet.digest();
    text::Theme const& other = text::themes().back();
    desk.console->set_theme(other);
    desk.console->flush();
    EXPECT_TRUE(desk.display.shows_its_pixels());
    EXPECT_EQ(desk.display.screen().back(), other.background);
    desk.console->set_theme(text::themes().front());
    desk.console->flush();
    EXPECT_EQ(desk.outlet.digest(), before);
}
