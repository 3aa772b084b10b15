// Disks that lie on others: kept, found again, closed. See disks.hpp; the kinds of them are in
// stripes.cpp and compressed_disks.cpp.
#include "core/boot/disks.hpp"
#include "core/boot/kernel.hpp"

#include <algorithm>

namespace twofold::boot {

using block::Disk;
using block::DiskUse;

Result<void> add_layer(DiskRoom& room, DiskLayer layer) {
    block::Device& device = *layer.device;
    auto const added = room.layers.full() ? Error::no_space : room.disks.add(device);
    if (!added) {
        device.close(); // before what it lies on is let go
        return added;
    }
    return room.layers.push_back(std::move(layer));
}

namespace {

/// The disk that it is, or is a part of.
Disk& whole_of(Disk& disk) {
    return disk.whole() != nullptr ? *disk.whole() : disk;
}

/// It withdraws itself from the disks before it lets go of those that it lies on.
void end_layer(DiskRoom& room, block::Device& device) {
    room.disks.remove(device);
    device.close();
    auto const layer = std::ranges::find(room.layers, &device, &DiskLayer::device);
    room.layers.erase(static_cast<usize>(layer - room.layers.begin()));
}

} // namespace

void close_disk_layers(DiskRoom& room) {
    with_layers(room, [&] {
        while (!room.layers.empty()) { // the last one first: it may lie on another
            end_layer(room, *room.layers.back().device);
        }
    });
}

void close_layers_over(DiskRoom& room, block::Device& device, Under under) {
    with_layers(room, [&] {
        FixedVector<block::Device*, DiskRoom::layers_max> leaving;
        for (DiskLayer const& layer : room.layers) { // in the order of their making
            bool const leaves = layer.lies_on([&](Disk& disk) {
                block::Device* const below = &whole_of(disk).device();
                bool const is_meant = under == Under::disk_and_parts || disk.whole() != nullptr;
                return (below == &device && is_meant) ||
                       std::ranges::find(leaving, below) != leaving.end();
            });
            if (leaves) {
                leaving.push_back(layer.device).value(); // there are no more than layers
            }
        }
        for (; !leaving.empty(); leaving.pop_back()) {
            end_layer(room, *leaving.back());
        }
    });
}

u32 flush_layers(DiskRoom& room) {
    return with_layers(room, [&] {
        u32 failed = 0;
        for (usize i = room.layers.size(); i-- > 0;) { // what lies on another one first
            failed += block::flush(*room.layers[i].device) ? 0 : 1;
        }
        return failed;
    });
}

DiskLayer const* layer_over(DiskRoom& room, Disk& disk) {
    auto const layer = std::ranges::find_if(room.layers, [&](DiskLayer const& each) {
        return each.lies_on([&](Disk& below) {
            return &below == &disk || &below == disk.whole() || below.whole() == &disk;
        });
    });
    return layer == room.layers.end() ? nullptr : &*layer;
}

std::string_view content_of(Kernel& kernel, Disk& disk) {
    DiskRoom& room = *kernel.devices->disks; // whose disk it is
    block::TableState const table = room.disks.table_state(disk);
    if (table.is_damaged) {
        return "a damaged partition table";
    }
    for (usize i = 0;; ++i) {
        DiskUse const other = room.disks.at(i);
        if (!other) {
            break;
        }
        if (other->whole() == &disk) {
            return "partitions";
        }
    }
    auto const compressed = block::CompressedDisk::find(*kernel.heap, *kernel.frames, disk);
    if (compressed || compressed.error() != Error::not_found) {
        return "a compressed disk";
    }
    auto const member = block::read_member(*kernel.frames, disk);
    return member || member.error() != Error::not_found ? "a member of a stripe" : "";
}

Result<FoundLayers> assemble_layers(Kernel& kernel) {
    DiskRoom& room = *TRY(disk_room(kernel));
    return with_layers(room, [&]() -> Result<FoundLayers> {
        FoundLayers all;
        Reports reports = Reports::nothing; // what is missing may lie on what is found next
        while (true) {
            u32 const compressed = open_compressed_disks(kernel, room, reports);
            u32 const stripes = assemble_stripes(kernel, room, reports);
            all.compressed += compressed;
            all.stripes += stripes;
            if (compressed + stripes != 0) {
                continue; // at most layers_max times
            }
            if (reports == Reports::what_is_wrong) {
                return all;
            }
            reports = Reports::what_is_wrong;
        }
    });
}

} // namespace twofold::boot
