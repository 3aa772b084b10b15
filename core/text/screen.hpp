// Screen: the grid of cells that a terminal writes and a view draws. Two planes (primary and
// alternate), one of which is seen; behind the primary one a history of the rows that scrolled out.
//
// Rows are slots of one array of cells, and the order of rows is an array of slot numbers, so that
// a scroll moves numbers and not cells. Slots that are not rows of a plane lie in the history's
// ring, in use or not: a row that leaves the screen changes places with the ring's oldest.
//
// Invariants: each slot is in exactly one place of the planes' orders and the ring (`is_sound`); a
// wide character is a lead cell and a tail cell behind it, never one alone.
//
// What changed is remembered as one scroll and, after that, a range of columns of each row; the
// view that draws it clears it (`clear_damage`). Pure; the caller's memory; no thread safety.
#pragma once

#include "core/text/cell.hpp"

#include <span>

namespace twofold::text {

struct ScreenSize {
    u32 columns = 0;
    u32 rows = 0;
    constexpr bool operator==(ScreenSize const&) const = default;
};
inline constexpr u32 columns_max = 2048;
inline constexpr u32 rows_max = 1024;
inline constexpr u32 history_rows_max = 1u << 20;
inline constexpr u32 tab_distance = 8;

struct Cursor {
    u32 row = 0;
    u32 column = 0;
    /// The last column was just written: the next character goes to the next row (as VT100's "last
    /// column flag").
    bool wraps = false;
    constexpr bool operator==(Cursor const&) const = default;
};

enum class CursorShape : u8 { block, underline, bar };
enum class Plane : u8 { primary, alternate };

/// Columns [first, end) of a row; none where end <= first.
struct ColumnRange {
    u16 first = columns_max;
    u16 end = 0;
    constexpr bool empty() const { return end <= first; }
};

/// Rows [top, bottom) went up by `lines`; 0: none did.
struct Scroll {
    u32 top = 0;
    u32 bottom = 0;
    u32 lines = 0;
};

/// Whether rows that leave at the top go to the history.
enum class ScrolledOut : u8 { kept, lost };

class Screen {
public:
    /// How much memory a screen takes. O(1).
    static Bytes bytes_needed(ScreenSize size, u32 history_rows);
    /// An empty screen in `memory`, which outlives it. Errors: out_of_range (a size of 0 or above
    /// the limits), no_space (`memory` is smaller than bytes_needed). O(memory).
    static Result<Screen> create(std::span<std::byte> memory, ScreenSize size, u32 history_rows);
    /// The same screen in another size and other memory; `other` may go. What fits is kept, line
    /// for line and from the left. Where there are fewer rows, blank ones below the cursor go
    /// first, then those at the top, to the history; the cursor stays in view. Errors: those of
    /// create. O(cells).
    static Result<Screen>
    create_resized(Screen const& other, std::span<std::byte> memory, ScreenSize size);

    Screen(Screen&&) = default;
    Screen& operator=(Screen&&) = default;
    Screen(Screen const&) = delete;
    Screen& operator=(Screen const&) = delete;

    ScreenSize size() const { return m_size; }
    Plane plane() const { return m_plane; }
    Cursor const& cursor() const { return m_cursor; }
    bool cursor_is_visible() const { return m_cursor_visible; }
    CursorShape cursor_shape() const { return m_cursor_shape; }
    /// The cells of a row that is seen. O(1).
    std::span<Cell const> row(u32 row) const { return slot_cells(slot_of(row)); }
    /// Whether a row goes on in the next one without a line end. O(1).
    bool is_wrapped(u32 row) const { return m_wrapped[slot_of(row)] != 0; }

    u32 history_size() const { return m_history_size; }
    u32 history_capacity() const { return static_cast<u32>(m_history.size()); }
    /// A row of the history; 0 is the oldest. O(1).
    std::span<Cell const> history_row(u32 index) const {
        return slot_cells(m_history[history_place(index)]);
    }

    /// What is to be seen in a row as UTF-8, with its combining marks and without the blanks at its
    /// end, in `out`; what does not fit is cut. O(columns).
    std::string_view text_of(std::span<Cell const> cells, std::span<char> out) const;
    /// Calls visitor(row, text) for each row that is seen, from the top; `room` holds one row's
    /// text at a time (row_text_bytes is enough). O(cells).
    template<class Visitor>
    void walk(std::span<char> room, Visitor&& visitor) const {
        for (u32 at = 0; at < m_size.rows; ++at) {
            visitor(at, text_of(row(at), room));
        }
    }
    /// The most bytes that text_of gives for a row of this screen.
    usize row_text_bytes() const { return usize{m_size.columns} * (4 + 3 * Cell::marks_max); }
    /// One number for all that is seen: size, cells with their looks, and the cursor. Equal screens
    /// have equal digests on every machine (FNV-1a over words, G. Fowler, L. C. Noll and P. Vo).
    /// O(cells).
    u64 digest() const;

    // What changed since clear_damage.
    Scroll const& scroll() const { return m_scroll; }
    ColumnRange damage(u32 row) const { return m_damage[row]; }
    /// Whether anything did. O(rows).
    bool has_damage() const;
    void clear_damage();
    void damage_all() { damage_rows(0, m_size.rows); }

