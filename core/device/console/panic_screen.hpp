// The report of a panic on a screen: the text is kept as it is printed elsewhere, and then drawn in
// place of all that was seen.
//
// Whoever panics may hold any lock, have interrupted the thread that draws in the middle, and be
// followed by nobody. So nothing here takes a lock that may be held, allocates, or waits for more
// than an outlet's second; memory for the text is part of the object.
#pragma once

#include "core/device/console/screen_outlet.hpp"

#include <string_view>

namespace twofold::device {

class PanicScreen {
public:
    /// More of a report is not kept.
    static constexpr usize text_max = 16384;

    /// The outlet outlives it.
    explicit PanicScreen(ScreenOutlet& outlet) : m_outlet(outlet) {}
    PanicScreen(PanicScreen const&) = delete;
    PanicScreen& operator=(PanicScreen const&) = delete;

    /// Appends text, without empty rows before it; what is no printable ASCII becomes `?`. Any
    /// context, one at a time. O(text).
    void note(std::string_view text);
    /// Shows the text, rows that are too long broken. Where there are more rows than the outlet
    /// has, the first ones are seen and the last, which say how to come here again, and between
    /// them how many are missing. Any context, interrupts off. Errors: those of
    /// ScreenOutlet::show_report.
    Result<void> show();

private:
    void show_part(u32 from, u32 to, u32 at);

    ScreenOutlet& m_outlet;
    FixedString<text_max> m_text;
};

} // namespace twofold::device
