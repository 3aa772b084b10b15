// See screen_modes.hpp.
#include "apps/launch/screen_modes.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <algorithm>

namespace twofold::launch {

namespace {

/// A mode by its number, and what it usually is.
struct KnownMode {
    u32 number;
    bool usual;
    std::string_view on;
    std::string_view off;
};

constexpr u32 size_reports = 2048;

/// In the order in which they are taken back: the alternate screen last, since what is shown then
/// is to stay.
constexpr std::array known_modes{
    KnownMode{1, false, "\x1B[?1h", "\x1B[?1l"},                  // cursor keys of the application
    KnownMode{size_reports, false, "\x1B[?2048h", "\x1B[?2048l"}, // reports of sizes
    KnownMode{2004, false, "\x1B[?2004h", "\x1B[?2004l"},         // brackets around pasted text
    KnownMode{25, true, "\x1B[?25h", "\x1B[?25l"},                // the cursor
    KnownMode{1049, false, "\x1B[?1049h", "\x1B[?1049l"},         // the alternate screen
};
constexpr u32 size_reports_bit = u32{1} << 1;
static_assert(known_modes[1].number == size_reports);
constexpr u32 alternate = u32{1} << (known_modes.size() - 1);
constexpr u32 coloured = u32{1} << known_modes.size();
constexpr u32 within_row = coloured << 1; ///< of the usual screen
static_assert(known_modes.back().number == 1049);

constexpr char escape_letter = '\x1B';
constexpr std::string_view plain = "\x1B[m";
constexpr std::string_view next_row = "\r\n";

/// All that either sequence may hold, so that it fits.
constexpr usize longest = [] {
    usize size = plain.size() + next_row.size();
    for (KnownMode const& mode : known_modes) {
        size += std::max(mode.on.size(), mode.off.size());
    }
    return size;
}();
static_assert(longest <= sizeof(ScreenModes::Sequence::bytes));

} // namespace

void ScreenModes::Sequence::append(std::string_view text) {
    std::ranges::copy(text, bytes.begin() + static_cast<std::ptrdiff_t>(size));
    size += text.size();
}

void ScreenModes::feed(std::string_view bytes) {
    for (char const byte : bytes) {
        take(byte);
    }
}

void ScreenModes::take(char byte) {
    switch (m_state) {
    case State::text:
        if (byte == escape_letter) {
            m_state = State::escape;
        } else if ((m_unusual.load(std::memory_order_relaxed) & alternate) == 0) {
            if (byte == '\n') {
                set(within_row, false);
            } else if (static_cast<u8>(byte) >= ' ') {
                set(within_row, true);
            }
        }
        break;
    case State::escape:
        m_state = byte == '['             ? State::sequence
                  : byte == escape_letter ? State::escape
                                          : State::text;
        m_is_private = false;
        m_parameters.fill(0);
        m_parameter_count = 1;
        if (byte == 'c') { // a full reset
            set(~u32{0}, false);
        }
        break;
    case State::sequence:
    case State::skipped:
        take_in_sequence(byte);
        break;
    }
}

void ScreenModes::take_in_sequence(char byte) {
    if (byte == escape_letter) {
        m_state = State::escape;
    } else if (byte >= '@' && byte <= '~') {
        if (m_state == State::sequence) {
            end_sequence(byte);
        }
        m_state = State::text;
    } else if (byte == '?') {
        m_is_private = true;
    } else if (byte == ';' && m_parameter_count < parameters_max) {
        ++m_parameter_count;
    } else if (byte >= '0' && byte <= '9') {
        u32& number = m_parameters[m_parameter_count - 1];
        number = std::min(number * 10 + static_cast<u32>(byte - '0'), u32{100'000});
    } else if (static_cast<u8>(byte) >= ' ') {
        m_state = State::skipped; // of another kind, or longer than any that is known
    }
}

void ScreenModes::end_sequence(char final) {
    if (m_is_private && (final == 'h' || final == 'l')) {
        for (usize index = 0; index < m_parameter_count; ++index) {
            change_private_mode(m_parameters[index], final == 'h');
        }
    } else if (!m_is_private && final == 'm') {
        set(coloured, m_parameters[m_parameter_count - 1] != 0); // a 0 is plain again
    }
}

void ScreenModes::change_private_mode(u32 number, bool is_on) {
    for (usize index = 0; index < known_modes.size(); ++index) {
        if (known_modes[index].number == number) {
            set(u32{1} << index, is_on != known_modes[index].usual);
        }
    }
    if (number == size_reports) {
        m_is_size_asked = is_on;
    }
}

void ScreenModes::set(u32 bits, bool is_on) {
    if (is_on) {
        m_unusual.fetch_or(bits, std::memory_order_relaxed);
    } else {
        m_unusual.fetch_and(~bits, std::memory_order_relaxed);
    }
}

ScreenModes::Sequence ScreenModes::undo() const {
    u32 const unusual = m_unusual.load(std::memory_order_relaxed);
    Sequence out;
    out.append((unusual & coloured) != 0 ? plain : "");
    for (usize index = 0; index < known_modes.size(); ++index) {
        KnownMode const& mode = known_modes[index];
        out.append((unusual >> index & 1) == 0 ? "" : mode.usual ? mode.on : mode.off);
    }
    out.append((unusual & within_row) != 0 ? next_row : "");
    return out;
}

ScreenModes::Sequence ScreenModes::redo() const {
    u32 const unusual = m_unusual.load(std::memory_order_relaxed);
    Sequence out;
    for (usize index = known_modes.size(); index-- > 0;) {
        KnownMode const& mode = known_modes[index];
        out.append((unusual >> index & 1) == 0 ? "" : mode.usual ? mode.off : mode.on);
    }
    return out;
}

bool ScreenModes::reports_size() const {
    return (m_unusual.load(std::memory_order_relaxed) & size_reports_bit) != 0;
}

std::string size_report(int descriptor) {
    winsize size{};
    if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
        return {};
    }
    return fmt::format(
        "\x1B[48;{};{};{};{}t", size.ws_row, size.ws_col, size.ws_ypixel, size.ws_xpixel);
}

} // namespace twofold::launch
