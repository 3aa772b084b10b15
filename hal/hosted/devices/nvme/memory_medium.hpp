// A medium in the memory of the host: each operation is done when it is started. What it holds is
// lost with it, and a snapshot holds a copy.
#pragma once

#include "hal/hosted/devices/nvme/nvme_medium.hpp"

namespace hosted {

class MemoryMedium final : public NvmeMedium {
public:
    MemoryMedium(u64 blocks, u32 block_bytes)
        : m_block_bytes(block_bytes), m_bytes(blocks * block_bytes) {}

    u64 bytes() const override { return m_bytes.size(); }
    u32 block_bytes() const override { return m_block_bytes; }
    void submit(DeviceBus& bus, NvmeOperation const& operation) override;
    void reap(DeviceBus& bus, std::vector<NvmeOutcome>& outcomes) override;
    bool withdraw(u32) override { return false; }
    bool withdraw_all() override;
    void archive(StateArchive& state) override;

    /// What it holds, for who looks at it from outside.
    std::span<std::byte> content() { return m_bytes; }

private:
    u32 m_block_bytes;
    std::vector<std::byte> m_bytes;
    std::vector<NvmeOutcome> m_done;
};

} // namespace hosted
