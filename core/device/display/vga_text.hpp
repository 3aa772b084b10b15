// The text screen of a PC that was started without a framebuffer: cells of a text::Screen as
// characters of code page 437 in sixteen colours.
//
// The buffer is device memory, slow to read: a copy of what it shows is kept, and only what differs
// is written.
//
// Source: IBM VGA/XGA Technical Reference Manual (1992), sections 2.3 (text modes) and 2.6 (CRT
// controller registers).
#pragma once

#include "core/memory/memory.hpp"
#include "core/text/text.hpp"
#include "hal/boot.hpp"

#include <span>
#include <string_view>

namespace twofold::device {

/// How the registers of the screen's controller are reached. Where they are not, the cursor stays
/// as it is.
struct VgaPorts {
    void (*write_8)(void* context, u16 port, u8 value) = nullptr;
    void* context = nullptr;
};

/// A cell of the buffer: the character below, above it its colours. Of a background there are the
/// eight dark colours: the bit of the others makes text blink. O(colours).
u16 vga_cell(text::Cell const& cell, text::Theme const& theme);

/// Context thread, one thread at a time.
class VgaText {
public:
    /// Errors: not_supported (a buffer without cells, or of more than columns_max or rows_max of
    /// text::Screen), out_of_memory, no_space. The screen is blank from then on. In memory of the
    /// heap, until it is closed.
    static Result<VgaText*> open(
        memory::KernelSpace& space,
        memory::KernelHeap& heap,
        hal::TextBuffer const& buffer,
        VgaPorts const& ports);
    VgaText(VgaText const&) = delete;
    VgaText& operator=(VgaText const&) = delete;
    void close();

    text::ScreenSize size() const { return m_size; }
    /// Brings what has changed of `screen` since its last clear_damage to the screen; all of it,
    /// where another one was shown before. The caller clears the damage. What does not fit is not
    /// shown. O(cells).
    void show(text::Screen const& screen, text::Theme const& theme);
    /// A row of ASCII, grey on black, in place of all that the row shows; for the report of a
    /// panic. What does not fit is not shown, and no cursor is. Any context. O(columns).
    void show_line(u32 row, std::string_view line);
    /// How many cells were written. O(1).
    u64 cells_written() const { return m_cells_written; }

private:
    VgaText(
        memory::KernelSpace& space,
        memory::KernelHeap& heap,
        hal::TextBuffer const& buffer,
        VgaPorts const& ports,
        VirtAddr view,
        std::span<u16> shown)
        : m_space(space),
          m_heap(heap),
          m_ports(ports),
          m_size{buffer.columns, buffer.rows},
          m_pitch(buffer.pitch),
          m_view(view),
          m_shown(shown) {}
    ~VgaText() = default;

    void put(u32 row, u32 column, u16 cell);
    void blank();
    void place_cursor(text::Screen const& screen);
    void set_register(u8 index, u8 value);

    memory::KernelSpace& m_space;
    memory::KernelHeap& m_heap;
    VgaPorts m_ports;
    text::ScreenSize m_size;
    u32 m_pitch;
    VirtAddr m_view;
    std::span<u16> m_shown; ///< what the buffer holds, row by row
    text::Screen const* m_screen = nullptr;
    text::Theme const* m_theme = nullptr;
    u64 m_cells_written = 0;
};

} // namespace twofold::device
