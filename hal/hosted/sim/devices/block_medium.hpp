// What a simulated disk holds, sector by sector; sectors that were never written are zeros.
//
// Each sector has what it would hold without any fault, and, where faults have left something else,
// that beside it. So faults can be lifted. A sector that is written well is well again.
#pragma once

#include "hal/hosted/sim/devices/state_bytes.hpp"

#include <map>

namespace hosted {

using SectorBytes = std::vector<std::byte>;

class BlockMedium {
public:
    BlockMedium(u64 sectors, u32 sector_bytes) : m_sectors(sectors), m_sector_bytes(sector_bytes) {}

    u64 sectors() const { return m_sectors; }
    u32 sector_bytes() const { return m_sector_bytes; }

    /// What a sector reads; what it read before it was written last; what it would read without
    /// faults. All O(log sectors written).
    SectorBytes read(u64 sector) const;
    SectorBytes read_previous(u64 sector) const;
    SectorBytes read_pristine(u64 sector) const { return find(m_pristine, sector); }

    /// The sector holds `bytes`.
    void write(u64 sector, std::span<std::byte const> bytes);
    /// It should hold `bytes` and holds `instead`.
    void
    write_badly(u64 sector, std::span<std::byte const> bytes, std::span<std::byte const> instead);
    /// It holds `instead` of what it should.
    void damage(u64 sector, std::span<std::byte const> instead);

    /// How many sectors hold something else than without faults.
    usize damaged() const { return m_damaged.size(); }
    /// The medium as it would be without any fault so far.
    void lift_faults() { m_damaged.clear(); }

    void save(StateWriter& out) const;
    void load(StateReader& in);

private:
    using Sectors = std::map<u64, SectorBytes>;

    SectorBytes find(Sectors const& among, u64 sector) const;
    void keep(Sectors& among, u64 sector, std::span<std::byte const> bytes) const;

    u64 m_sectors;
    u32 m_sector_bytes;
    Sectors m_pristine;
    Sectors m_damaged;
    Sectors m_previous;
};

} // namespace hosted