    // What a terminal does. Rows and columns lie on the screen; ranges are [from, to).
    void set_cursor(Cursor const& cursor);
    void show_cursor(bool visible) { m_cursor_visible = visible; }
    void set_cursor_shape(CursorShape shape) { m_cursor_shape = shape; }
    /// Keeps the cursor's place beside each plane, and brings it back. O(1).
    void save_cursor() { m_saved[static_cast<u32>(m_plane)] = m_cursor; }
    void restore_cursor() { set_cursor(m_saved[static_cast<u32>(m_plane)]); }
    /// Shows a plane. The cursor stays where it is. O(rows).
    void select(Plane plane);

    /// Characters of one cell each from a column on, ASCII or code points; all of them fit.
    /// O(text).
    void write(u32 row, u32 column, std::string_view text, Pen const& pen);
    void write(u32 row, u32 column, std::span<CodePoint const> text, Pen const& pen);
    /// One character of `width` 1 or 2 cells, which fit. O(1).
    void write(u32 row, u32 column, CodePoint point, u32 width, Pen const& pen);
    /// Adds a combining mark to what stands at or around a column. O(1).
    void add_mark(u32 row, u32 column, CodePoint mark);
    void set_wrapped(u32 row, bool wrapped) { m_wrapped[slot_of(row)] = wrapped ? 1 : 0; }
    void erase(u32 row, u32 from, u32 to, Colour background);
    void erase_rows(u32 from, u32 to, Colour background);
    /// Moves what stands from a column on to the right or left; blanks come in. O(columns).
    void insert_cells(u32 row, u32 column, u32 count, Colour background);
    void delete_cells(u32 row, u32 column, u32 count, Colour background);
    /// Fills the screen with a character, as DECALN does. O(cells).
    void fill(CodePoint point);

    /// Moves rows [top, bottom); blank ones come in. O(rows) a line, and O(columns) for each blank
    /// one.
    void scroll_up(u32 top, u32 bottom, u32 lines, Colour background, ScrolledOut scrolled_out);
    void scroll_down(u32 top, u32 bottom, u32 lines, Colour background);
    void clear_history() { m_history_size = 0; }

    /// The scroll region [top, bottom). O(1).
    u32 margin_top() const { return m_margin_top; }
    u32 margin_bottom() const { return m_margin_bottom; }
    void set_margins(u32 top, u32 bottom);

    void set_tab(u32 column, bool set) { m_tabs[column] = set ? 1 : 0; }
    void clear_tabs();
    void set_default_tabs();
    /// The next tab stop to the right, or the last column; to the left, or the first. O(columns).
    u32 next_tab(u32 column) const;
    u32 previous_tab(u32 column) const;

    /// As created: both planes blank, no history, default tabs. O(cells).
    void reset();

    /// Walks the structure. Errors: corrupted. O(cells).
    Result<void> verify() const;

private:
    static constexpr u32 planes = 2;

    Screen() = default;

    std::span<u32> order() const { return plane_order(m_plane); }
    std::span<u32> plane_order(Plane plane) const {
        return m_order.subspan(usize{static_cast<u32>(plane)} * m_size.rows, m_size.rows);
    }
    u32 slot_of(u32 row) const { return order()[row]; }
    std::span<Cell> slot_cells(u32 slot) const {
        return m_cells.subspan(usize{slot} * m_size.columns, m_size.columns);
    }
    std::span<Cell> line(u32 row) { return slot_cells(slot_of(row)); }
    u32 history_place(u32 index) const {
        u32 const capacity = history_capacity();
        u32 const place = m_history_next + capacity - m_history_size + index;
        return place >= capacity ? place - capacity : place;
    }

    void damage_columns(u32 row, u32 from, u32 to) {
        ColumnRange& range = m_damage[row];
        range.first = static_cast<u16>(from < range.first ? from : range.first);
        range.end = static_cast<u16>(to > range.end ? to : range.end);
    }
    void damage_rows(u32 from, u32 to);
    void note_scroll(u32 top, u32 bottom, u32 lines);
    u32 keep_in_history(u32 slot);
    void blank_slot(u32 slot, Colour background);
    void split(u32 row, u32 column);
    template<class Text>
    void write_run(u32 row, u32 column, Text text, Pen const& pen);
    void adopt_plane(Screen const& other, Plane plane, Cursor& cursor, Cursor& saved);
    u32 rows_used(Plane plane) const;
    void adopt_row(Screen const& other, u32 from_slot, u32 to_slot);

    ScreenSize m_size;
    Plane m_plane = Plane::primary;
    Cursor m_cursor;
    Cursor m_saved[planes];
    bool m_cursor_visible = true;
    CursorShape m_cursor_shape = CursorShape::block;
    u32 m_margin_top = 0;
    u32 m_margin_bottom = 0;
    Scroll m_scroll;

    std::span<Cell> m_cells;         ///< slot by slot
    std::span<u32> m_order;          ///< the slots of the planes' rows
    std::span<u32> m_history;        ///< a ring of slots
    std::span<u8> m_wrapped;         ///< of each slot
    std::span<ColumnRange> m_damage; ///< of each row that is seen
    std::span<u8> m_tabs;            ///< of each column
    u32 m_history_next = 0;          ///< where the next row that leaves goes
    u32 m_history_size = 0;
};

} // namespace twofold::text
