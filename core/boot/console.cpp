// The line discipline; see console.hpp. Control characters as in a POSIX terminal (termios(4)).
#include "core/boot/console.hpp"

#include "core/processor/processor.hpp"
#include "core/sync/sync.hpp"
#include "hal/console.hpp"

namespace twofold::boot {

namespace {

constexpr char end_of_input = 0x04; // ctrl-D
constexpr char cancel = 0x03;       // ctrl-C
constexpr char kill_line = 0x15;    // ctrl-U
constexpr char backspace = 0x08;
constexpr char delete_key = 0x7f;
constexpr std::string_view prompt = "twofold> ";

/// What has been typed, or nothing after a sleep. Interrupts stay off between the look and the
/// sleep, so that what comes in between ends it.
hal::ConsoleInput read_or_sleep() {
    sync::InterruptGuard const off;
    hal::ConsoleInput const input = hal::Console::read();
    if (input.status == hal::InputStatus::none) {
        processor::idle(processor::this_cpu());
    }
    return input;
}

} // namespace

std::optional<std::string_view> Console::read_line() {
    if (m_ended) {
        return std::nullopt;
    }
    m_line.clear();
    m_too_long = false;
    say(prompt);
    while (true) {
        hal::ConsoleInput const input = read_or_sleep();
        Edit edit = Edit::more;
        if (input.status == hal::InputStatus::none) {
            continue;
        }
        if (input.status == hal::InputStatus::end) {
            edit = Edit::end;
        } else {
            edit = take(input.byte);
        }
        if (edit == Edit::end) {
            m_ended = true;
            if (m_line.view().empty()) {
                return std::nullopt;
            }
            edit = Edit::complete; // the last line may lack its end
        }
        if (edit == Edit::complete) {
            return m_line.view();
        }
    }
}

Console::Edit Console::take(char byte) {
    bool const second_of_pair = byte == '\n' && m_previous == '\r';
    m_previous = byte;
    if (byte == '\r' || byte == '\n') {
        if (second_of_pair) {
            return Edit::more;
        }
        say("\r\n");
        if (m_too_long) {
            format_to(m_out, "the line is longer than {} bytes; nothing of it was run\n", line_max);
            m_line.clear();
            m_too_long = false;
        }
        return Edit::complete;
    }
    if (byte == end_of_input) {
        return m_line.view().empty() || m_mode == ConsoleMode::pipe ? Edit::end : Edit::more;
    }
    if (m_mode == ConsoleMode::interactive) {
        if (byte == backspace || byte == delete_key) {
            erase_last();
            return Edit::more;
        }
        if (byte == kill_line || byte == cancel) {
            while (!m_line.view().empty()) {
                erase_last();
            }
            return Edit::more;
        }
    }
    if (!m_line.append(byte)) {
        m_too_long = true;
        return Edit::more;
    }
    say({&byte, 1});
    return Edit::more;
}

void Console::erase_last() {
    if (!m_line.view().empty()) {
        m_line.pop_back();
        say("\b \b");
    }
}

void Console::say(std::string_view text) {
    if (m_mode == ConsoleMode::interactive) {
        m_out.write(text);
    }
}

} // namespace twofold::boot
