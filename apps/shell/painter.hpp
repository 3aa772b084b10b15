// Painter: makes a terminal show a frame, with the few bytes that take it there from the last one.
//
// It knows where its rows lie only relative to each other: the first one is where the cursor stood
// at the beginning. Rows are written one by one and never wrapped by the terminal, so the last
// column's quirks do not matter. Whoever else writes to the terminal calls `hide` before, or says
// `forget`. Pure; the output outlives it.
#pragma once

#include "apps/shell/frame.hpp"

namespace twofold::shell {

class Painter {
public:
    Painter(AnyAllocator& allocator, Output const& output) : m_output(output), m_shown(allocator) {}
    Painter(Painter const&) = delete;
    Painter& operator=(Painter const&) = delete;

    /// Shows a frame of a screen with that many columns; it becomes the one that is kept, and
    /// `frame` gets the memory of the last one. O(both).
    void paint(Frame& frame, std::string_view escapes, u32 columns);
    /// Takes the rows away; the cursor is where the first one began.
    void hide();
    /// The same on a terminal that was given another size meanwhile.
    void hide_resized();
    /// Leaves the rows as they are; the cursor goes to the beginning of a new row.
    void leave();
    /// Nothing is known of the terminal but that the cursor stands at the beginning of an empty
    /// row.
    void forget();
    /// Bytes that neither move the cursor nor print.
    void send(std::string_view bytes);
    /// A row of text, when nothing is shown.
    void print_row(std::string_view text);
    /// Goes to the beginning of a row, wherever the cursor stands, and forgets.
    void seek_empty_row(u32 columns);
    void clear_screen();

private:
    void write(std::string_view bytes);
    void flush();
    void paint_row(Frame const& frame, u32 row, std::string_view escapes);
    bool is_shown(Frame const& frame, Glyph const& glyph, std::span<Glyph const>& shown) const;
    void move(u32 row, u32 column);
    void move_in_row(u32 column);
    void move_by(u32 count, char final);
    void set_style(Style style, std::string_view escapes);

    Output m_output;
    Frame m_shown;
    u32 m_columns = 1;
    u32 m_row = 0;    ///< where the cursor is
    u32 m_column = 0; ///< m_columns: behind the last column, where terminals wait to wrap
    Style m_style = style_plain;
    char m_storage[256] = {};
    TextBuffer m_buffer{m_storage};
};

} // namespace twofold::shell
