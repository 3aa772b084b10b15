// See bios_text.hpp.
#include "hal/x86_64/entry/bios_text.hpp"

namespace metal {

namespace {

constexpr PhysAddr video_data{0x449};
constexpr Bytes video_data_size{28};
/// In it: the mode, columns, bytes of a page, where the page begins, the port of the controller.
constexpr usize mode_at = 0, columns_at = 1, page_size_at = 3, page_at = 5, port_at = 0x1a;
constexpr u16 colour_port = 0x3d4; // that of monochrome screens is 0x3b4
constexpr PhysAddr colour_text{0xb'8000};
constexpr u32 rows = 25;

Result<hal::TextBuffer> read_bios_text(std::span<std::byte const> data) {
    u8 const mode = TRY(peek<u8>(data, mode_at));
    u16 const columns = TRY(peek<u16>(data, columns_at));
    u16 const page = TRY(peek<u16>(data, page_at));
    u32 const pitch = columns * text_cell_bytes;
    bool const is_text = (mode == 2 || mode == 3) && columns == 80;
    if (!is_text || page != 0 || TRY(peek<u16>(data, page_size_at)) < rows * pitch ||
        TRY(peek<u16>(data, port_at)) != colour_port) {
        return Error::not_found;
    }
    return hal::TextBuffer{.base = colour_text, .columns = columns, .rows = rows, .pitch = pitch};
}

} // namespace

std::optional<hal::TextBuffer> find_bios_text(PhysicalMemory memory) {
    auto const found = read_bios_text(memory.view(video_data, video_data_size));
    return found ? std::optional(found.value()) : std::nullopt;
}

} // namespace metal
