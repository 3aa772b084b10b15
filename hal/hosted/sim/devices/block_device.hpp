// A simulated block device with a volatile write cache.
//
// A write is acknowledged as soon as it is in the cache, and reaches the medium with a flush, with
// a write through the cache to the same sectors, or when the cache is full, the oldest first. When
// the machine starts over, which is a power cut, each write that is still in the cache has survived
// or not, or whole sectors of it at its begin, at its end or in its middle have.
//
// Requests take a time by a declared model and are done at its end, each for itself: requests that
// are in flight together have no order.
//
// Faults (device_faults.hpp) act at that moment. What they do to the medium is kept beside what it
// should hold (block_medium.hpp).
//
// Invariant: plain data; every draw is a function of the seed and of a request's number, so a fault
// that is left out changes no other draw.
#pragma once

#include "core/base/base.hpp"
#include "hal/hosted/sim/devices/block_medium.hpp"
#include "hal/hosted/sim/devices/ring_device.hpp"

#include <deque>

namespace hosted {

/// How long requests take.
struct BlockLatency {
    u64 read_ns = 20'000;
    u64 write_ns = 15'000;
    u64 flush_ns = 400'000;
    u64 sector_ns = 200;
    u64 jitter_ns = 5'000; ///< up to so much more, by the seed
};

/// What becomes of cached writes when the power is cut.
enum class PowerCut : u8 {
    draw, ///< each for itself, by the seed
    none_survives,
    all_survive,
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
    BlockMedium const& medium() const { return m_medium; }
    BlockMedium& medium() { return m_medium; }
    BlockCounts const& counts() const { return m_counts; }
    usize cached_writes() const { return m_cache.size(); }
    /// The medium becomes what it would be without any fault; power cuts are none.
    void lift_faults() { m_medium.lift_faults(); }

private:
    /// How a write reaches the medium.
    enum class Arrival : u8 { whole, lost, misdirected, torn, torn_between_sectors };

    struct CachedWrite {
        u64 sector = 0;
        std::vector<std::byte> bytes{};
        Arrival arrival = Arrival::whole;
        bool is_promised = false; ///< a flush that was ignored has acknowledged it
        u64 draw = 0;
    };
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

    u64 other_place(u64 sector, u64 count, u64 draw) const;
    SectorBytes read_sector(u64 sector) const;
    SectorBytes read_stale(u64 sector) const;
    CachedWrite const* cached(u64 sector) const;
    void rot(u64 sector, u64 bits, Random& random);
    void destage_all();
    void write_through(CachedWrite const& write);
    void arrive(CachedWrite const& write);
    void arrive_torn(CachedWrite const& write);
    void cut_power();

    BlockConfig m_config;
    BlockMedium m_medium;
    BlockCounts m_counts;
    u32 m_next = 0;                    ///< request's number
    std::vector<Request> m_requests;   ///< in flight
    std::deque<CachedWrite> m_cache{}; ///< the oldest first
};

} // namespace hosted
