// What lies on disks: a partition table, what a member of a stripe begins with, a superblock or a
// page of the map of a compressed disk. The first byte chooses; its second bit has the checksums
// put right, so that what is behind them is reached. Nothing may crash, and what is believed must
// hold together.
#include "core/device/block/compressed_format.hpp"
#include "core/device/block/gpt.hpp"
#include "core/device/block/stripe_format.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace twofold::block {
namespace {

constexpr usize sector_bytes = 512;
constexpr u64 sectors = 1 << 20;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

using Input = std::span<std::uint8_t const>;
using Bytes8 = std::vector<std::byte>;

/// So many bytes from where the input stands; zeros where it has ended.
Bytes8 take(Input& input, usize count) {
    Bytes8 bytes(count);
    usize const taken = std::min(count, input.size());
    std::ranges::copy(std::as_bytes(input.first(taken)), bytes.begin());
    input = input.subspan(taken);
    return bytes;
}

template<class T>
void put(Bytes8& bytes, usize at, T value) {
    std::memcpy(bytes.data() + at, &value, sizeof(value));
}

void check(gpt::Header const& header, gpt::Found const& found) {
    for (gpt::Partition const& each : found.partitions) {
        require(each.number >= 1 && each.number <= header.entries);
        require(each.first <= each.last && each.last < sectors);
        require(each.first >= header.first_usable && each.last <= header.last_usable);
        for (gpt::Partition const& other : found.partitions) {
            require(&other == &each || other.last < each.first || each.last < other.first);
        }
        for (char const letter : each.name.view()) {
            require(letter >= ' ' && letter <= '~');
        }
    }
    require(header.entries_sector + header.entries_size_bytes() / sector_bytes <= sectors);
}

void read_table(Input input, bool is_mended) {
    Bytes8 sector = take(input, sector_bytes);
    Bytes8 table;
    if (is_mended) {
        u32 entries = 0;
        u32 entry_bytes = 0;
        std::memcpy(&entries, sector.data() + 80, sizeof(entries));
        std::memcpy(&entry_bytes, sector.data() + 84, sizeof(entry_bytes));
        u64 const wanted = u64{entries} * entry_bytes;
        table = take(input, wanted <= gpt::table_bytes_max ? wanted : 0);
        put(sector, 88, crc32(table));
        put(sector, 16, u32{0});
        u32 size = 0;
        std::memcpy(&size, sector.data() + 12, sizeof(size));
        put(sector, 16, crc32(std::span(sector).first(std::min<usize>(size, sector_bytes))));
    }
    static_cast<void>(gpt::is_protective(sector));
    auto const header = gpt::parse_header(sector, 1, sectors);
    if (!header) {
        return;
    }
    table.resize(header.value().entries_size_bytes());
    gpt::Found found;
    if (gpt::parse_entries(header.value(), table, found)) {
        check(header.value(), found);
    }
}

void read_member(Input input, bool is_mended) {
    Bytes8 block = take(input, stripe_format::block_bytes);
    if (is_mended) {
        put(block, 12, u32{0});
        put(block, 12, crc32(block));
    }
    constexpr u64 device_bytes = sectors * sector_bytes;
    auto const member = stripe_format::read_member(block, 0, device_bytes);
    if (!member) {
        return;
    }
    stripe_format::Member const& said = member.value();
    require(said.members >= 2 && said.number < said.members);
    require(is_power_of_two(said.chunk_bytes) && said.data_bytes % said.chunk_bytes == 0);
    require(said.data_bytes <= device_bytes - stripe_format::data_offset);
    Bytes8 again(stripe_format::block_bytes);
    stripe_format::write_member(said, 0, again);
    require(stripe_format::read_member(again, 0, device_bytes).has_value());
}

void read_map(compressed::Super const& super, Input input, bool is_mended) {
    compressed::MapPage map;
    Bytes8 const bytes = take(input, sizeof(map));
    std::memcpy(&map, bytes.data(), sizeof(map));
    u64 const where = compressed::shape_of(super).map_page(0, 0);
    if (is_mended) {
        compressed::seal(map, super, 0, where, 1);
    }
    if (!compressed::check_map(map, super, 0, where)) {
        return;
    }
    for (compressed::Entry const& entry : map.entries) {
        bool const is_nowhere = entry == compressed::Entry{};
        require(is_nowhere || entry.page >= compressed::shape_of(super).first_data_page());
        require(is_nowhere || entry.page + u64{entry.pages()} <= super.device_pages);
        require(entry.bytes <= compressed::cluster_bytes);
    }
}

void read_super(Input input, bool is_mended) {
    Bytes8 page = take(input, sizeof(compressed::Super));
    compressed::Super super;
    std::memcpy(&super, page.data(), sizeof(super));
    if (is_mended) {
        compressed::seal(super, 2);
        std::memcpy(page.data(), &super, sizeof(super));
    }
    constexpr u64 device_pages = sectors * sector_bytes / compressed::page_bytes;
    auto const found = compressed::check_super(page, 0, device_pages);
    if (!found) {
        return;
    }
    compressed::Super const& said = found.value();
    require(said.clusters != 0 && said.clusters <= compressed::clusters_max);
    require(said.device_pages <= device_pages);
    require(compressed::shape_of(said).first_data_page() < said.device_pages);
    require(!compressed::name_of(said).empty());
    for (char const letter : compressed::name_of(said)) {
        require(letter > ' ' && letter <= '~');
    }
    read_map(said, input, is_mended);
}

} // namespace
} // namespace twofold::block

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    auto const input = std::span(data, size).subspan(1);
    bool const is_mended = (data[0] & 2) != 0;
    if ((data[0] & 4) != 0) {
        twofold::block::read_super(input, is_mended);
    } else if (data[0] % 2 == 0) {
        twofold::block::read_table(input, is_mended);
    } else {
        twofold::block::read_member(input, is_mended);
    }
    return 0;
}
