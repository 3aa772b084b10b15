// Compressed disks on the kernel's disks: making them, and opening those that were made. See
// disks.hpp.
#include "core/boot/disks.hpp"
#include "core/boot/kernel.hpp"
#include "hal/entropy.hpp"

namespace twofold::boot {

using block::CompressedDisk;
using block::DiskUse;
using trace::LogLevel;

Result<CompressedDisk*>
compress_disk(Kernel& kernel, std::string_view name, DiskUse disk, CompressOptions const& options) {
    DiskRoom& room = *TRY(disk_room(kernel));
    return with_layers(room, [&]() -> Result<CompressedDisk*> {
        if (room.disks.find(name)) {
            return Error::already_exists;
        }
        if (!room.disks.find(disk->name())) {
            return Error::not_found; // it is about to leave
        }
        if (layer_over(room, *disk) != nullptr) {
            return Error::busy;
        }
        if (room.layers.full()) {
            return Error::no_space; // before the disk loses what it holds
        }
        block::Geometry const& geometry = disk->geometry();
        CompressedDisk::Options wanted{
            .size = options.size.value != 0 ? options.size.value
                                            : geometry.sectors * geometry.sector_bytes,
            .parameters = options.parameters};
        hal::Entropy::fill(std::as_writable_bytes(std::span(&wanted.id, 1)));
        CompressedDisk* const made =
            TRY(CompressedDisk::create(*kernel.heap, *kernel.frames, name, *disk, wanted));
        TRY(add_layer(room, {.device = made, .compressed = made, .below = std::move(disk)}));
        return made;
    });
}

u32 open_compressed_disks(Kernel& kernel, DiskRoom& room, Reports reports) {
    u32 count = 0;
    for (usize i = 0;; ++i) {
        DiskUse disk = room.disks.at(i);
        if (!disk) {
            return count; // behind the last one
        }
        if (layer_over(room, *disk) != nullptr) {
            continue;
        }
        auto const found = CompressedDisk::find(*kernel.heap, *kernel.frames, *disk);
        if (!found && found.error() == Error::not_found) {
            continue;
        }
        auto const name = FixedString<block::Disk::name_max>::create(disk->name()).value();
        auto const opened = CompressedDisk::open(*kernel.heap, *kernel.frames, *disk);
        Result<void> outcome = opened ? Result<void>() : opened.error();
        if (opened) {
            outcome = add_layer(
                room,
                {.device = opened.value(), .compressed = opened.value(), .below = std::move(disk)});
        }
        count += outcome ? 1 : 0;
        if (!outcome && reports == Reports::what_is_wrong) {
            kernel.log(
                LogLevel::warning, "the compressed disk on {} is not used: {}", name,
                outcome.error());
        }
    }
}

} // namespace twofold::boot
