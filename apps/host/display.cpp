// See display.hpp.
#include "apps/host/display.hpp"

#include "apps/display/png_file.hpp"
#include "apps/launch/file_place.hpp"

#include <fmt/format.h>
#include <unistd.h>

namespace twofold::host {

using display::DisplayChoice;

HostDisplay::HostDisplay(DisplayChoice const& choice, std::string program)
    : m_choice(choice), m_program(std::move(program)), m_kept(choice.size) {
    if (choice.kind == DisplayChoice::Kind::png) {
        launch::check_file_place(choice.file, "--display");
    }
    if (choice.kind == DisplayChoice::Kind::window) {
        auto window =
            display::WindowDisplay::open(display::WindowDisplay::find_program(), choice.size);
        if (window) {
            m_window = std::move(*window);
        } else {
            say(fmt::format("no window: {}; running without one", window.error()));
        }
    }
    m_device = std::make_shared<hosted::VirtioGpu>(sink(), choice.size);
}

hosted::FrameSink& HostDisplay::sink() {
    if (m_window != nullptr) {
        return *m_window;
    }
    return m_kept;
}

void HostDisplay::connect(hosted::Machine& machine, u32 number) {
    m_machine = &machine;
    m_number = number;
    if (m_window != nullptr) {
        m_stopper.emplace(machine);
        m_window->start(*this);
    }
}

void HostDisplay::disconnect() {
    if (m_window != nullptr) {
        m_window->stop();
    }
    m_stopper.reset();
    m_machine = nullptr;
}

void HostDisplay::finish() const {
    if (m_choice.kind == DisplayChoice::Kind::png) {
        display::write_png(m_choice.file, m_kept.frame());
    }
}

/// One line, whole, from any thread.
void HostDisplay::say(std::string_view line) const {
    std::string const text = fmt::format("{}: {}\n", m_program, line);
    static_cast<void>(!write(STDERR_FILENO, text.data(), text.size()));
}

void HostDisplay::key(u8 usage, bool is_pressed) {
    m_machine->key(usage, is_pressed); // dropped where the kernel takes none
}

void HostDisplay::mouse(i32 dx, i32 dy, i32 wheel, u8 buttons) {
    m_machine->move_mouse(dx, dy, -wheel, buttons); // the machine counts towards the person
}

void HostDisplay::resized(hosted::FrameSize size) {
    m_device->set_size(size);
    m_machine->notice_device(m_number);
}

void HostDisplay::closed() {
    m_is_closed = true;
    m_stopper->ask();
}

void HostDisplay::still_closed() {
    m_stopper->ask();
}

void HostDisplay::lost() {
    m_is_lost = true;
    say("the window has gone; the machine goes on without it");
    m_machine->notice_device(m_number); // who waits for the window alone looks again
}

} // namespace twofold::host
