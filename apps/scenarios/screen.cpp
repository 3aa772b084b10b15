// Somebody types at a screen: keys of a PC's keyboard, by its own controller, become lines of a
// session, and what it prints cells and pixels. The same on every machine, to the last pixel.
#include "apps/scenarios/scenarios.hpp"
#include "apps/shell/kernel/screen_seat.hpp"
#include "apps/shell/kernel/session.hpp"
#include "core/boot/devices.hpp"
#include "core/device/drivers.hpp"

#include <algorithm>
#include <optional>

namespace twofold::scenarios {

namespace screen_room { // other sources have other displays and sessions

namespace {

using boot::Kernel;
using boot::Recorder;
using device::DisplayMode;

constexpr DisplayMode mode{640, 400};
constexpr Nanos patience{30'000'000'000};

/// A display that nobody sees.
class HiddenDisplay final : public device::Display {
public:
    explicit HiddenDisplay(std::span<u32> pixels) : m_pixels(pixels) {}

    DisplayMode mode() const override { return screen_room::mode; }
    std::span<u32> pixels() override { return m_pixels; }
    u32 stride() const override { return screen_room::mode.width; }
    Result<void> present(text::Rectangle const& area) override {
        ++m_counts.presents;
        m_counts.pixels += u64{area.width} * area.height;
        return {};
    }
    bool wants_mode() const override { return false; }
    Result<void> adopt_mode() override { return {}; }
    std::string_view name() const override { return "hidden"; }
    device::DisplayCounts counts() const override { return m_counts; }
    void set_change_listener(ChangeListener, void*) override {}
    void close() override {}

private:
    std::span<u32> m_pixels;
    device::DisplayCounts m_counts;
};

/// A session at the screen, in a thread of its own.
struct Person {
    Person(Kernel& kernel, shell::ScreenSeat& seat)
        : session(kernel, seat, shell::Session::Kind::person) {}

    shell::Session session;
    u8 outcome = 0;

    static void run(void* self) {
        auto& person = *static_cast<Person*>(self);
        person.outcome = person.session.run();
    }
};
using PersonBox = memory::Box<Person, memory::KernelHeap>;

u32 prompts_on(shell::ScreenSeat& seat) {
    u32 prompts = 0;
    seat.console().with_screen([&prompts](text::Screen const& screen) {
        char room[1024];
        screen.walk(std::span(room), [&prompts](u32, std::string_view row) {
            prompts += row.starts_with("twofold>") ? 1 : 0;
        });
    });
    return prompts;
}

/// Waits until there are so many prompts, the last of them waiting for a line; false: there are
/// not.
bool await_prompts(Kernel& kernel, shell::ScreenSeat& seat, u32 wanted) {
    Nanos const end = hal::Clock::now() + patience;
    while (prompts_on(seat) < wanted) {
        if (hal::Clock::now() > end) {
            return false;
        }
        kernel.threads->sleep_for({1'000'000});
    }
    seat.console().flush();
    return true;
}

void record_screen(Recorder& recorder, shell::ScreenSeat& seat, device::PixelOutlet& outlet) {
    seat.console().with_screen([&recorder](text::Screen const& screen) {
        char room[1024];
        screen.walk(std::span(room), [&recorder](u32 row, std::string_view text) {
            char name[16];
            if (!text.empty()) {
                recorder.text(format_to(std::span(name), "row {}", row).text, text);
            }
        });
        recorder.number("columns", screen.size().columns);
        recorder.number("rows", screen.size().rows);
        recorder.number("cells", screen.digest());
    });
    recorder.number("pixels", outlet.digest());
}

void type_session(
    Recorder& recorder,
    Kernel& kernel,
    device::Ps2& keyboard,
    shell::ScreenSeat& seat,
    device::PixelOutlet& outlet) {
    auto const person = PersonBox::create(*kernel.heap, kernel, seat);
    task::ThreadAttributes attributes;
    attributes.name = "person";
    attributes.stack = {u64{128} << 10};
    auto const thread = person ? kernel.threads->spawn(attributes, Person::run, &*person.value())
                               : Result<task::Thread*>(person.error());
    if (!thread) {
        recorder.error("session", thread.error());
        return;
    }
    constexpr std::string_view lines[] = {
        "echo Hello, World! {1 + 2} ~ 'a b'\n", "verson\n", "name=value; echo $name | lines\n",
        "help echo\n"};
    u32 prompts = 1;
    bool is_answered = await_prompts(kernel, seat, prompts);
    for (std::string_view const line : lines) {
        char name[16];
        recorder.truth(
            format_to(std::span(name), "typed {}", prompts).text,
            boot::type_text(keyboard, line).has_value());
        is_answered = is_answered && await_prompts(kernel, seat, ++prompts);
        u64 cells = 0;
        seat.console().with_screen(
            [&cells](text::Screen const& screen) { cells = screen.digest(); });
        recorder.number(format_to(std::span(name), "cells {}", prompts).text, cells);
        recorder.number(format_to(std::span(name), "pixels {}", prompts).text, outlet.digest());
    }
    recorder.truth("answered", is_answered);
    record_screen(recorder, seat, outlet);
    recorder.truth("typed the end", boot::type_text(keyboard, "exit 7\n").has_value());
    kernel.threads->join(*thread.value()).value(); // nobody else joins it
    recorder.number("outcome", person.value()->outcome);
}

} // namespace

} // namespace screen_room

void screen(boot::Recorder& recorder, boot::Kernel& kernel) {
    using namespace screen_room;
    auto const keyboard = boot::keyboard_and_mouse(kernel);
    if (!keyboard || kernel.threads == nullptr) {
        recorder.error("keyboard", keyboard ? Error::not_supported : keyboard.error());
        return;
    }
    constexpr usize pixels = usize{mode.width} * mode.height;
    auto const room = memory::allocate_room<u32>(*kernel.heap, pixels);
    if (!room) {
        recorder.error("pixels", room.error());
        return;
    }
    std::fill_n(room.value(), pixels, 0);
    HiddenDisplay display({room.value(), pixels});
    auto outlet = device::PixelOutlet::create(display, *text::find_theme("dark").value()).value();
    auto const seat = shell::ScreenSeat::open(kernel, outlet, keyboard.value());
    if (seat) {
        type_session(recorder, kernel, *keyboard.value(), *seat.value(), outlet);
        seat.value()->close();
    } else {
        recorder.error("seat", seat.error());
    }
    memory::free_room(*kernel.heap, room.value());
}

} // namespace twofold::scenarios
