// The driver of virtio-blk as the registry knows it. See virtio_block.hpp.
#include "core/device/virtio/pci_transport.hpp"
#include "core/device/virtio/virtio_block.hpp"

namespace twofold::device {

namespace {

/// One device, announced.
class RunningBlock final : public BoundDevice {
public:
    RunningBlock(DriverEnvironment const& environment, VirtioBlock& disk)
        : m_heap(environment.heap), m_disks(environment.disks), m_disk(disk) {}

    void remove(Removal how) override {
        if (how == Removal::gone) {
            m_disk.fail();
        }
        if (m_disks != nullptr) {
            m_disks->remove(m_disk);
        }
        m_disk.close();
        memory::KernelHeap& heap = m_heap;
        this->~RunningBlock();
        memory::free_room(heap, this);
    }
    /// What the device has lost by a reset would have to be set up anew; a virtio device is only
    /// opened anew.
    Result<void> suspend() override { return Error::not_supported; }
    Result<void> resume() override { return Error::not_supported; }

private:
    ~RunningBlock() = default;

    memory::KernelHeap& m_heap;
    block::DiskStore* m_disks;
    VirtioBlock& m_disk;
};

/// The first letter that no other disk has.
Result<VirtioBlock*>
open_named(DriverEnvironment const& environment, virtio::Transport& transport) {
    VirtioBlock* const disk = TRY(VirtioBlock::open(environment, transport));
    if (environment.disks == nullptr) {
        return disk;
    }
    Result<void> added = Error::already_exists;
    for (u32 letter = 0; letter < VirtioBlock::names_max; ++letter) {
        disk->set_letter(letter);
        added = environment.disks->add(*disk);
        if (added || added.error() != Error::already_exists) {
            break;
        }
    }
    if (!added) {
        disk->close();
        return added.error();
    }
    return disk;
}

Result<BoundDevice*> probe(DriverEnvironment const& environment, pci::Function const& function) {
    return run_virtio_block(environment, *TRY(virtio::open_pci_transport(environment, function)));
}

} // namespace

Result<BoundDevice*>
run_virtio_block(DriverEnvironment const& environment, virtio::Transport& transport) {
    auto const room = memory::allocate_room<RunningBlock>(environment.heap, 1);
    if (!room) {
        transport.close();
        return room.error();
    }
    auto const disk = open_named(environment, transport);
    if (!disk) {
        memory::free_room(environment.heap, room.value());
        return disk.error();
    }
    return static_cast<BoundDevice*>(std::construct_at(room.value(), environment, *disk.value()));
}

constinit Driver const virtio_block_driver = {
    .name = "virtio-blk",
    .matches =
        [](pci::Function const& function) {
            return virtio::pci_device_kind(function.header) == virtio::device_kind::block;
        },
    .probe = probe};

} // namespace twofold::device
