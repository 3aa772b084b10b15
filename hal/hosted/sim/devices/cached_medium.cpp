// See cached_medium.hpp.
#include "hal/hosted/sim/devices/cached_medium.hpp"

#include <algorithm>

namespace hosted {

namespace {

bool happens(DeviceBus& bus, DeviceFault fault) {
    return bus.fault(fault).has_value();
}

} // namespace

CachedMedium::CachedMedium(CachedMediumConfig const& config)
    : m_config(config), m_medium(config.sectors, config.sector_bytes) {
    CHECK(config.sectors >= 2);
}

bool CachedMedium::read(
    DeviceBus& bus, u64 sector, u64 count, Random& random, std::vector<std::byte>& bytes) {
    if (happens(bus, DeviceFault::nvme_read_error)) {
        return false;
    }
    u64 const one = sector + random.below(count);
    u64 first = sector;
    u64 const elsewhere = other_place(first, count, random.next());
    if (auto const bits = bus.fault(DeviceFault::nvme_bit_rot)) {
        rot(one, *bits, random);
    }
    if (happens(bus, DeviceFault::nvme_zeroed)) {
        m_medium.damage(one, SectorBytes(m_config.sector_bytes));
    }
    if (happens(bus, DeviceFault::nvme_filled)) {
        m_medium.damage(one, SectorBytes(m_config.sector_bytes, std::byte{0xff}));
    }
    if (happens(bus, DeviceFault::nvme_misdirected_read)) {
        first = elsewhere;
    }
    bool const is_stale = happens(bus, DeviceFault::nvme_stale_read);
    bytes.clear();
    for (u64 each = first; each < first + count; ++each) {
        SectorBytes const held = is_stale ? read_stale(each) : read_sector(each);
        bytes.insert(bytes.end(), held.begin(), held.end());
    }
    return true;
}

bool CachedMedium::write(
    DeviceBus& bus, u64 sector, std::vector<std::byte> bytes, bool is_through, Random& random) {
    CachedWrite write{.sector = sector, .bytes = std::move(bytes), .draw = random.next()};
    if (happens(bus, DeviceFault::nvme_write_error)) {
        return false;
    }
    write.arrival = arrival_of(bus, is_through);
    if (is_through) {
        write_through(write);
        return true;
    }
    m_cache.push_back(std::move(write));
    while (m_cache.size() > m_config.cached_writes_max) {
        arrive(m_cache.front());
        m_cache.pop_front();
    }
    return true;
}

CachedMedium::Arrival CachedMedium::arrival_of(DeviceBus& bus, bool is_through) {
    if (happens(bus, DeviceFault::nvme_lost_write)) {
        return Arrival::lost;
    }
    if (happens(bus, DeviceFault::nvme_misdirected_write)) {
        return Arrival::misdirected;
    }
    if (happens(bus, DeviceFault::nvme_torn_write) ||
        (is_through && happens(bus, DeviceFault::nvme_shorn_write))) {
        return Arrival::torn;
    }
    return happens(bus, DeviceFault::nvme_repeated_write) ? Arrival::repeated : Arrival::whole;
}

void CachedMedium::flush(DeviceBus& bus) {
    if (happens(bus, DeviceFault::nvme_flush_ignored)) {
        for (CachedWrite& write : m_cache) {
            write.is_promised = true;
        }
    } else {
        destage_all();
    }
    repeat();
}

/// Writes that come once more, over what has been written since.
void CachedMedium::repeat() {
    for (CachedWrite const& write : m_repeated) {
        u64 const count = write.bytes.size() / m_config.sector_bytes;
        for (u64 i = 0; i < count; ++i) {
            m_medium.damage(
                write.sector + i,
                std::span(write.bytes).subspan(i * m_config.sector_bytes, m_config.sector_bytes));
        }
    }
    m_repeated.clear();
}

/// As many sectors somewhere else.
u64 CachedMedium::other_place(u64 sector, u64 count, u64 draw) const {
    u64 const places = m_config.sectors - count + 1;
    if (places == 1) {
        return sector; // there is no other
    }
    u64 const place = draw % (places - 1);
    return place < sector ? place : place + 1;
}

/// The youngest cached write to a sector; null: there is none.
CachedMedium::CachedWrite const* CachedMedium::cached(u64 sector) const {
    for (auto write = m_cache.rbegin(); write != m_cache.rend(); ++write) {
        if (sector - write->sector < write->bytes.size() / m_config.sector_bytes) {
            return &*write;
        }
    }
    return nullptr;
}

SectorBytes CachedMedium::read_sector(u64 sector) const {
    CachedWrite const* const write = cached(sector);
    if (write == nullptr) {
        return m_medium.read(sector);
    }
    u64 const at = (sector - write->sector) * m_config.sector_bytes;
    auto const bytes = std::span(write->bytes).subspan(at, m_config.sector_bytes);
    return SectorBytes(bytes.begin(), bytes.end());
}

SectorBytes CachedMedium::read_stale(u64 sector) const {
    return cached(sector) != nullptr ? m_medium.read(sector) : m_medium.read_previous(sector);
}

/// Flips `bits` bits of a sector that are close together.
void CachedMedium::rot(u64 sector, u64 bits, Random& random) {
    SectorBytes held = m_medium.read(sector);
    u64 const places = held.size() * 8;
    u64 const wanted = std::clamp<u64>(bits, 1, 64);
    u64 place = random.below(places);
    for (u64 flipped = 0; flipped < wanted; ++flipped) {
        held[place / 8] ^= static_cast<std::byte>(1u << place % 8);
        place = (place + 1 + random.below(3)) % places; // fewer than all: none is met again
    }
    m_medium.damage(sector, held);
}

void CachedMedium::destage_all() {
    for (CachedWrite const& write : m_cache) {
        arrive(write);
    }
    m_cache.clear();
}

bool CachedMedium::overlap(CachedWrite const& one, CachedWrite const& other) const {
    return ranges_overlap(
        one.sector * m_config.sector_bytes, one.bytes.size(), other.sector * m_config.sector_bytes,
        other.bytes.size());
}

/// What is older and concerns the same sectors goes first, so that it cannot come over it later;
/// and so does what is older than that.
void CachedMedium::write_through(CachedWrite const& write) {
    std::vector<CachedWrite const*> going{&write}; // the youngest first
    for (auto other = m_cache.rbegin(); other != m_cache.rend(); ++other) {
        if (std::ranges::any_of(going, [&](auto const* each) { return overlap(*each, *other); })) {
            going.push_back(&*other);
        }
    }
    for (auto each = going.rbegin(); each != going.rend(); ++each) {
        arrive(**each);
    }
    std::erase_if(m_cache, [&](CachedWrite const& each) {
        return std::ranges::find(going, &each) != going.end();
    });
}

/// The write reaches the medium, as well as faults let it.
void CachedMedium::arrive(CachedWrite const& write) {
    if (write.arrival == Arrival::torn || write.arrival == Arrival::torn_between_sectors) {
        arrive_torn(write);
        return;
    }
    u64 const count = write.bytes.size() / m_config.sector_bytes;
    u64 const elsewhere = other_place(write.sector, count, write.draw);
    for (u64 i = 0; i < count; ++i) {
        auto const bytes =
            std::span(write.bytes).subspan(i * m_config.sector_bytes, m_config.sector_bytes);
        if (write.arrival == Arrival::whole || write.arrival == Arrival::repeated) {
            m_medium.write(write.sector + i, bytes);
        } else {
            m_medium.write_badly(write.sector + i, bytes, m_medium.read(write.sector + i));
        }
    }
    for (u64 i = 0; write.arrival == Arrival::misdirected && i < count; ++i) {
        m_medium.damage(
            elsewhere + i,
            std::span(write.bytes).subspan(i * m_config.sector_bytes, m_config.sector_bytes));
    }
    if (write.arrival == Arrival::repeated) {
        m_repeated.push_back(write);
    }
}

/// Its begin, its end or its middle reaches the medium, in pieces of 8 bytes; after a power cut in
/// whole sectors, and what it should hold is that, too.
void CachedMedium::arrive_torn(CachedWrite const& write) {
    bool const by_sectors = write.arrival == Arrival::torn_between_sectors;
    u64 const piece = by_sectors ? m_config.sector_bytes : 8;
    u64 const pieces = write.bytes.size() / piece;
    Random random(write.draw);
    u64 const kind = random.below(3);
    u64 const cut = pieces < 2 ? 0 : 1 + random.below(pieces - 1);
    u64 const second_cut = cut + 1 + random.below(pieces - cut);
    u64 const begin = (kind == 0 ? 0 : cut) * piece;
    u64 const end = (kind == 0 ? cut : kind == 1 ? pieces : second_cut) * piece;
    u64 const count = write.bytes.size() / m_config.sector_bytes;
    for (u64 i = 0; i < count; ++i) {
        u64 const at = i * m_config.sector_bytes;
        SectorBytes held = m_medium.read(write.sector + i);
        SectorBytes const before = held;
        for (u64 byte = 0; byte < held.size(); ++byte) {
            if (at + byte >= begin && at + byte < end) {
                held[byte] = write.bytes[at + byte];
            }
        }
        if (!by_sectors || write.is_promised) {
            auto const whole = std::span(write.bytes).subspan(at, m_config.sector_bytes);
            m_medium.write_badly(write.sector + i, whole, held);
        } else if (held != before) {
            m_medium.write(write.sector + i, held);
        }
    }
}

void CachedMedium::cut_power(u64 times) {
    Random random = draws_of(m_config.seed, static_cast<u32>(~times));
    for (CachedWrite& write : m_cache) {
        u64 const fate = random.below(3);
        u64 const draw = random.next();
        bool const is_drawn = m_config.power_cut == PowerCut::draw;
        if (m_config.power_cut == PowerCut::all_survive || (is_drawn && fate == 0)) {
            arrive(write);
        } else if (is_drawn && fate == 1) {
            write.arrival = Arrival::torn_between_sectors;
            write.draw = draw;
            arrive(write);
        } else if (write.is_promised) {
            write.arrival = Arrival::lost;
            arrive(write);
        }
    }
    m_cache.clear();
    m_repeated.clear();
}

void CachedMedium::lift_faults() {
    destage_all();
    m_repeated.clear();
    m_medium.lift_faults();
}

void CachedMedium::save(StateWriter& out) const {
    for (auto const* const writes : {&m_cache, &m_repeated}) {
        out.put<u64>(writes->size());
        for (CachedWrite const& write : *writes) {
            out.put(write.sector);
            out.put(write.arrival);
            out.put(write.is_promised);
            out.put(write.draw);
            out.put_bytes(write.bytes);
        }
    }
    m_medium.save(out);
}

void CachedMedium::load(StateReader& in) {
    for (auto* const writes : {&m_cache, &m_repeated}) {
        writes->resize(in.get<u64>());
        for (CachedWrite& write : *writes) {
            write.sector = in.get<u64>();
            write.arrival = in.get<Arrival>();
            write.is_promised = in.get<bool>();
            write.draw = in.get<u64>();
            write.bytes = in.get_bytes();
        }
    }
    m_medium.load(in);
}

} // namespace hosted
