// Measures the time from a key press to the pixels that it changes, on a live machine with the
// whole kernel: the key is hit at the machine's keyboard controller, from a thread that is none of
// the kernel's; driver, keyboard, session and terminal do what they do for a person, and the GPU
// hands the frame to a surface of the host, which looks for pixels that are not what they were.
//
// Keys are hit at random moments. "At rest": more than a frame's time after the last change, so
// that the screen's thread sleeps. "In a row": sooner, while it lets the rest of a frame's time go
// by. Letters are typed and erased again, so each press changes pixels. At the end `exit 7` is
// typed, and must be the end of the run: the keys did reach the session.
#include "apps/arguments/arguments.hpp"
#include "apps/display/frame.hpp"
#include "hal/hosted/devices/virtio_gpu.hpp"
#include "hal/hosted/machine.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <vector>

namespace twofold::bench {

namespace {

using hosted::FrameArea;
using hosted::FrameSize;
using hosted::Machine;
using hosted::MachineConfig;
using hosted::Stop;
using Clock = std::chrono::steady_clock;

constexpr FrameSize size{1920, 1080};
constexpr auto frame_time = std::chrono::nanoseconds(16'666'667);
constexpr auto patience = std::chrono::seconds(10);
constexpr auto quiet = std::chrono::milliseconds(300); ///< nothing changes for so long: at rest
constexpr u32 line_letters = 20;                       ///< then they are erased
constexpr u8 usage_of_a = 0x04, usage_of_enter = 0x28, usage_of_backspace = 0x2a;
constexpr u8 usage_of_blank = 0x2c, usage_of_7 = 0x24;
constexpr int typed_status = 7;

[[noreturn]] void fail(char const* reason) {
    std::fprintf(stderr, "display-keys: %s\n", reason);
    std::_Exit(1); // other threads are in a kernel
}

/// Keeps what is shown, and when it changed last.
class Surface final : public hosted::FrameSink {
public:
    void resize(FrameSize wanted) override {
        std::lock_guard const guard(m_mutex);
        m_frame.resize(wanted);
    }
    void present(FrameArea const& area, std::span<u32 const> pixels, u32 stride) override {
        std::lock_guard const guard(m_mutex);
        bool const is_new = differs(area, pixels, stride);
        m_frame.take(area, pixels, stride);
        if (is_new) {
            m_changed_at = Clock::now();
            ++m_changes;
            m_changed.notify_all();
        }
    }

    u64 changes() {
        std::lock_guard const guard(m_mutex);
        return m_changes;
    }
    /// When something had changed behind the first `seen` changes; nothing: it has not, until then.
    std::optional<Clock::time_point> change_behind(u64 seen, Clock::time_point until) {
        std::unique_lock lock(m_mutex);
        if (!m_changed.wait_until(lock, until, [&] { return m_changes > seen; })) {
            return std::nullopt;
        }
        return m_changed_at;
    }

private:
    bool differs(FrameArea const& area, std::span<u32 const> pixels, u32 stride) const {
        for (u32 row = 0; row < area.height; ++row) {
            auto const shown = m_frame.row(area.y + row).subspan(area.x, area.width);
            if (!std::ranges::equal(shown, pixels.subspan(u64{row} * stride, area.width))) {
                return true;
            }
        }
        return false;
    }

    std::mutex m_mutex; ///< of all below
    std::condition_variable m_changed;
    display::Frame m_frame{size};
    u64 m_changes = 0;
    Clock::time_point m_changed_at;
};

/// A serial line at which nobody sits.
class NobodysConsole final : public hosted::ConsoleEndpoint {
public:
    void write(std::string_view) override {}
    hal::ConsoleInput read() override { return {hal::InputStatus::none, '\0'}; }
    void write_result(std::span<std::byte const>) override {}
};

class Typist {
public:
    Typist(Machine& machine, Surface& surface) : m_machine(machine), m_surface(surface) {}

