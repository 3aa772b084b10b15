// The option --disk of programs that start a machine: what is asked for, and the file opened and
// checked. The parse is pure.
#pragma once

#include "apps/launch/descriptor.hpp"
#include "core/base/base.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace twofold::launch {

struct DiskOption {
    enum class Kind : u8 { nvme, virtio };
    enum class Io : u8 { automatic, uring, threads };

    std::filesystem::path file{}; ///< empty: a medium in memory
    std::optional<u64> bytes{};   ///< that a new file has; of memory always
    u32 block_bytes = 512;
    bool is_direct = false; ///< past the host's page cache
    bool is_read_only = false;
    Io io = Io::automatic;
    Kind kind = Kind::nvme;
};

inline constexpr usize disks_max = 16;
inline constexpr u64 disk_bytes_min = 4096;
inline constexpr u64 disk_bytes_max = u64{1} << 50;
inline constexpr u64 memory_disk_bytes_max = u64{1} << 30;
inline constexpr char const* disk_choices =
    "FILE[,size=1G][,bs=512|4096][,direct][,readonly][,io=uring|threads][,kind=nvme|virtio] or "
    "memory,size=2M";

/// Takes how large a disk is, as "64M". The answer is what is wrong; empty: nothing. O(n).
std::string take_disk_bytes(std::string const& text, std::optional<u64>& bytes);

/// Takes one --disk and puts it behind `disks`. The answer is what is wrong; empty: nothing. A
/// comma in a file's name is doubled. O(n).
std::string take_disk(std::string const& text, std::vector<DiskOption>& disks);

/// A file that is a disk, locked against other runs and emulators while it is open.
struct OpenDisk {
    Descriptor file;
    /// Holds the lock. Opened apart: what the host does for `file` may outlast the process, and the
    /// lock must not.
    Descriptor lock;
    u64 bytes = 0;
};

/// Opens the file of a disk, making a new one of the size that is asked for, sparse; never changes
/// the size of one that is there. Throws Failure, whose line says what is wrong: 64 where the file
/// is none for that, 69 where it is missing or in use, 74 where the host refuses.
OpenDisk open_disk(DiskOption const& disk);

/// The content of a disk's file. Throws Failure (74).
std::vector<std::byte> read_disk(OpenDisk const& disk);

/// The emulator's arguments for the disk with that number, whose file is there. `has_pci`: its
/// machine has a bus for it.
std::vector<std::string> disk_arguments(DiskOption const& disk, usize number, bool has_pci);

} // namespace twofold::launch
