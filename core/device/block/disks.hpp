// The disks of a kernel, by name: those that drivers announce, what is made of them, and the
// partitions on each.
//
//     DiskUse const disk = disks.find("nvme0n1");
//     if (disk) { TRY(read_block(*disk, 0, memory)); }
//
// Whoever uses a disk holds a DiskUse; a disk whose driver withdraws it stays until the last one
// has ended. Partitions are looked for when a disk is added; a damaged table is said in the log.
#pragma once

#include "core/device/block/disk.hpp"
#include "core/device/block/disk_store.hpp"
#include "core/device/ring/awaited.hpp"

namespace twofold::block {

class Disks; // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final

/// A disk that somebody uses, or none. Moves.
class [[nodiscard]] DiskUse {
public:
    DiskUse() = default;
    DiskUse(DiskUse&& other) noexcept
        : m_disks(other.m_disks), m_disk(std::exchange(other.m_disk, nullptr)) {}
    DiskUse& operator=(DiskUse&& other) noexcept {
        std::swap(m_disks, other.m_disks);
        std::swap(m_disk, other.m_disk);
        return *this;
    }
    DiskUse(DiskUse const&) = delete;
    DiskUse& operator=(DiskUse const&) = delete;
    ~DiskUse();

    explicit operator bool() const { return m_disk != nullptr; }
    Disk& operator*() const {
        CHECK(m_disk != nullptr);
        return *m_disk;
    }
    Disk* operator->() const { return &**this; }

private:
    friend class Disks;
    DiskUse(Disks& disks, Disk& disk) : m_disks(&disks), m_disk(&disk) {}

    Disks* m_disks = nullptr;
    Disk* m_disk = nullptr;
};

/// What there is to say of a disk's table of partitions.
struct TableState {
    bool is_damaged = false;
    bool is_backup = false;
    u32 refused = 0; ///< entries that make no sense
};

/// Context thread, but where something else is said.
class Disks final : public DiskStore {
public:
    /// Is told what is worth a line in the log.
    using Reporter = void (*)(void* object, Disk& disk, TableState const& state);

    Disks(memory::KernelHeap& heap, memory::BuddyFrames& frames, Completions& completions)
        : m_heap(heap), m_frames(frames), m_completions(completions) {}
    ~Disks() { CHECK(m_disks.empty()); } ///< all were removed

    void set_reporter(Reporter reporter, void* object) {
        m_reporter = reporter;
        m_reporter_object = object;
    }

    /// DiskStore. Errors of `add` also: no_space (the name is too long). A table of partitions
    /// that cannot be read is no error.
    Result<void> add(Device& device) override;
    void remove(Device& device) override;
    /// Before a removal: nobody finds the disk any more, nor its partitions.
    void hide(Device& device);
    void changed(Device& device) override;

    /// The disk of that name; none, where there is none. Also context work. O(disks).
    DiskUse find(std::string_view name);
    /// Disk number `index` in the order of their making, partitions behind their disks; none, where
    /// there are not so many. O(disks).
    DiskUse at(usize index);
    TableState table_state(Disk const& disk);

private:
    friend class DiskUse;

    void add_partitions(Disk& disk);
    Result<void> insert(Disk& disk);
    void withdraw(Disk& disk);
    Disk* disk_over(Device& device);
    Disk* part_of(Disk const& whole);
    DiskUse use(Disk* disk) REQUIRES(m_lock);
    void end_use(Disk& disk);

    memory::KernelHeap& m_heap;
    memory::BuddyFrames& m_frames;
    Completions& m_completions;
    Reporter m_reporter = nullptr;
    void* m_reporter_object = nullptr;
    sync::SpinLock m_lock{sync::LockRank::device};
    IntrusiveList<Disk> m_disks GUARDED_BY(m_lock);
};

} // namespace twofold::block
