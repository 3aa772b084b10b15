// See disks.hpp.
#include "core/device/block/disks.hpp"

namespace twofold::block {

DiskUse::~DiskUse() {
    if (m_disk != nullptr) {
        m_disks->end_use(*m_disk);
    }
}

DiskUse Disks::use(Disk* disk) {
    if (disk == nullptr) {
        return {};
    }
    ++disk->m_uses;
    return {*this, *disk};
}

void Disks::end_use(Disk& disk) {
    device::Awaited<bool>* waits = nullptr;
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        CHECK(disk.m_uses > 0);
        if (--disk.m_uses == 0) {
            waits = std::exchange(disk.m_withdrawal, nullptr);
        }
    }
    if (waits != nullptr) {
        waits->come(true);
    }
}

DiskUse Disks::find(std::string_view name) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    for (Disk& disk : m_disks) {
        if (!disk.m_is_leaving && disk.name() == name) {
            return use(&disk);
        }
    }
    return {};
}

DiskUse Disks::at(usize index) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    for (Disk& disk : m_disks) {
        if (!disk.m_is_leaving && index-- == 0) {
            return use(&disk);
        }
    }
    return {};
}

TableState Disks::table_state(Disk const& disk) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return {disk.m_has_bad_table, disk.m_uses_backup, disk.m_refused};
}

/// The disk that a driver's device is, or a part of it; null: none.
Disk* Disks::disk_over(Device& device) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    for (Disk& disk : m_disks) {
        if (disk.m_device == &device) {
            return &disk;
        }
    }
    return nullptr;
}

Disk* Disks::part_of(Disk const& whole) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    for (Disk& disk : m_disks) {
        if (disk.m_whole == &whole) {
            return &disk;
        }
    }
    return nullptr;
}

/// Behind all others, unless its name is taken.
Result<void> Disks::insert(Disk& disk) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    for (Disk const& other : m_disks) {
        if (other.name() == disk.name()) {
            return Error::already_exists;
        }
    }
    m_disks.push_back(disk);
    return {};
}

Result<void> Disks::add(Device& device) {
    Disk* const disk = TRY(Disk::open(m_heap, m_completions, device));
    if (auto const inserted = insert(*disk); !inserted) {
        disk->close();
        return inserted;
    }
    add_partitions(*disk);
    return {};
}

void Disks::add_partitions(Disk& disk) {
    auto table = memory::Box<PartitionTable, memory::KernelHeap>::create(m_heap);
    if (!table) {
        return;
    }
    PartitionTable& found = *table.value();
    auto const read = read_partition_table(disk, m_frames, found);
    TableState const state{
        .is_damaged = !read && read.error() != Error::not_found,
        .is_backup = found.is_backup,
        .refused = found.found.refused};
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        disk.m_has_bad_table = state.is_damaged;
        disk.m_uses_backup = state.is_backup;
        disk.m_refused = state.refused;
    }
    bool const is_worth_it = state.is_damaged || state.is_backup || state.refused != 0;
    if (is_worth_it && m_reporter != nullptr) {
        m_reporter(m_reporter_object, disk, state);
    }
    for (gpt::Partition const& each :
         read ? found.found.partitions.items() : std::span<gpt::Partition>()) {
        auto const part = Disk::open_part(m_heap, disk, each);
        if (!part) {
            continue; // no memory: the others may be there
        }
        if (!insert(*part.value())) {
            part.value()->close();
        }
    }
}

/// Takes a disk out once nobody uses it, and ends it.
void Disks::withdraw(Disk& disk) {
    device::Awaited<bool> idle;
    bool is_used = false;
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        CHECK(disk.m_withdrawal == nullptr); // its driver withdraws it once
        disk.m_is_leaving = true;
        is_used = disk.m_uses != 0;
        disk.m_withdrawal = is_used ? &idle : nullptr;
    }
    if (is_used) {
        static_cast<void>(idle.wait());
    }
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        m_disks.remove(disk);
    }
    disk.close();
}

void Disks::hide(Device& device) {
    Disk* const whole = disk_over(device);
    CHECK(whole != nullptr); // it was added
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    whole->m_is_leaving = true;
    for (Disk& disk : m_disks) {
        disk.m_is_leaving = disk.m_is_leaving || disk.m_whole == whole;
    }
}

void Disks::remove(Device& device) {
    hide(device);
    Disk* const disk = disk_over(device);
    while (Disk* const part = part_of(*disk)) {
        withdraw(*part);
    }
    withdraw(*disk);
}

void Disks::changed(Device& device) {
    Disk* const disk = disk_over(device);
    CHECK(disk != nullptr);
    disk->adopt_geometry();
    while (Disk* const part = part_of(*disk)) {
        withdraw(*part);
    }
    add_partitions(*disk);
}

} // namespace twofold::block
