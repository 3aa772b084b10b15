// See block_medium.hpp.
#include "hal/hosted/sim/devices/block_medium.hpp"

#include <algorithm>

namespace hosted {

SectorBytes BlockMedium::find(Sectors const& among, u64 sector) const {
    CHECK(sector < m_sectors);
    auto const found = among.find(sector);
    return found == among.end() ? SectorBytes(m_sector_bytes) : found->second;
}

void BlockMedium::keep(Sectors& among, u64 sector, std::span<std::byte const> bytes) const {
    CHECK(sector < m_sectors && bytes.size() == m_sector_bytes);
    among[sector].assign(bytes.begin(), bytes.end());
}

SectorBytes BlockMedium::read(u64 sector) const {
    return find(m_damaged.contains(sector) ? m_damaged : m_pristine, sector);
}

SectorBytes BlockMedium::read_previous(u64 sector) const {
    return find(m_previous, sector);
}

void BlockMedium::write(u64 sector, std::span<std::byte const> bytes) {
    keep(m_previous, sector, read(sector));
    keep(m_pristine, sector, bytes);
    m_damaged.erase(sector);
}

void BlockMedium::write_badly(
    u64 sector, std::span<std::byte const> bytes, std::span<std::byte const> instead) {
    SectorBytes const held(instead.begin(), instead.end());
    write(sector, bytes);
    damage(sector, held);
}

void BlockMedium::damage(u64 sector, std::span<std::byte const> instead) {
    if (std::ranges::equal(read_pristine(sector), instead)) {
        m_damaged.erase(sector);
    } else {
        keep(m_damaged, sector, instead);
    }
}

void BlockMedium::save(StateWriter& out) const {
    for (Sectors const* const each : {&m_pristine, &m_damaged, &m_previous}) {
        out.put<u64>(each->size());
        for (auto const& [sector, bytes] : *each) {
            out.put(sector);
            out.put_bytes(bytes);
        }
    }
}

void BlockMedium::load(StateReader& in) {
    for (Sectors* const each : {&m_pristine, &m_damaged, &m_previous}) {
        each->clear();
        for (auto left = in.get<u64>(); left != 0; --left) {
            auto const sector = in.get<u64>();
            SectorBytes const bytes = in.get_bytes();
            keep(*each, sector, bytes);
        }
    }
}

} // namespace hosted
