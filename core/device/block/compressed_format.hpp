// What lies on a device beneath a compressed disk (docs/compressed-format.md), and what is checked
// of it before it is believed. Pure.
//
// The device is pages of 4 KiB. Pages 0 and 1 hold the superblock, in turns: that of a generation
// lies in the page of its lowest bit. Behind them lies the map, each of its pages in two places:
// that of a generation is written over the older one of the two. The rest are data. A map page says
// of each cluster of the disk where it lies, how long it is, and what its checksum is.
//
// A checksum covers the address and the generation too: what has arrived elsewhere, or is older
// than it should be, is not taken for right.
#pragma once

#include "core/base/base.hpp"
#include "core/codec/codec.hpp"

#include <bit>
#include <cstddef>
#include <span>
#include <string_view>

namespace twofold::block::compressed {

static_assert(std::endian::native == std::endian::little);

inline constexpr u64 page_bytes = 4096;
inline constexpr u32 cluster_pages = 16;
inline constexpr u64 cluster_bytes = cluster_pages * page_bytes;
inline constexpr u64 super_pages = 2;
inline constexpr usize name_max = 24;

/// Where one cluster lies.
struct Entry {
    u32 page = 0;  ///< of the device; 0: the cluster is zeros, and lies nowhere
    u32 bytes = 0; ///< cluster_bytes: as it is; less: compressed
    u32 checksum = 0;
    u32 reserved = 0;

    constexpr bool operator==(Entry const&) const = default;
    constexpr u32 pages() const {
        return static_cast<u32>(align_up(bytes, page_bytes) / page_bytes);
    }
};
static_assert(sizeof(Entry) == 16);

struct MapHeader {
    u32 checksum = 0; ///< of the rest of the page
    u32 index = 0;    ///< which map page it is
    u64 page = 0;     ///< where it lies
    u64 generation = 0;
    u64 disk = 0; ///< Super::id
};
static_assert(sizeof(MapHeader) == 32);

inline constexpr usize entries_per_page = (page_bytes - sizeof(MapHeader)) / sizeof(Entry);

struct MapPage {
    MapHeader header;
    Entry entries[entries_per_page]{};
};
static_assert(sizeof(MapPage) == page_bytes);

inline constexpr u64 magic = 0x3144'5350'4d43'4632; ///< "2FCMPSD1"

struct Super {
    u64 magic = compressed::magic;
    u32 checksum = 0; ///< of the whole, with 0 here
    u32 version = 1;
    u64 page = 0; ///< where it lies
    u64 generation = 0;
    u64 id = 0;           ///< drawn when the disk was made
    u64 device_pages = 0; ///< the first so many pages of the device are the disk's
    u64 clusters = 0;
    u32 cluster_bytes = compressed::cluster_bytes;
    u32 algorithm = 0;
    i32 level = 0;
    u32 reserved = 0;
    char name[name_max]{}; ///< letters that print, zeros behind them
};
static_assert(offsetof(Super, name) == 72 && sizeof(Super) == 96);

/// What follows from a superblock's numbers.
struct Shape {
    u64 clusters = 0;
    u64 device_pages = 0;

    constexpr u64 map_pages() const { return (clusters + entries_per_page - 1) / entries_per_page; }
    /// Where the copy of map page `index` lies that the generation's lowest bit, or any, chooses.
    constexpr u64 map_page(u64 index, u32 copy) const { return super_pages + 2 * index + copy; }
    constexpr u64 first_data_page() const { return super_pages + 2 * map_pages(); }
};

/// The largest disk.
inline constexpr u64 clusters_max = u64{1} << 24; // 1 TiB

/// The superblock of these numbers. Errors: invalid_argument (no clusters, or too many; a codec
/// that there is not; a name that is none), no_space (the device is too small for the map and one
/// cluster; the name is too long).
Result<Super> make_super(
    u64 id,
    u64 device_pages,
    u64 clusters,
    codec::Parameters const& parameters,
    std::string_view name);
codec::Parameters parameters_of(Super const& super);
Shape shape_of(Super const& super);
/// In the memory of `super`.
std::string_view name_of(Super const& super);

/// Makes `super` that of a generation, ready to be written to the page that it names.
void seal(Super& super, u64 generation);
/// Whether `page`, read from page `where` of a device of `device_pages` pages, is a superblock:
/// sound in itself, and no larger than the device. Errors: not_found (something else), corrupted,
/// not_supported (of another version).
Result<Super> check_super(std::span<std::byte const> page, u64 where, u64 device_pages);

void seal(MapPage& map, Super const& super, u64 index, u64 where, u64 generation);
/// Whether `map` is the map page `index` of that disk, read from page `where`, of whatever
/// generation. Errors: corrupted.
Result<void> check_map(MapPage const& map, Super const& super, u64 index, u64 where);

/// What an entry's checksum is, over which cluster it is and what is stored of it.
u32 checksum_of(u64 cluster, u64 disk, std::span<std::byte const> stored);
/// Whether an entry makes sense. O(1).
bool is_sound(Entry const& entry, Shape const& shape);

} // namespace twofold::block::compressed
