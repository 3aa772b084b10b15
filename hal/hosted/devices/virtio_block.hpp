// A block device of VIRTIO (1.2, section 5.2) on the hosted machine's bus, over the same kind of
// medium as a namespace of the NVMe controller has (nvme/nvme_medium.hpp).
//
// A notification has all requests of its queue fetched, given to the medium and started together;
// what is done at once is answered at once, the rest when the medium announces it, in any order.
// Data goes between the medium and the kernel's memory without a copy.
//
// A request that lies outside the disk, that is longer than the device says or whose data are no
// whole blocks fails; one that it does not know is not supported. A chain without a header, or
// without room for a status, is no request, and the driver finds NEEDS_RESET. A reset waits for
// what is in flight: no data arrives in memory afterwards.
//
// Not offered: a switch for the cache, zoned disks, secure erasure.
//
// Invariant: beside the medium all is plain data.
#pragma once

#include "hal/hosted/devices/nvme/nvme_data.hpp"
#include "hal/hosted/devices/virtio_block_layout.hpp"
#include "hal/hosted/devices/virtio_pci.hpp"

#include <memory>
#include <string>

namespace hosted {

struct VirtioBlockConfig {
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
    VirtioBlock(std::shared_ptr<NvmeMedium> medium, VirtioBlockConfig config);

    void due(DeviceBus& bus, u64 tag) override;
    void connected(std::function<void()> notice) override;
    void add_events(std::vector<int>& events) const override;
    void noticed(DeviceBus& bus) override { reap(bus); }
    bool needs_simulation() const override { return m_medium->needs_simulation(); }
    void settle() override { m_medium->settle(); }
    void pulled() override;

    VirtioBlockCounts const& counts() const { return m_counts; }

private:
    static constexpr u64 transfer_bytes_max = u64{8} << 20;

    /// A request that the medium has.
    struct Pending {
        u16 queue = 0;
        u16 head = 0;
        u32 is_used = 0;
        u64 status_at = 0; ///< a DmaAddress
        u64 bytes = 0;     ///< that are written before the status
    };
    /// What was found in a chain.
    struct Found {
        blk::Request request{};
        u16 queue = 0;
        u64 in_bytes = 0; ///< of data, without header and status
        u64 out_bytes = 0;
        DmaAddress status_at{};
    };

    static VirtioKind kind_of(NvmeMedium const& medium, VirtioBlockConfig const& config);
    void reset_own() override;
    void fill_config(std::span<std::byte> config) const override;
    void config_written(DeviceBus&, u64, std::span<std::byte const>) override {}
    void notified(DeviceBus& bus, u32 queue) override;
    void archive_own(StateArchive& state) override;
    void loading() override { pulled(); }
    void loaded() override;
    void cut_power() override { m_medium->cut_power(); }

    void serve(DeviceBus& bus, u32 queue, VirtioChain const& chain);
    std::optional<blk::Status> begin(DeviceBus& bus, Found const& found, VirtioChain const& chain);
    std::optional<blk::Status>
    transfer(DeviceBus& bus, Found const& found, VirtioChain const& chain);
    std::optional<blk::Status> clear(DeviceBus& bus, Found const& found, VirtioChain const& chain);
    blk::Status tell_id(DeviceBus& bus, Found const& found, VirtioChain const& chain);
    std::optional<blk::Status> submit(
        DeviceBus& bus,
        Found const& found,
        VirtioChain const& chain,
        u64 written_bytes,
        NvmeOperation operation,
        NvmeData data);
    void answer(DeviceBus& bus, Pending const& what, blk::Status status);
    void reap(DeviceBus& bus);
    bool is_inside(u64 sector, u64 bytes) const;

    std::shared_ptr<NvmeMedium> m_medium;
    VirtioBlockConfig m_config;
    std::function<void()> m_notice;
    VirtioBlockCounts m_counts{};
    std::vector<Pending> m_pending; ///< by tag
    std::vector<NvmeData> m_data;   ///< the same
    u64 m_known_bytes = 0;          ///< of the medium, when it was looked at last
    std::vector<NvmeOutcome> m_outcomes{};
};

} // namespace hosted
