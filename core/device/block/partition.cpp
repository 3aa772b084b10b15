// See partition.hpp.
#include "core/device/block/partition.hpp"

#include "core/device/block/transfer.hpp"
#include "hal/memory.hpp"

namespace twofold::block {

namespace {

Geometry part_of(Geometry const& whole, u64 sectors) {
    Geometry part = whole;
    part.sectors = sectors;
    return part;
}

/// Memory to read a table into.
class Pages {
public:
    static constexpr u64 count = gpt::table_bytes_max / page_size.value;

    explicit Pages(memory::BuddyFrames& frames)
        : m_frames(frames), m_place(frames.allocate({.pages = count})) {}
    ~Pages() {
        if (m_place) {
            m_frames.free_pages(m_place.value(), count).value(); // taken above
        }
    }
    Pages(Pages const&) = delete;
    Pages& operator=(Pages const&) = delete;

    Result<void> is_there() const { return m_place ? Result<void>() : m_place.error(); }
    /// Reads sectors until so many bytes are there.
    Result<std::span<std::byte const>> read(Device& device, u64 sector, u64 bytes) {
        u64 const whole = align_up(bytes, device.geometry().sector_bytes);
        if (whole > count * page_size.value) {
            return Error::not_supported;
        }
        TRY(read_block(device, sector, {m_place.value(), static_cast<u32>(whole)}));
        return std::span<std::byte const>(hal::Memory::linear(m_place.value()), bytes);
    }

private:
    memory::BuddyFrames& m_frames;
    Result<PhysAddr> m_place;
};

/// The header at `at` with its table.
Result<void> read_copy(Device& device, Pages& pages, u64 at, PartitionTable& table) {
    Geometry const& geometry = device.geometry();
    auto const sector = TRY(pages.read(device, at, geometry.sector_bytes));
    gpt::Header const header = TRY(gpt::parse_header(sector, at, geometry.sectors));
    auto const entries =
        TRY(pages.read(device, header.entries_sector, header.entries_size_bytes()));
    table.disk = header.disk;
    return gpt::parse_entries(header, entries, table.found);
}

} // namespace

Partition::Partition(Device& device, std::string_view name, u64 first, u64 sectors)
    : m_device(device),
      m_name(name),
      m_first(first),
      m_geometry(part_of(device.geometry(), sectors)) {
    CHECK(first < device.geometry().sectors && sectors <= device.geometry().sectors - first);
}

Result<void> Partition::submit(Request& request) {
    TRY(check(request, m_geometry));
    if (request.operation == Operation::flush) {
        return m_device.submit(request);
    }
    // NOLINTNEXTLINE(performance-unnecessary-value-param): the type of `done`
    auto const finish = [](Request& ended, Result<void> outcome) {
        ended.sector -= ended.pop();
        ended.done(ended, outcome);
    };
    request.push(finish, nullptr, m_first);
    request.sector += m_first;
    auto const begun = m_device.submit(request);
    if (!begun) {
        request.sector -= request.pop();
    }
    return begun;
}

Result<void>
read_partition_table(Device& device, memory::BuddyFrames& frames, PartitionTable& table) {
    Geometry const& geometry = device.geometry();
    constexpr u64 sectors_min = 6; // two headers, two tables, the MBR, and something to divide
    if (geometry.sectors < sectors_min) {
        return Error::not_found;
    }
    Pages pages(frames);
    TRY(pages.is_there());
    if (!gpt::is_protective(TRY(pages.read(device, 0, geometry.sector_bytes)))) {
        return Error::not_found;
    }
    auto const first = read_copy(device, pages, gpt::header_sector, table);
    if (first) {
        return {};
    }
    table.found.partitions.clear();
    table.found.refused = 0;
    auto const last = read_copy(device, pages, geometry.sectors - 1, table);
    table.is_backup = last.has_value();
    return last ? Result<void>() : first.error() == Error::not_found ? last.error() : first.error();
}

} // namespace twofold::block
