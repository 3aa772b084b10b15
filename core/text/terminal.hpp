// Terminal: the bytes that a program writes to a terminal become what is seen on a Screen. ECMA-48
// as xterm speaks it ("XTerm Control Sequences"), for UTF-8; docs/text.md lists what is understood.
//
// The parser is P. Williams' state machine for DEC's terminals (vt100.net/emu/dec_ansi_parser) with
// the states of device control strings joined: these are swallowed. Parameters and strings are
// bounded; what is more is read and forgotten. No bytes fail, and text may be split anywhere. What
// is no UTF-8 is shown as U+FFFD; C1 controls are understood in their 7-bit form only.
//
// Pure; the screen and what reports go to outlive it; no thread safety.
#pragma once

#include "core/text/screen.hpp"

namespace twofold::text {

inline constexpr usize parameters_max = 32;
inline constexpr usize command_string_max = 256; ///< bytes of an operating system command
inline constexpr usize title_bytes_max = 256;

/// Which events of the mouse a program asked for (1000 to 1003), and in which form (1005, 1006).
enum class MouseTracking : u8 { none, press, highlight, drag, motion };
enum class MouseEncoding : u8 { bytes, utf8, decimal };

/// What a program switched on, as far as it is not the screen's.
struct Modes {
    bool insert = false;
    bool new_line = false; ///< a line feed also returns
    bool application_cursor_keys = false;
    bool origin = false; ///< rows are counted from the top margin
    bool wraps = true;
    bool bracketed_paste = false;
    bool focus_events = false;
    MouseTracking mouse_tracking = MouseTracking::none;
    MouseEncoding mouse_encoding = MouseEncoding::bytes;
};

class Terminal {
public:
    /// `reports` gets the answers to what programs ask (where is the cursor), as bytes that a
    /// keyboard might send, perhaps in pieces. It is called from within `write`.
    Terminal(Screen& screen, Output reports) : m_screen(screen), m_reports(reports) {}
    Terminal(Terminal const&) = delete;
    Terminal& operator=(Terminal const&) = delete;

    /// Takes what a program writes. O(bytes) for text; a control costs at most O(cells).
    void write(std::string_view bytes);
    /// As switched on (RIS); the title stays. O(cells).
    void reset();

    Modes const& modes() const { return m_modes; }
    std::string_view title() const { return m_title; }
    /// How often it has rung (BEL).
    u64 bells() const { return m_bells; }

private:
    enum class State : u8 {
        ground,
        escape,
        escape_intermediate,
        control_entry, ///< behind CSI
        control_parameter,
        control_intermediate,
        control_ignored,
        command_string, ///< behind OSC
        other_string,   ///< behind DCS, SOS, PM, APC
    };

    /// What DECSC keeps beside the cursor's place.
    struct SavedStyle {
        Pen pen;
        bool origin = false;
    };

    // The parser (terminal.cpp).
    void take(u8 byte);
    void take_text(u8 byte);
    void take_escape(u8 byte);
    void take_control(u8 byte);
    void take_parameter(u8 byte);
    void take_string(u8 byte);
    void begin_sequence(State state);
    template<class Text>
    void print_run(Text text);
    usize print_narrow(std::string_view bytes);
    void print(CodePoint point);
    void print_mark(CodePoint mark);
    void wrap_line();

    // What sequences do (terminal_controls.cpp).
    void execute(u8 control);
    void dispatch_escape(u8 final);
    void dispatch_control(u8 final);
    void dispatch_plain_control(u8 final);
    void dispatch_cursor_motion(u8 final);
    void dispatch_edit(u8 final);
    void dispatch_command();
    void line_feed();
    void reverse_line_feed();
    void move_up(u32 rows);
    void move_down(u32 rows);
    void set_column(u32 column);
    void place(u32 row, u32 column);
    void erase_in_display(u32 what);
    void erase_in_line(u32 what);
    void edit_lines(u32 lines, bool insert);
    void set_margins();
    void clear_tabs(u32 what);
    void align();

    // Modes and reports (terminal_modes.cpp).
    void set_modes(bool on);
    void set_private_modes(bool on);
    void set_private_mode(u32 mode, bool on);
    void set_mouse_mode(u32 mode, bool on);
    void select_alternate(bool on, bool clears);
    void save_cursor();
    void restore_cursor();
    void set_cursor_shape(u32 style);
    void report_status(u32 what, bool is_private);

    // Select Graphic Rendition (terminal_style.cpp).
    void select_rendition();
    void select_one(u32 value);
    usize select_colour(usize at);

    /// A parameter, or `otherwise` where it is left out; 0 counts as left out.
    u32 parameter(usize index, u32 otherwise) const {
        bool const given = index < m_parameter_count && m_parameters[index] != 0;
        return given ? m_parameters[index] : otherwise;
    }
    /// Whether a parameter follows a colon: it belongs to the one before.
    bool is_part(usize index) const { return index < m_parameter_count && (m_parts >> index & 1); }

    Screen& m_screen;
    Output m_reports;
    Pen m_pen;
    Modes m_modes;
    SavedStyle m_saved[2]; ///< of the planes
    FixedString<title_bytes_max> m_title;
    u64 m_bells = 0;

    State m_state = State::ground;
    Utf8Decoder m_decoder;
    u16 m_parameters[parameters_max] = {};
    u32 m_parameter_count = 0;
    u32 m_parts = 0;         ///< a bit for each parameter
    u8 m_prefix = 0;         ///< '<', '=', '>', '?', or 0
    u8 m_intermediate = 0;   ///< the only one; 0: none
    bool m_too_many = false; ///< more intermediates or parameters than are understood
    FixedString<command_string_max> m_command;
};
static_assert(parameters_max <= 32, "m_parts has a bit for each");

} // namespace twofold::text
