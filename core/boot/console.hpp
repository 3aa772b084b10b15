// Lines from the console, for people and for programs: echo, correction and a prompt in interactive
// mode, nothing but the lines in pipe mode.
#pragma once

#include "core/base/base.hpp"
#include "core/boot/options.hpp"

#include <optional>
#include <string_view>

namespace twofold::boot {

class Console {
public:
    static constexpr usize line_max = 1024;

    Console(Output& out, ConsoleMode mode) : m_out(out), m_mode(mode) {}

    /// Waits for the next line, without its end; nothing at the end of input (ctrl-D on an empty
    /// line). The view is valid until the next call. A longer line than line_max is discarded and
    /// said so.
    std::optional<std::string_view> read_line();

private:
    enum class Edit : u8 { more, complete, end };

    Edit take(char byte);
    void erase_last();
    void say(std::string_view text);

    Output& m_out;
    ConsoleMode m_mode;
    FixedString<line_max> m_line;
    bool m_too_long = false;
    bool m_ended = false;
    char m_previous = 0;
};

} // namespace twofold::boot
