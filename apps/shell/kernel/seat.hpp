// A seat: where a person, or a program, sits at the kernel. Bytes come from there, as a terminal
// sends them, and are shown there.
//
// Sizes come in the bytes: CSI 48 ; ROWS ; COLUMNS ; HEIGHT ; WIDTH t, as terminals report them
// that know the mode 2048 ("Terminal in-band resize notifications").
#pragma once

#include "core/base/base.hpp"
#include "core/text/text.hpp"

#include <optional>
#include <string_view>

namespace twofold::shell {

class Seat {
public:
    Seat(Seat const&) = delete;
    Seat& operator=(Seat const&) = delete;

    /// The next byte, once there is one; nothing: none will come, or `stop` was called. One thread.
    virtual std::optional<char> read() = 0;
    /// A `read` that waits, and each further one, answers with nothing. Any thread.
    virtual void stop() = 0;
    /// Shows all of `text`. Any thread.
    virtual void write(std::string_view text) = 0;
    /// How large it is as long as nothing else is reported.
    virtual text::ScreenSize size() = 0;
    /// For lists of seats: "serial", "screen".
    virtual std::string_view name() const = 0;

protected:
    Seat() = default;
    ~Seat() = default;
};

} // namespace twofold::shell
