// The kernel's disks: what drivers have found and what commands have made, opened when somebody
// first asks for a disk.
#pragma once

#include "core/boot/devices.hpp"
#include "core/task/task.hpp"

#include <algorithm>
#include <optional>

namespace twofold::boot {

/// A disk that lies on others.
struct DiskLayer {
    block::Device* device = nullptr;
    block::Stripe* stripe = nullptr;             ///< the same, where it is one
    block::CompressedDisk* compressed = nullptr; ///< the same, where it is one
    block::DiskUse below{};                      ///< of a compressed disk; a stripe has its own

    /// Whether use(disk) is true of a disk that it lies on. O(disks below).
    template<class Use>
    bool lies_on(Use const& use) const {
        return stripe != nullptr
                   ? std::ranges::any_of(
                         stripe->disks(), [&](block::DiskUse const& each) { return use(*each); })
                   : use(*below);
    }
};

/// All of it. In memory of the heap.
struct DiskRoom {
    static constexpr usize memory_disks_max = 16, drivers_max = 16, layers_max = 16;

    DiskRoom(Kernel& kernel, block::Completions& its_completions);

    block::Completions& completions;
    block::Disks disks;
    FixedVector<block::MemoryDisk*, memory_disks_max> memory_disks;
    FixedVector<device::BoundDevice*, drivers_max> drivers;
    FixedVector<DiskLayer, layers_max> layers; ///< in the order of their making
    /// Of who uses `layers`; there is none where there are no threads.
    std::optional<task::Mutex<task::KernelThreads>> layers_lock;
    u32 memory_disks_made = 0; ///< each has a number of its own
    bool has_looked = false;   ///< for what is on the buses
};

/// Calls use() while no other context uses the layers. Context thread, interrupts on.
template<class Use>
auto with_layers(DiskRoom& room, Use const& use) {
    if (room.layers_lock) {
        task::MutexGuard const guard(*room.layers_lock);
        return use();
    }
    return use();
}

/// The kernel's disks; looked for by the first call. Context thread; one context at a time asks for
/// the first time. Errors: out_of_memory, not_supported (the machine has no interrupts).
Result<DiskRoom*> disk_room(Kernel& kernel);
/// The same, without a look: where drivers announce what they have found.
Result<DiskRoom*> open_disk_room(Kernel& kernel);

/// Ends what lies on other disks, before drivers leave their devices; then all that is left. Nobody
/// uses a disk. Context thread.
void close_disk_layers(DiskRoom& room);
void close_disks(Kernel& kernel, DiskRoom& room);
/// Ends what lies on a device that is about to leave, or on parts of it alone, itself or by layers
/// between; waits until nobody uses that. Context thread; the layers are not locked.
enum class Under : u8 { disk_and_parts, parts };
void close_layers_over(DiskRoom& room, block::Device& device, Under under);
/// What layers hold back is durable, as far as what they lie on is; how many have failed. Context
/// thread; the layers are not locked.
u32 flush_layers(DiskRoom& room);

/// A new disk of zeros, "ram0" and so on. Errors: those of MemoryDisk::create and Disks::add,
/// no_space (there are too many).
Result<block::MemoryDisk*> make_memory_disk(Kernel& kernel, Bytes size);

/// Makes a stripe of the disks, which lose what they hold; it is a disk under that name. Errors:
/// not_found (there is no such disk), busy (one is named twice, or something lies on
/// it), already_exists, no_space (there are too many), those of write_members and Stripe::open.
Result<block::Stripe*> make_stripe(
    Kernel& kernel,
    std::string_view name,
    std::span<std::string_view const> disks,
    u64 chunk_bytes);

struct CompressOptions {
    codec::Parameters parameters{codec::Algorithm::zstd, 1};
    Bytes size{}; ///< 0: as large as the disk that it lies on
};
/// Makes a compressed disk of that name on `disk`, which loses what it holds. Errors:
/// already_exists, not_found (it leaves), busy (something lies on it), no_space (there are too
/// many; it is too small; the name is too long), invalid_argument (a name that is none; too large),
/// those of CompressedDisk::create.
Result<block::CompressedDisk*> compress_disk(
    Kernel& kernel, std::string_view name, block::DiskUse disk, CompressOptions const& options);

/// What a disk holds that should not be lost by mistake, in words; empty: nothing that is known.
std::string_view content_of(Kernel& kernel, block::Disk& disk);
/// What lies on a disk, on a part of it, or on the whole of which it is a part; null: nothing. The
/// layers are locked.
DiskLayer const* layer_over(DiskRoom& room, block::Disk& disk);

/// Layers that were found.
struct FoundLayers {
    u32 stripes = 0;
    u32 compressed = 0;
};
/// Looks for layers on all disks, on those that it finds too, and makes disks of those that are
/// whole; what is wrong with others is said in the log. Errors: those of disk_room.
Result<FoundLayers> assemble_layers(Kernel& kernel);
/// Its parts, once over all disks; how many were found. The layers are locked.
enum class Reports : u8 { nothing, what_is_wrong };
u32 assemble_stripes(Kernel& kernel, DiskRoom& room, Reports reports);
u32 open_compressed_disks(Kernel& kernel, DiskRoom& room, Reports reports);

/// Makes it a disk by its name, and keeps it. The layers are locked. Closed where that fails:
/// no_space (there are too many), those of Disks::add.
Result<void> add_layer(DiskRoom& room, DiskLayer layer);

enum class StampAction : u8 { write, check };
/// Overwrites sectors of a disk in rounds up to `round`, drawn from a seed, and says what is
/// durable as it is; or looks whether what that many rounds wrote is there (disk_stamps.cpp).
/// Context thread, with threads. The status of the command.
u8 stamp_disk(CommandContext& context, block::Disk& disk, StampAction action, u64 seed, u64 round);

/// What `disks read`, `write` and `flush` do: one request each, of a whole sector. `text` fills the
/// sector's begin, the rest is zeros. Context thread. The status of the command.
u8 read_sector(CommandContext& context, block::Disk& disk, u64 sector);
u8 write_sector(CommandContext& context, block::Disk& disk, u64 sector, std::string_view text);
u8 flush_disk(CommandContext& context, block::Disk& disk);

/// The commands disks and block-bench.
u8 use_disks(CommandContext& context);
u8 bench_block(CommandContext& context);

} // namespace twofold::boot
