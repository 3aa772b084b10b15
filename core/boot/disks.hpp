// The kernel's disks: what drivers have found and what commands have made, opened when somebody
// first asks for a disk.
#pragma once

#include "core/boot/devices.hpp"

namespace twofold::boot {

/// All of it. In memory of the heap.
struct DiskRoom {
    static constexpr usize memory_disks_max = 16, drivers_max = 16, stripes_max = 8;

    DiskRoom(Kernel& kernel, block::Completions& its_completions);

    block::Completions& completions;
    block::Disks disks;
    FixedVector<block::MemoryDisk*, memory_disks_max> memory_disks;
    FixedVector<device::BoundDevice*, drivers_max> drivers;
    FixedVector<block::Stripe*, stripes_max> stripes; ///< in the order of their making
    u32 memory_disks_made = 0;                        ///< each has a number of its own
    bool has_looked = false;                          ///< for what is on the buses
};

/// The kernel's disks; looked for by the first call. Context thread; one context at a time asks for
/// the first time. Errors: out_of_memory, not_supported (the machine has no interrupts).
Result<DiskRoom*> disk_room(Kernel& kernel);
/// The same, without a look: where drivers announce what they have found.
Result<DiskRoom*> open_disk_room(Kernel& kernel);

/// Ends what lies on other disks, before drivers leave their devices; then all that is left. Nobody
/// uses a disk. Context thread.
void close_disk_layers(DiskRoom& room);
void close_disks(Kernel& kernel, DiskRoom& room);

/// A new disk of zeros, "ram0" and so on. Errors: those of MemoryDisk::create and Disks::add,
/// no_space (there are too many).
Result<block::MemoryDisk*> make_memory_disk(Kernel& kernel, Bytes size);

/// Makes a stripe of the disks, which lose what they hold; it is a disk under that name. Errors:
/// not_found (there is no such disk), busy (one is named twice, or is of another
/// stripe), already_exists, no_space (there
/// are too many), those of write_members and Stripe::open.
Result<block::Stripe*> make_stripe(
    Kernel& kernel,
    std::string_view name,
    std::span<std::string_view const> disks,
    u64 chunk_bytes);
/// Looks for members on all disks and makes disks of the stripes that are whole; how many. Errors:
/// those of disk_room.
Result<u32> assemble_stripes(Kernel& kernel);

enum class StampAction : u8 { write, check };
/// Overwrites sectors of a disk in rounds up to `round`, drawn from a seed, and says what is
/// durable as it is; or looks whether what that many rounds wrote is there (disk_stamps.cpp).
/// Context thread, with threads. The status of the command.
u8 stamp_disk(CommandContext& context, block::Disk& disk, StampAction action, u64 seed, u64 round);

/// The commands disks and block-bench.
u8 use_disks(CommandContext& context);
u8 bench_block(CommandContext& context);

} // namespace twofold::boot
