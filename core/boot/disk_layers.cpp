// Disks that lie on others: kept, found again, closed. See disks.hpp; the kinds of them are in
// stripes.cpp and compressed_disks.cpp.
#include "core/boot/disks.hpp"
#include "core/boot/kernel.hpp"

#include <algorithm>

namespace twofold::boot {

using block::Disk;
using block::DiskUse;

bool DiskLayer::uses(std::string_view disk) const {
    return (stripe != nullptr && stripe->uses(disk)) || (below && below->name() == disk);
}

Result<void> add_layer(DiskRoom& room, DiskLayer layer) {
    block::Device& device = *layer.device;
    auto const added = room.layers.full() ? Error::no_space : room.disks.add(device);
    if (!added) {
        device.close(); // before what it lies on is let go
        return added;
    }
    return room.layers.push_back(std::move(layer));
}

void close_disk_layers(DiskRoom& room) {
    while (!room.layers.empty()) { // the last one first: it may lie on another
        block::Device& device = *room.layers.back().device;
        room.disks.remove(device);
        device.close();
        room.layers.pop_back();
    }
}

DiskLayer const* layer_over(DiskRoom& room, Disk& disk) {
    for (DiskLayer const& layer : room.layers) {
        if (layer.uses(disk.name()) ||
            (disk.whole() != nullptr && layer.uses(disk.whole()->name()))) {
            return &layer;
        }
        for (usize i = 0;; ++i) {
            DiskUse const other = room.disks.at(i);
            if (!other) {
                break;
            }
            if (other->whole() == &disk && layer.uses(other->name())) {
                return &layer;
            }
        }
    }
    return nullptr;
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
}

} // namespace twofold::boot
