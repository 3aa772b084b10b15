// A block device of VIRTIO (1.2, section 5.2) on the hosted machine's bus, over a medium
// (disk_medium.hpp). Each request is done when its notification returns.
//
// A request that lies outside the disk, that is longer than the device says or whose data are no
// whole sectors fails; one that it does not know is not supported. A chain without a header, or
// without room for a status, is no request, and the driver finds NEEDS_RESET.
//
// Not offered: a switch for the cache, zoned disks, secure erasure.
//
// Invariant: beside the medium all is plain data. What the medium holds is not part of a snapshot.
#pragma once

#include "hal/hosted/devices/disk_medium.hpp"
#include "hal/hosted/devices/virtio_block_layout.hpp"
#include "hal/hosted/devices/virtio_pci.hpp"

#include <string>

namespace hosted {

struct VirtioBlockConfig {
    u32 block_bytes = 512; ///< a power of two, 512 at least
    u32 queues = 1;
    u32 segments_max = 16;
    u32 clear_sectors_max = 1u << 16; ///< of one discard, or one write of zeros
    std::string id = "twofold";       ///< at most blk::id_bytes are told
};

/// What it was asked for since its machine started.
struct VirtioBlockCounts {
    u64 requests = 0;
    u64 failed = 0;
};

class VirtioBlock final : public VirtioPci {
public:
    /// `medium` outlives the device.
    VirtioBlock(DiskMedium& medium, VirtioBlockConfig config);

    VirtioBlockCounts const& counts() const { return m_counts; }

private:
    static constexpr u64 transfer_bytes_max = u64{8} << 20;

    static VirtioKind kind_of(DiskMedium const& medium, VirtioBlockConfig const& config);
    void reset_own() override { m_counts = {}; }
    void fill_config(std::span<std::byte> config) const override;
    void config_written(DeviceBus&, u64, std::span<std::byte const>) override {}
    void notified(DeviceBus& bus, u32 queue) override;
    void archive_own(StateArchive& state) override;

    void serve(DeviceBus& bus, u32 queue, VirtioChain const& chain);
    blk::Status perform(
        DeviceBus& bus,
        blk::Request const& request,
        VirtioChain const& chain,
        std::vector<std::byte>& answer);
    blk::Status clear(DeviceBus& bus, VirtioChain const& chain);
    bool is_inside(u64 sector, u64 bytes) const;

    DiskMedium& m_medium;
    VirtioBlockConfig m_config;
    VirtioBlockCounts m_counts{};
};

} // namespace hosted
