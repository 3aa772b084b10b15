// `disks read`, `disks write` and `disks flush`: one request each, for a person who looks at what a
// disk holds, and for tests.
#include "core/boot/disks.hpp"
#include "core/boot/kernel.hpp"
#include "hal/memory.hpp"

#include <algorithm>

namespace twofold::boot {

namespace {

/// Memory for one sector of a disk, given back with it.
class SectorMemory {
public:
    SectorMemory(Kernel& kernel, block::Disk const& disk)
        : m_kernel(kernel),
          m_bytes(disk.geometry().sector_bytes),
          m_pages(std::max<u64>(m_bytes / page_size.value, 1)),
          m_place(kernel.frames->allocate(
              {.pages = m_pages, .content = memory::FrameContent::zeroed})) {}
    ~SectorMemory() {
        if (m_place) {
            m_kernel.frames->free_pages(m_place.value(), m_pages).value();
        }
    }
    SectorMemory(SectorMemory const&) = delete;
    SectorMemory& operator=(SectorMemory const&) = delete;

    explicit operator bool() const { return m_place.has_value(); }
    block::Segment segment() const { return {m_place.value(), m_bytes}; }
    std::span<std::byte> bytes() const { return {hal::Memory::linear(m_place.value()), m_bytes}; }

private:
    Kernel& m_kernel;
    u32 m_bytes;
    u64 m_pages;
    Result<PhysAddr> m_place;
};

u8 say(CommandContext& context, Result<void> const& outcome) {
    if (outcome) {
        context.out.line("done");
        return status::success;
    }
    context.out.line("failed: {}", outcome.error());
    return status::failure;
}

u8 say_outside(CommandContext& context, block::Disk const& disk, u64 sector) {
    context.out.line(
        "disks: {} has no sector {}; it has {}", disk.name(), sector, disk.geometry().sectors);
    return status::failure;
}

/// The letters that a sector begins with.
FixedString<64> text_in(std::span<std::byte const> bytes) {
    FixedString<64> text;
    for (std::byte const byte : bytes.first(text.capacity())) {
        char const letter = static_cast<char>(byte);
        if (letter < ' ' || letter > '~') {
            break;
        }
        text.append({&letter, 1}).value();
    }
    return text;
}

} // namespace

u8 read_sector(CommandContext& context, block::Disk& disk, u64 sector) {
    if (sector >= disk.geometry().sectors) {
        return say_outside(context, disk, sector);
    }
    SectorMemory const memory(context.kernel, disk);
    if (!memory) {
        return say(context, Error::out_of_memory);
    }
    if (auto const outcome = block::read_block(disk, sector, memory.segment()); !outcome) {
        return say(context, outcome);
    }
    auto const written =
        std::ranges::count_if(memory.bytes(), [](std::byte b) { return b != std::byte{}; });
    context.out.line(
        "sector {}: '{}', {} bytes are not zero", sector, text_in(memory.bytes()),
        static_cast<u64>(written));
    return status::success;
}

u8 write_sector(CommandContext& context, block::Disk& disk, u64 sector, std::string_view text) {
    block::Geometry const& geometry = disk.geometry();
    if (geometry.is_read_only) {
        context.out.line("disks: {} is read-only", disk.name());
        return status::failure;
    }
    if (sector >= geometry.sectors) {
        return say_outside(context, disk, sector);
    }
    if (text.size() > geometry.sector_bytes) {
        context.out.line(
            "disks: a text of {} bytes is longer than a sector, which has {}", text.size(),
            geometry.sector_bytes);
        return status::failure;
    }
    SectorMemory const memory(context.kernel, disk);
    if (!memory) {
        return say(context, Error::out_of_memory);
    }
    std::ranges::copy(std::as_bytes(std::span(text)), memory.bytes().begin());
    return say(context, block::write_block(disk, sector, memory.segment()));
}

u8 flush_disk(CommandContext& context, block::Disk& disk) {
    return say(context, block::flush(disk));
}

} // namespace twofold::boot
