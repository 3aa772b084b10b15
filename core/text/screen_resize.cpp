// The screen in another size.
#include "core/text/screen.hpp"

#include <algorithm>

namespace twofold::text {

/// The rows of a plane down to the last that shows something.
u32 Screen::rows_used(Plane plane) const {
    std::span<u32> const rows = plane_order(plane);
    u32 used = m_size.rows;
    while (used > 0) {
        std::span<Cell const> const cells = slot_cells(rows[used - 1]);
        if (std::any_of(
                cells.begin(), cells.end(), [](Cell const& one) { return one != Cell{}; })) {
            break;
        }
        --used;
    }
    return used;
}

/// A row of another screen, as far as it fits.
void Screen::adopt_row(Screen const& other, u32 from_slot, u32 to_slot) {
    std::span<Cell const> const from = other.slot_cells(from_slot);
    std::span<Cell> const to = slot_cells(to_slot);
    usize const kept = std::min(from.size(), to.size());
    std::copy_n(from.begin(), kept, to.begin());
    std::fill(to.begin() + static_cast<std::ptrdiff_t>(kept), to.end(), Cell{});
    if (to[kept - 1].part() == CellPart::lead && kept == to.size()) {
        to[kept - 1] = Cell::blank(to[kept - 1].background());
    }
    m_wrapped[to_slot] = from.size() == to.size() ? other.m_wrapped[from_slot] : u8{0};
}

/// A plane of another screen. Its cursors go up with their rows.
void Screen::adopt_plane(Screen const& other, Plane plane, Cursor& cursor, Cursor& saved) {
    u32 const used = std::max(other.rows_used(plane), cursor.row + 1);
    u32 const overflow = used > m_size.rows ? std::min(used - m_size.rows, cursor.row) : 0;
    std::span<u32> const from = other.plane_order(plane);
    std::span<u32> const to = plane_order(plane);
    for (u32 row = 0; row < overflow && plane == Plane::primary && !m_history.empty(); ++row) {
        u32 const free = m_history[m_history_next];
        adopt_row(other, from[row], free);
        static_cast<void>(keep_in_history(free));
    }
    u32 const rows = std::min(other.m_size.rows - overflow, m_size.rows);
    for (u32 row = 0; row < rows; ++row) {
        adopt_row(other, from[overflow + row], to[row]);
    }
    for (Cursor* const one : {&cursor, &saved}) {
        one->row -= std::min(one->row, overflow);
    }
}

Result<Screen>
Screen::create_resized(Screen const& other, std::span<std::byte> memory, ScreenSize size) {
    Screen screen = TRY(create(memory, size, other.history_capacity()));
    for (u32 index = 0; index < other.m_history_size; ++index) {
        u32 const free = screen.m_history[screen.m_history_next];
        screen.adopt_row(other, other.m_history[other.history_place(index)], free);
        static_cast<void>(screen.keep_in_history(free));
    }
    screen.m_plane = other.m_plane;
    screen.m_cursor_visible = other.m_cursor_visible;
    screen.m_cursor_shape = other.m_cursor_shape;
    Cursor cursor = other.m_cursor;
    for (Plane const plane : {Plane::primary, Plane::alternate}) {
        // Of the plane that is not seen, the saved cursor is the one to come back to.
        Cursor saved = other.m_saved[static_cast<u32>(plane)];
        Cursor hidden = saved;
        screen.adopt_plane(other, plane, plane == other.m_plane ? cursor : hidden, saved);
        screen.m_saved[static_cast<u32>(plane)] = saved;
    }
    screen.set_cursor(cursor);
    u32 const common = std::min(size.columns, other.m_size.columns);
    std::copy_n(other.m_tabs.begin(), common, screen.m_tabs.begin());
    return screen;
}

} // namespace twofold::text
