// The Multiboot2 parser. See multiboot2.hpp.
#include "hal/x86_64/entry/multiboot2.hpp"

namespace metal {

namespace {

enum class Tag : u32 {
    end = 0,
    command_line = 1,
    module = 3,
    memory_map = 6,
    framebuffer = 8,
    acpi_old = 14,
    acpi_new = 15,
};

constexpr usize header_size = 8; // of the structure, and of each tag in it
constexpr u32 largest_structure = 1 << 20;

Result<void> parse_module(std::span<std::byte const> tag, Discovered& found) {
    u32 const start = TRY(peek<u32>(tag, 8));
    u32 const end = TRY(peek<u32>(tag, 12));
    if (end < start) {
        return Error::corrupted;
    }
    std::string_view const name = TRY(load_text(tag.subspan(16)));
    TRY(found.modules.push_back({{start}, {end - start}, name}));
    return found.occupied.push_back({{start}, {end - start}});
}

Result<void> parse_memory_map(std::span<std::byte const> tag, Discovered& found) {
    constexpr usize first_entry = 16;
    constexpr u32 smallest_entry = 20; // base, length, type
    u32 const entry_size = TRY(peek<u32>(tag, 8));
    if (entry_size < smallest_entry || entry_size % 8 != 0) {
        return Error::corrupted;
    }
    for (usize at = first_entry; at + entry_size <= tag.size(); at += entry_size) {
        u64 const base = TRY(peek<u64>(tag, at));
        u64 const size = TRY(peek<u64>(tag, at + 8));
        u32 const type = TRY(peek<u32>(tag, at + 16));
        if (size != 0) {
            TRY(found.memory.push_back({{base}, {size}, memory_kind(type)}));
        }
    }
    return {};
}

/// A text screen: width and height are counted in characters.
Result<void> parse_text(std::span<std::byte const> tag, Discovered& found) {
    constexpr u32 side_max = 512;
    hal::TextBuffer const buffer{
        .base = {TRY(peek<u64>(tag, 8))},
        .columns = TRY(peek<u32>(tag, 20)),
        .rows = TRY(peek<u32>(tag, 24)),
        .pitch = TRY(peek<u32>(tag, 16))};
    if (buffer.columns == 0 || buffer.columns > side_max || buffer.rows == 0 ||
        buffer.rows > side_max || buffer.pitch < buffer.columns * text_cell_bytes) {
        return Error::corrupted;
    }
    found.text_buffer = buffer;
    return {};
}

Result<void> parse_framebuffer(std::span<std::byte const> tag, Discovered& found) {
    constexpr u8 direct_colour = 1, text = 2;
    constexpr usize colours = 32; // after two reserved bytes
    u8 const type = TRY(peek<u8>(tag, 29));
    if (type == text) {
        return parse_text(tag, found);
    }
    if (type != direct_colour) {
        return {}; // a palette: nothing that the kernel draws on
    }
    hal::Framebuffer framebuffer{};
    framebuffer.base = {TRY(peek<u64>(tag, 8))};
    framebuffer.pitch = TRY(peek<u32>(tag, 16));
    framebuffer.width = TRY(peek<u32>(tag, 20));
    framebuffer.height = TRY(peek<u32>(tag, 24));
    framebuffer.bits_per_pixel = TRY(peek<u8>(tag, 28));
    framebuffer.red_shift = TRY(peek<u8>(tag, colours));
    framebuffer.red_bits = TRY(peek<u8>(tag, colours + 1));
    framebuffer.green_shift = TRY(peek<u8>(tag, colours + 2));
    framebuffer.green_bits = TRY(peek<u8>(tag, colours + 3));
    framebuffer.blue_shift = TRY(peek<u8>(tag, colours + 4));
    framebuffer.blue_bits = TRY(peek<u8>(tag, colours + 5));
    u64 const line = u64{framebuffer.width} * framebuffer.bits_per_pixel / 8;
    if (framebuffer.pitch < line) {
        return Error::corrupted;
    }
    found.framebuffer = framebuffer;
    return {};
}

Result<void> parse_tag(Tag type, std::span<std::byte const> tag, Discovered& found) {
    switch (type) {
    case Tag::command_line:
        found.command_line = TRY(load_text(tag.subspan(header_size)));
        return {};
    case Tag::module:
        return parse_module(tag, found);
    case Tag::memory_map:
        return parse_memory_map(tag, found);
    case Tag::framebuffer:
        return parse_framebuffer(tag, found);
    case Tag::acpi_old:
        if (found.rsdp_copy.empty()) { // the new one, wherever it stands, is the better
            found.rsdp_copy = tag.subspan(header_size);
        }
        return {};
    case Tag::acpi_new:
        found.rsdp_copy = tag.subspan(header_size);
        return {};
    default:
        return {};
    }
}

} // namespace

Result<void> parse_multiboot2(PhysicalMemory memory, PhysAddr address, Discovered& found) {
    CHECK(found.memory.size() == 0 && found.occupied.size() == 0);
    u32 const total = TRY(peek<u32>(memory.view(address, {header_size}), 0));
    if (total < 2 * header_size || total > largest_structure || !is_aligned(address.value, 8)) {
        return Error::corrupted;
    }
    std::span<std::byte const> const structure = memory.view(address, {total});
    if (structure.empty()) {
        return Error::out_of_range;
    }
    found.protocol = "multiboot2";
    TRY(found.occupied.push_back({address, {total}}));

    usize at = header_size;
    for (;;) {
        auto const type = static_cast<Tag>(TRY(peek<u32>(structure, at)));
        u32 const size = TRY(peek<u32>(structure, at + 4));
        if (size < header_size || size > total - at) {
            return Error::corrupted;
        }
        if (type == Tag::end) {
            break;
        }
        TRY(parse_tag(type, structure.subspan(at, size), found));
        at = align_up(at + size, 8);
    }
    if (found.memory.size() == 0) {
        return Error::not_found;
    }
    return {};
}

} // namespace metal
