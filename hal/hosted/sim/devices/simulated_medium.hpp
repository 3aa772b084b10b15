// A medium of the NVMe controller in virtual time: what is asked for takes a time by a declared
// model and is done at its end, each operation for itself. Cache, power cuts and faults of the
// data: cached_medium.hpp.
//
// Invariant: plain data; memory of the machine is reached when an operation ends, by the addresses
// that the device was given.
#pragma once

#include "hal/hosted/devices/nvme/nvme_medium.hpp"
#include "hal/hosted/sim/devices/cached_medium.hpp"

namespace hosted {

/// How long operations take.
struct MediumLatency {
    u64 read_ns = 20'000;
    u64 write_ns = 15'000;
    u64 flush_ns = 400'000;
    u64 block_ns = 200;
    u64 jitter_ns = 5'000; ///< up to so much more, by the seed
};

/// What a medium was asked for since it was made.
struct MediumCounts {
    u64 reads = 0;
    u64 writes = 0; ///< of data, of zeros, and what is deallocated
    u64 flushes = 0;
    u64 power_cuts = 0; ///< times that the machine has started over
};

struct SimulatedMediumConfig {
    u64 blocks = 65'536;
    u32 block_bytes = 512; ///< or 4096
    u32 cached_writes_max = 64;
    bool is_read_only = false;
    u64 seed = 0;
    MediumLatency latency{};
    PowerCut power_cut = PowerCut::draw;
};

class SimulatedMedium final : public NvmeMedium {
public:
    explicit SimulatedMedium(SimulatedMediumConfig const& config);

    u64 bytes() const override { return m_blocks * m_config.block_bytes; }
    u32 block_bytes() const override { return m_config.block_bytes; }
    bool is_read_only() const override { return m_config.is_read_only; }
    void submit(DeviceBus& bus, NvmeOperation const& operation) override;
    void reap(DeviceBus& bus, std::vector<NvmeOutcome>& outcomes) override;
    bool withdraw(u32 tag) override;
    bool withdraw_all() override;
    void cut_power() override;
    bool needs_simulation() const override { return true; }
    void placed(u16 number) override { m_number = number; }
    void due(DeviceBus& bus, u64 id) override;
    void archive(StateArchive& state) override;
    void faults_are_over() override;

    /// For who looks at it from outside, between two runs of the machine.
    CachedMedium& cached() { return m_cached; }
    MediumCounts const& counts() const { return m_counts; }

private:
    struct Pending {
        u32 id = 0;
        NvmeOperation operation{}; ///< its spans are of no use
        std::vector<NvmeSegment> segments{};

        void archive(StateArchive& state) {
            state(id);
            state(operation.kind);
            state(operation.is_through);
            state(operation.tag);
            state(operation.offset);
            state(operation.bytes);
            state(segments);
        }
    };

    u64 duration_of(NvmeOperation const& operation, u32 id) const;
    void shrink(u64 factor);
    u16 perform(DeviceBus& bus, Pending const& what, Random& random);
    u16 read(DeviceBus& bus, Pending const& what, Random& random);
    u16 write(DeviceBus& bus, Pending const& what, Random& random);

    SimulatedMediumConfig m_config;
    CachedMedium m_cached;
    u16 m_number = 0;
    u64 m_blocks;
    u32 m_next = 0;
    MediumCounts m_counts{};
    std::vector<Pending> m_pending;
    std::vector<NvmeOutcome> m_done;
};

} // namespace hosted
