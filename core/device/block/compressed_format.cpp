// See compressed_format.hpp.
#include "core/device/block/compressed_format.hpp"

#include <algorithm>
#include <cstring>

namespace twofold::block::compressed {

namespace {

template<class T>
std::span<std::byte const> bytes_of(T const& object) {
    return std::as_bytes(std::span(&object, 1));
}

u32 checksum_of(Super super) {
    super.checksum = 0;
    return crc32(bytes_of(super));
}

u32 checksum_of(MapPage const& map) {
    return crc32(bytes_of(map).subspan(sizeof(map.header.checksum)));
}

bool is_known(codec::Parameters const& parameters) {
    bool const is_there = parameters.algorithm == codec::Algorithm::lz4 ||
                          parameters.algorithm == codec::Algorithm::zstd;
    return is_there && codec::workspace_bytes(parameters, cluster_bytes).has_value();
}

/// Whether a name is one: letters that print, and zeros alone behind them.
bool has_name(Super const& super) {
    auto const is_plain = [](char letter) { return letter > ' ' && letter <= '~'; };
    auto const end = std::ranges::find_if_not(super.name, is_plain);
    return end != std::begin(super.name) &&
           std::all_of(end, std::end(super.name), [](char letter) { return letter == '\0'; });
}

/// Whether the numbers make up a disk. Errors: as of make_super.
Result<void> check_shape(Super const& super) {
    constexpr u64 pages_max = ~u32{0}; // an entry has 32 bits for one
    if (super.clusters == 0 || super.clusters > clusters_max || super.device_pages > pages_max ||
        super.cluster_bytes != cluster_bytes || !is_known(parameters_of(super)) ||
        !has_name(super)) {
        return Error::invalid_argument;
    }
    Shape const shape = shape_of(super);
    return shape.first_data_page() + cluster_pages <= super.device_pages ? Result<void>()
                                                                         : Error::no_space;
}

} // namespace

codec::Parameters parameters_of(Super const& super) {
    bool const is_lz4 = super.algorithm == static_cast<u32>(codec::Algorithm::lz4);
    bool const is_zstd = super.algorithm == static_cast<u32>(codec::Algorithm::zstd);
    codec::Algorithm const algorithm = is_lz4    ? codec::Algorithm::lz4
                                       : is_zstd ? codec::Algorithm::zstd
                                                 : codec::Algorithm::none;
    return {algorithm, super.level};
}

Shape shape_of(Super const& super) {
    return {.clusters = super.clusters, .device_pages = super.device_pages};
}

std::string_view name_of(Super const& super) {
    std::string_view const all(super.name, name_max);
    return all.substr(0, all.find('\0'));
}

Result<Super> make_super(
    u64 id,
    u64 device_pages,
    u64 clusters,
    codec::Parameters const& parameters,
    std::string_view name) {
    if (name.size() > name_max) {
        return Error::no_space;
    }
    Super super{
        .id = id,
        .device_pages = device_pages,
        .clusters = clusters,
        .algorithm = static_cast<u32>(parameters.algorithm),
        .level = parameters.level};
    std::ranges::copy(name, std::begin(super.name));
    TRY(check_shape(super));
    return super;
}

void seal(Super& super, u64 generation) {
    super.generation = generation;
    super.page = generation % super_pages;
    super.checksum = checksum_of(super);
}

Result<Super> check_super(std::span<std::byte const> page, u64 where, u64 device_pages) {
    Super super;
    if (page.size() < sizeof(super)) {
        return Error::not_found;
    }
    std::memcpy(&super, page.data(), sizeof(super));
    if (super.magic != magic) {
        return Error::not_found;
    }
    if (super.checksum != checksum_of(super)) {
        return Error::corrupted;
    }
    if (super.version != 1) {
        return Error::not_supported;
    }
    bool const is_sound = super.page == where && super.generation % super_pages == where &&
                          super.generation != 0 && super.device_pages <= device_pages &&
                          check_shape(super).has_value();
    return is_sound ? Result<Super>(super) : Error::corrupted;
}

void seal(MapPage& map, Super const& super, u64 index, u64 where, u64 generation) {
    map.header = {
        .index = static_cast<u32>(index),
        .page = where,
        .generation = generation,
        .disk = super.id};
    map.header.checksum = checksum_of(map);
}

Result<void> check_map(MapPage const& map, Super const& super, u64 index, u64 where) {
    MapHeader const& header = map.header;
    bool const is_it = header.checksum == checksum_of(map) && header.index == index &&
                       header.page == where && header.disk == super.id && header.generation != 0;
    if (!is_it) {
        return Error::corrupted;
    }
    for (Entry const& entry : map.entries) {
        if (!is_sound(entry, shape_of(super))) {
            return Error::corrupted;
        }
    }
    return {};
}

u32 checksum_of(u64 cluster, u64 disk, std::span<std::byte const> stored) {
    u64 const which[] = {cluster, disk};
    Crc32 sum;
    sum.update(std::as_bytes(std::span(which)));
    sum.update(stored);
    return sum.value();
}

bool is_sound(Entry const& entry, Shape const& shape) {
    if (entry.page == 0) {
        return entry == Entry{};
    }
    return entry.bytes != 0 && entry.bytes <= cluster_bytes && entry.reserved == 0 &&
           entry.page >= shape.first_data_page() &&
           u64{entry.page} + entry.pages() <= shape.device_pages;
}

} // namespace twofold::block::compressed
