// What simulated disks have behind their protocol: a medium (block_medium.hpp) with a volatile
// write cache before it, and all that goes wrong with their data.
//
// A write is in the cache first, and reaches the medium with a flush, with a write through the
// cache to the same sectors, or when the cache is full, the oldest first. When the power is cut,
// each write that is still in the cache has survived or not, or whole sectors of it at its begin,
// at its end or in its middle have.
//
// Faults (device_faults.hpp) act at the moment of the operation. What they do to the medium is kept
// beside what it should hold.
//
// Invariant: plain data; every draw is a function of the seed and of an operation's number, so a
// fault that is left out changes no other draw.
#pragma once

#include "hal/hosted/devices/pci_device.hpp"
#include "hal/hosted/sim/devices/block_medium.hpp"

#include <deque>

namespace hosted {

/// What becomes of cached writes when the power is cut.
enum class PowerCut : u8 {
    draw, ///< each for itself, by the seed
    none_survives,
    all_survive,
};

struct CachedMediumConfig {
    u64 sectors = 0;
    u32 sector_bytes = 0;
    u32 cached_writes_max = 64;
    u64 seed = 0;
    PowerCut power_cut = PowerCut::draw;
};

class CachedMedium {
public:
    explicit CachedMedium(CachedMediumConfig const& config);

    /// Draws of one operation, whatever other operations draw.
    static Random draws_of(u64 seed, u32 number) {
        return Random(seed ^ SplitMix64(number).next());
    }

    BlockMedium const& medium() const { return m_medium; }
    BlockMedium& medium() { return m_medium; }
    usize cached_writes() const { return m_cache.size(); }

    /// Of `count` sectors that are inside. False: it has failed. O(count).
    bool read(DeviceBus& bus, u64 sector, u64 count, Random& random, std::vector<std::byte>& bytes);
    bool write(
        DeviceBus& bus, u64 sector, std::vector<std::byte> bytes, bool is_through, Random& random);
    /// O(cached sectors).
    void flush(DeviceBus& bus);
    /// The power goes, for the `times`th time from 0.
    void cut_power(u64 times);

    /// All that was written reaches the medium, which becomes what it would be without any fault.
    void lift_faults();

    void save(StateWriter& out) const;
    void load(StateReader& in);

private:
    /// How a write reaches the medium.
    enum class Arrival : u8 { whole, lost, misdirected, torn, torn_between_sectors, repeated };

    struct CachedWrite {
        u64 sector = 0;
        std::vector<std::byte> bytes{};
        Arrival arrival = Arrival::whole;
        bool is_promised = false; ///< a flush that was ignored has acknowledged it
        u64 draw = 0;
    };

    u64 other_place(u64 sector, u64 count, u64 draw) const;
    SectorBytes read_sector(u64 sector) const;
    SectorBytes read_stale(u64 sector) const;
    CachedWrite const* cached(u64 sector) const;
    void rot(u64 sector, u64 bits, Random& random);
    Arrival arrival_of(DeviceBus& bus, bool is_through);
    void destage_all();
    bool overlap(CachedWrite const& one, CachedWrite const& other) const;
    void write_through(CachedWrite const& write);
    void arrive(CachedWrite const& write);
    void arrive_torn(CachedWrite const& write);
    void repeat();

    CachedMediumConfig m_config;
    BlockMedium m_medium;
    std::deque<CachedWrite> m_cache{};    ///< the oldest first
    std::deque<CachedWrite> m_repeated{}; ///< arrive once more with the next flush
};

} // namespace hosted
