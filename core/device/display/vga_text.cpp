// See vga_text.hpp.
#include "core/device/display/vga_text.hpp"

#include "core/device/display/code_page.hpp"
#include "hal/io.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace twofold::device {

namespace {

using text::Attributes;
using text::Rgb;

/// What the controller's sixteen colours look like, unless somebody changes its palette.
constexpr Rgb colours[] = {0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa,
                           0xaa5500, 0xaaaaaa, 0x555555, 0x5555ff, 0x55ff55, 0x55ffff,
                           0xff5555, 0xff55ff, 0xffff55, 0xffffff};
constexpr u32 dark_colours = 8;
constexpr u8 light_bit = 8;
constexpr u16 blank_cell = 0x0720; // grey on black

constexpr u16 index_port = 0x3d4, data_port = 0x3d5;
constexpr u8 cursor_start = 0x0a, cursor_end = 0x0b, cursor_high = 0x0e, cursor_low = 0x0f;
constexpr u8 cursor_off = 0x20, last_line = 15;

i32 channel(Rgb colour, u32 shift) {
    return static_cast<i32>(colour >> shift & 0xff);
}

/// The square of how far two colours are apart.
i32 distance(Rgb a, Rgb b) {
    i32 sum = 0;
    for (u32 const shift : {0u, 8u, 16u}) {
        i32 const apart = channel(a, shift) - channel(b, shift);
        sum += apart * apart;
    }
    return sum;
}

/// The nearest of the first `count` colours; the first of equals.
u8 nearest(Rgb wanted, u32 count) {
    u32 best = 0;
    for (u32 i = 1; i < count; ++i) {
        best = distance(colours[i], wanted) < distance(colours[best], wanted) ? i : best;
    }
    return static_cast<u8>(best);
}

} // namespace

u16 vga_cell(text::Cell const& cell, text::Theme const& theme) {
    Attributes const attributes = cell.attributes();
    Rgb text = theme.rgb(cell.foreground(), theme.text);
    Rgb ground = theme.rgb(cell.background(), theme.background);
    if (has(attributes, Attributes::inverse)) {
        std::swap(text, ground);
    }
    u8 const below = nearest(ground, dark_colours);
    u8 above = nearest(text, static_cast<u32>(std::size(colours)));
    if (has(attributes, Attributes::bold)) {
        above |= light_bit;
    }
    if (above == below && text != ground) {
        above ^= light_bit; // two colours that differ are not to become one
    }
    bool const is_hidden = has(attributes, Attributes::hidden);
    u8 const character =
        is_hidden || cell.part() == text::CellPart::tail ? u8{' '} : code_page_437(cell.point());
    return static_cast<u16>(below << 12 | above << 8 | character);
}

Result<VgaText*> VgaText::open(
    memory::KernelSpace& space,
    memory::KernelHeap& heap,
    hal::TextBuffer const& buffer,
    VgaPorts const& ports) {
    if (buffer.columns == 0 || buffer.rows == 0 || buffer.columns > text::columns_max ||
        buffer.rows > text::rows_max || buffer.pitch < buffer.columns * sizeof(u16)) {
        return Error::not_supported;
    }
    u32 const cells = buffer.columns * buffer.rows;
    u16* const shown = TRY(memory::allocate_room<u16>(heap, cells));
    auto const view = space.map_device(
        buffer.base, Bytes{u64{buffer.pitch} * buffer.rows}, hal::CacheMode::uncached);
    if (!view) {
        memory::free_room(heap, shown);
        return view.error();
    }
    auto const room = memory::allocate_room<VgaText>(heap, 1);
    if (!room) {
        space.unmap_device(view.value()).value(); // it was mapped just now
        memory::free_room(heap, shown);
        return room.error();
    }
    auto* const screen =
        new (room.value()) VgaText(space, heap, buffer, ports, view.value(), {shown, cells});
    screen->blank();
    return screen;
}

void VgaText::close() {
    m_space.unmap_device(m_view).value(); // `open` has mapped it
    memory::KernelHeap& heap = m_heap;
    memory::free_room(heap, m_shown.data());
    this->~VgaText();
    memory::free_room(heap, this);
}

void VgaText::blank() {
    std::ranges::fill(m_shown, u16{0}); // which no blank cell is
    for (u32 row = 0; row < m_size.rows; ++row) {
        for (u32 column = 0; column < m_size.columns; ++column) {
            put(row, column, blank_cell);
        }
    }
}

void VgaText::put(u32 row, u32 column, u16 cell) {
    u16& shown = m_shown[row * m_size.columns + column];
    if (shown != cell) {
        shown = cell;
        ++m_cells_written;
        hal::Io::write_16(m_view + Bytes{u64{row} * m_pitch + column * sizeof(u16)}, cell);
    }
}

void VgaText::show(text::Screen const& screen, text::Theme const& theme) {
    bool const is_other = m_screen != &screen || m_theme != &theme;
    m_screen = &screen;
    m_theme = &theme;
    text::ScreenSize const size = screen.size();
    u32 const rows = std::min(size.rows, m_size.rows);
    u32 const columns = std::min(size.columns, m_size.columns);
    // A scroll is drawn anew: the copy keeps what has not changed from being written.
    bool const is_all = is_other || screen.scroll().lines != 0;
    for (u32 row = 0; row < rows; ++row) {
        text::ColumnRange const damage = screen.damage(row);
        u32 const first = is_all ? 0 : std::min<u32>(damage.first, columns);
        u32 const end = is_all ? columns : std::min<u32>(damage.end, columns);
        auto const cells = screen.row(row);
        for (u32 column = first; column < end; ++column) {
            put(row, column, vga_cell(cells[column], theme));
        }
    }
    place_cursor(screen);
}

void VgaText::show_line(u32 row, std::string_view line) {
    if (row >= m_size.rows) {
        return;
    }
    for (u32 column = 0; column < m_size.columns; ++column) {
        u8 const letter = column < line.size() ? static_cast<u8>(line[column]) : u8{' '};
        put(row, column, static_cast<u16>((blank_cell & 0xff00) | letter));
    }
    set_register(cursor_start, cursor_off);
}

void VgaText::place_cursor(text::Screen const& screen) {
    text::Cursor const& cursor = screen.cursor();
    bool const is_seen =
        screen.cursor_is_visible() && cursor.row < m_size.rows && cursor.column < m_size.columns;
    if (!is_seen) {
        set_register(cursor_start, cursor_off);
        return;
    }
    constexpr u8 under_text = 13; // the first line of an underline, of sixteen
    bool const is_block = screen.cursor_shape() == text::CursorShape::block;
    set_register(cursor_start, is_block ? u8{0} : under_text);
    set_register(cursor_end, last_line);
    u32 const place = cursor.row * (m_pitch / static_cast<u32>(sizeof(u16))) + cursor.column;
    set_register(cursor_high, static_cast<u8>(place >> 8));
    set_register(cursor_low, static_cast<u8>(place));
}

void VgaText::set_register(u8 index, u8 value) {
    if (m_ports.write_8 != nullptr) {
        m_ports.write_8(m_ports.context, index_port, index);
        m_ports.write_8(m_ports.context, data_port, value);
    }
}

} // namespace twofold::device
