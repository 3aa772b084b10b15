// What was asked of a terminal along with the text that was shown on it: the alternate screen, a
// hidden cursor, brackets around pasted text, colours. Whoever ends a run takes it back, since the
// kernel cannot when it dies on the way.
//
// Invariant: one thread feeds, or several under a lock; the answers may be asked for meanwhile by a
// signal handler.
//
// Sources: XTerm Control Sequences (T. Dickey): DECSET, DECRST, SGR; "Terminal in-band resize
// notifications" (mode 2048).
#pragma once

#include "core/base/base.hpp"

#include <array>
#include <atomic>
#include <string>
#include <string_view>
#include <utility>

namespace twofold::launch {

class ScreenModes {
public:
    /// A few bytes for the terminal.
    struct Sequence {
        std::array<char, 64> bytes{};
        usize size = 0;

        std::string_view view() const { return {bytes.data(), size}; }
        void append(std::string_view text);
    };

    /// What is shown on the terminal. A sequence may come in pieces. O(n).
    void feed(std::string_view bytes);

    /// What makes the terminal usual again, with the cursor at the beginning of a row; empty where
    /// it is. Signal-safe.
    Sequence undo() const;
    /// What asks for all of it once more, colours aside. Signal-safe.
    Sequence redo() const;

    /// Whether whoever writes wants to be told the terminal's size. Signal-safe.
    bool reports_size() const;
    /// Whether that began anew since this was asked. By who feeds.
    bool take_size_request() { return std::exchange(m_is_size_asked, false); }

private:
    enum class State : u8 { text, escape, sequence, skipped };

    void take(char byte);
    void take_in_sequence(char byte);
    void end_sequence(char final);
    void change_private_mode(u32 number, bool is_on);
    void set(u32 bits, bool is_on);

    static constexpr usize parameters_max = 16;

    State m_state = State::text;
    bool m_is_private = false;
    std::array<u32, parameters_max> m_parameters{};
    usize m_parameter_count = 0; ///< begun so far, at most parameters_max
    bool m_is_size_asked = false;
    std::atomic<u32> m_unusual = 0; ///< bits: see screen_modes.cpp
    static_assert(std::atomic<u32>::is_always_lock_free, "read by signal handlers");
};

/// The size of the terminal behind `descriptor` as it reports it in the mode 2048; empty where it
/// does not know.
std::string size_report(int descriptor);

} // namespace twofold::launch
