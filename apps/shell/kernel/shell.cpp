// See shell.hpp.
#include "apps/shell/kernel/shell.hpp"

#include "apps/shell/kernel/machine_screen.hpp"
#include "apps/shell/kernel/serial_seat.hpp"
#include "apps/shell/kernel/session.hpp"

namespace twofold::shell {

namespace {

namespace status = boot::status;

/// The machine's console; what is written there is to be seen on the screen, too, if there is one.
class MirroredSeat final : public Seat {
public:
    MirroredSeat(SerialSeat& serial, ScreenSeat* screen) : m_serial(serial), m_screen(screen) {}

    std::optional<char> read() override { return m_serial.read(); }
    void stop() override { m_serial.stop(); }
    void write(std::string_view text) override {
        m_serial.write(text);
        if (m_screen != nullptr) {
            m_screen->write(text);
        }
    }
    text::ScreenSize size() override { return m_serial.size(); }
    std::string_view name() const override { return m_serial.name(); }

private:
    SerialSeat& m_serial;
    ScreenSeat* m_screen;
};

/// All that a machine's sessions need; too large for a stack.
struct Desk {
    explicit Desk(boot::Kernel& of)
        : kernel(of), serial(of), screen(of), mirrored(serial, screen.seat()) {
        kernel.before_end = [](void* self) {
            if (ScreenSeat* const seat = static_cast<Desk*>(self)->screen.seat()) {
                seat->console().flush();
            }
        };
        kernel.before_end_context = this;
    }
    Desk(Desk const&) = delete;
    Desk& operator=(Desk const&) = delete;
    ~Desk() { kernel.before_end = nullptr; }

    boot::Kernel& kernel;
    SerialSeat serial;
    MachineScreen screen;
    MirroredSeat mirrored;
    std::optional<Session> at_serial;
    std::optional<Session> at_screen;
    Atomic<u32> is_over{0}; ///< one of the two has ended
    u8 outcome = status::success;
};
using DeskBox = memory::Box<Desk, memory::KernelHeap>;

void say_no_memory() {
    boot::console_output().write("there is no memory for a session\n");
}

/// The first session to end says how the run ends, and ends the other.
void note_end(Desk& desk, u8 outcome) {
    if (desk.is_over.exchange(1, acquire_release) == 0) {
        desk.outcome = outcome;
        desk.serial.stop();
        desk.screen.seat()->stop();
    }
}

void run_at_screen(void* argument) {
    auto& desk = *static_cast<Desk*>(argument);
    note_end(desk, desk.at_screen->run());
}

/// A person at the console and one at the screen, each with a session.
u8 run_both(boot::Kernel& kernel, Desk& desk) {
    desk.at_screen.emplace(kernel, *desk.screen.seat(), Session::Kind::person);
    task::ThreadAttributes attributes;
    attributes.name = "screen session";
    attributes.stack = {u64{128} << 10};
    auto const thread = kernel.threads->spawn(attributes, run_at_screen, &desk);
    if (!thread) {
        kernel.log(trace::LogLevel::error, "no session at the screen: {}", thread.error());
        return desk.at_serial->run();
    }
    note_end(desk, desk.at_serial->run());
    kernel.threads->join(*thread.value()).value(); // nobody else joins it
    return desk.outcome;
}

u8 run_line(boot::Kernel& kernel, std::string_view line) {
    auto const desk = DeskBox::create(*kernel.heap, kernel);
    if (!desk) {
        say_no_memory();
        return status::failure;
    }
    Desk& is = *desk.value();
    is.at_serial.emplace(kernel, is.mirrored, Session::Kind::program);
    return is.at_serial->run_text(line);
}

u8 converse(boot::Kernel& kernel) {
    auto const desk = DeskBox::create(*kernel.heap, kernel);
    if (!desk) {
        say_no_memory();
        return status::failure;
    }
    Desk& is = *desk.value();
    if (kernel.options.console == boot::ConsoleMode::pipe) {
        is.at_serial.emplace(kernel, is.mirrored, Session::Kind::program);
        return is.at_serial->run();
    }
    is.at_serial.emplace(kernel, is.serial, Session::Kind::person);
    return is.screen.seat() != nullptr ? run_both(kernel, is) : is.at_serial->run();
}

} // namespace

boot::LineRunner const line_runner = {.run = run_line, .converse = converse};

} // namespace twofold::shell
