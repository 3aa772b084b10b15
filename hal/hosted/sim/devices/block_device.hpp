// A simulated block device with a volatile write cache (cached_medium.hpp).
//
// Requests take a time by a declared model and are done at its end, each for itself: requests that
// are in flight together have no order. Faults (device_faults.hpp) act at that moment.
//
// Invariant: plain data; every draw is a function of the seed and of a request's number, so a fault
// that is left out changes no other draw.
#pragma once

#include "core/base/base.hpp"
#include "hal/hosted/sim/devices/cached_medium.hpp"
#include "hal/hosted/sim/devices/ring_device.hpp"

namespace hosted {

/// How long requests take.
struct BlockLatency {
    u64 read_ns = 20'000;
    u64 write_ns = 15'000;
    u64 flush_ns = 400'000;
    u64 sector_ns = 200;
    u64 jitter_ns = 5'000; ///< up to so much more, by the seed
};

struct BlockConfig {
    u64 sectors = 65'536;
    u32 sector_bytes = 512; ///< or 4096
    u32 sectors_max = 128;  ///< of one request
    u32 cached_writes_max = 64;
    u64 seed = 0;
    BlockLatency latency{};
    PowerCut power_cut = PowerCut::draw;
};

/// What a device was asked for since it was made.
struct BlockCounts {
    u64 reads = 0;
    u64 writes = 0;
    u64 flushes = 0;
    u64 power_cuts = 0; ///< times that the machine has started over
};

class BlockDevice final : public RingDevice {
public:
    explicit BlockDevice(BlockConfig const& config);

    PciIdentity identity() const override;

    /// The rest is for who looks at the device from outside, between two runs of the machine.
    BlockConfig const& config() const { return m_config; }
    BlockMedium const& medium() const { return m_cached.medium(); }
    BlockMedium& medium() { return m_cached.medium(); }
    BlockCounts const& counts() const { return m_counts; }
    usize cached_writes() const { return m_cached.cached_writes(); }
    /// The medium becomes what it would be without any fault; power cuts are none.
    void lift_faults() { m_cached.medium().lift_faults(); }

private:
    struct Request {
        u32 id = 0;
        ring::Submission submission{};
    };

    void start_up(std::span<std::byte> registers) override;
    void save_own(StateWriter& out) const override;
    void load_own(StateReader& in) override;
    void submitted(DeviceBus& bus, ring::Submission const& submission) override;
    void happened(DeviceBus& bus, u64 id) override;
    void forget() override { m_requests.clear(); }

    u64 duration_of(Request const& request) const;
    bool is_inside(ring::Submission const& what) const;
    u16 perform(DeviceBus& bus, Request const& request, Random& random);
    u16 read(DeviceBus& bus, ring::Submission const& what, Random& random);
    u16 write(DeviceBus& bus, ring::Submission const& what, Random& random);
    u16 flush(DeviceBus& bus);
    u16 identify(DeviceBus& bus, ring::Submission const& what);

    BlockConfig m_config;
    CachedMedium m_cached;
    BlockCounts m_counts;
    u32 m_next = 0;                  ///< request's number
    std::vector<Request> m_requests; ///< in flight
};

} // namespace hosted
