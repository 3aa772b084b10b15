// Writes the seed corpus of the fuzz target `disks`: partition tables, what members of a stripe
// begin with, superblocks and maps of compressed disks; whole ones and some that need their
// checksums put right.
//     disk_seeds FOLDER
#include "core/device/block/compressed_format.hpp"
#include "core/device/block/stripe_format.hpp"
#include "tests/core/device/block/gpt_image.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::block;
using twofold::test_block::GptImage;

using Bytes8 = std::vector<std::byte>;

constexpr std::byte table_kind{0}, member_kind{1}, mended{2}, super_kind{4};

void append(Bytes8& out, std::span<std::byte const> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

Bytes8 table(std::byte kind) {
    std::vector<std::byte> disk(usize{256} * GptImage::sector_bytes);
    GptImage image(disk);
    image.add({40, 99, "root"});
    image.add({100, 200, "data"});
    image.add({150, 160, "over it"});
    image.seal();
    Bytes8 out{kind};
    append(out, image.sector(1));
    append(out, image.table(2).first(usize{4} * GptImage::entry_bytes));
    return out;
}

Bytes8 member(std::byte kind) {
    stripe_format::Member said{
        .generation = 1,
        .id = {1, 2, 3},
        .members = 3,
        .number = 1,
        .chunk_bytes = u64{1} << 16,
        .data_bytes = u64{1} << 24};
    said.name.append("fast").value();
    Bytes8 block(stripe_format::block_bytes);
    stripe_format::write_member(said, 0, block);
    Bytes8 out{kind};
    append(out, std::span(block).first(256));
    return out;
}

Bytes8 super(std::byte kind) {
    namespace format = block::compressed;
    codec::Parameters const parameters{codec::Algorithm::zstd, 1};
    format::Super said = format::make_super(7, 4096, 100, parameters, "c0").value();
    format::seal(said, 2);
    format::MapPage map;
    map.entries[0] = {.page = 40, .bytes = 9000, .checksum = 5};
    format::seal(map, said, 0, format::shape_of(said).map_page(0, 0), 1);
    Bytes8 out{kind};
    append(out, std::as_bytes(std::span(&said, 1)));
    append(out, std::as_bytes(std::span(&map, 1)));
    return out;
}

bool write(std::filesystem::path const& path, Bytes8 const& bytes) {
    std::ofstream file(path, std::ios::binary);
    for (std::byte const byte : bytes) {
        file.put(static_cast<char>(byte));
    }
    return file.good();
}

} // namespace

int main(int count, char** words) {
    if (count != 2) {
        fmt::print(stderr, "usage: disk_seeds FOLDER\n");
        return 64;
    }
    std::filesystem::path const folder = words[1];
    bool const is_well = write(folder / "table", table(table_kind)) &&
                         write(folder / "table-mended", table(table_kind | mended)) &&
                         write(folder / "member", member(member_kind)) &&
                         write(folder / "member-mended", member(member_kind | mended)) &&
                         write(folder / "super", super(super_kind)) &&
                         write(folder / "super-mended", super(super_kind | mended));
    return is_well ? 0 : 74;
}