    /// The screen shows something, and nothing new comes.
    void await_prompt() {
        u64 seen = 0;
        auto until = Clock::now() + patience;
        while (m_surface.change_behind(seen, until)) {
            seen = m_surface.changes();
            until = Clock::now() + quiet;
        }
        if (seen == 0) {
            fail("nothing was shown");
        }
    }
    /// Nanoseconds of each of so many presses; each comes `least` to `most` after the pixels of the
    /// one before. An even number of times `line_letters` leaves the line empty.
    std::vector<i64> type(u32 presses, Clock::duration least, Clock::duration most) {
        std::vector<i64> taken;
        std::uniform_int_distribution<Clock::rep> pause(least.count(), most.count());
        for (u32 number = 0; number < presses; ++number) {
            auto const resume_at = Clock::now() + Clock::duration(pause(m_random));
            std::this_thread::sleep_until(resume_at - spin);
            while (Clock::now() < resume_at) {
            }
            bool const erases = number / line_letters % 2 != 0;
            taken.push_back(
                press(erases ? usage_of_backspace : static_cast<u8>(usage_of_a + m_random() % 26)));
        }
        return taken;
    }
    /// What the run ends with.
    void type_the_end() {
        constexpr std::string_view word = "exit";
        for (char const letter : word) {
            press(static_cast<u8>(usage_of_a + (letter - 'a')));
        }
        press(usage_of_blank);
        press(usage_of_7);
        hit(usage_of_enter);
    }

private:
    static constexpr auto spin = std::chrono::microseconds(200); ///< sleeps are late by less

    i64 press(u8 usage) {
        u64 const before = m_surface.changes();
        auto const pressed_at = Clock::now();
        hit(usage);
        auto const changed_at = m_surface.change_behind(before, pressed_at + patience);
        if (!changed_at) {
            fail("a key changed no pixel");
        }
        if (!m_machine.key(usage, false)) {
            fail("a key was not taken");
        }
        return std::chrono::nanoseconds(*changed_at - pressed_at).count();
    }
    void hit(u8 usage) {
        if (!m_machine.key(usage, true)) {
            fail("a key was not taken");
        }
    }

    Machine& m_machine;
    Surface& m_surface;
    std::mt19937 m_random{1};
};

void print(char const* name, std::vector<i64> const& figures, char const* behind) {
    std::printf("\"%s\": [", name);
    for (usize index = 0; index < figures.size(); ++index) {
        std::printf("%s%lld", index == 0 ? "" : ", ", static_cast<long long>(figures[index]));
    }
    std::printf("]%s", behind);
}

void measure(Machine& machine, Surface& surface, u32 presses) {
    Typist typist(machine, surface);
    typist.await_prompt();
    auto const at_rest = typist.type(presses, frame_time + frame_time / 8, frame_time * 9 / 4);
    auto const in_a_row = typist.type(presses, Clock::duration::zero(), frame_time);
    std::printf("{");
    print("at_rest", at_rest, ", ");
    print("in_a_row", in_a_row, "}\n");
    typist.type_the_end();
}

/// Until the kernel ends; its status.
int run(Machine& machine) {
    while (true) {
        Stop const stop = machine.run();
        if (stop.kind == Stop::Kind::exited) {
            return stop.status;
        }
        if (stop.kind != Stop::Kind::waiting_for_input) {
            fail("the kernel did not run to its end");
        }
        machine.wait(-1);
    }
}

int measure_on_a_machine(u32 presses) {
    Surface surface;
    NobodysConsole console;
    MachineConfig config;
    config.devices.push_back(std::make_shared<hosted::VirtioGpu>(surface, size));
    config.command_line = "display=on console=interactive";
    auto const machine = Machine::create(std::move(config), console);
    if (!machine) {
        fail(machine.error().c_str());
    }
    // Signals are for processors; a thread is born with its maker's mask.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread person([&] { measure(**machine, surface, presses); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    int const status = run(**machine);
    person.join();
    if (status != typed_status) {
        fail("the session did not read what was typed");
    }
    return 0;
}

} // namespace

} // namespace twofold::bench

int main(int count, char** arguments) {
    using namespace twofold;
    u32 lines = 5;
    Arguments known(
        "display-keys", "Measures key presses until their pixels are shown; prints JSON, ns.");
    known.add(
        {.name = "--lines",
         .value_name = "N",
         .help = "each is typed and erased: 40 presses at rest, and 40 in a row",
         .take = number_in(lines, 1u, 1000u),
         .default_text = "5"});
    if (auto const status = known.parse(count, arguments)) {
        return *status;
    }
    return bench::measure_on_a_machine(lines * 2 * bench::line_letters);
}
