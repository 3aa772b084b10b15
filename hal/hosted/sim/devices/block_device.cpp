// See block_device.hpp.
#include "hal/hosted/sim/devices/block_device.hpp"

#include <algorithm>

namespace hosted {

using ring::Submission;

namespace {

/// Draws of one request, whatever other requests draw.
Random draws_of(u64 seed, u32 number) {
    return Random(seed ^ SplitMix64(number).next());
}

} // namespace

BlockDevice::BlockDevice(BlockConfig const& config)
    : RingDevice(block::signature),
      m_config(config),
      m_medium(config.sectors, config.sector_bytes) {
    CHECK(config.sector_bytes == 512 || config.sector_bytes == 4096);
    CHECK(config.sectors_max != 0 && config.sectors >= 2);
    // A request leaves room for another place, to which it can be misdirected.
    m_config.sectors_max = static_cast<u32>(std::min<u64>(config.sectors_max, config.sectors - 1));
}

PciIdentity BlockDevice::identity() const {
    return {.device = block::device_id, .class_and_revision = block::class_and_revision};
}

void BlockDevice::start_up(std::span<std::byte> registers) {
    cut_power();
    set_register(registers, block::sectors, m_config.sectors);
    set_register(registers, block::sector_bytes, m_config.sector_bytes);
    set_register(registers, block::sectors_max, m_config.sectors_max);
}

void BlockDevice::submitted(DeviceBus& bus, Submission const& submission) {
    Request const request{m_next++, submission};
    u64 delay_ns = duration_of(request);
    delay_ns += bus.fault(DeviceFault::block_late).value_or(0);
    delay_ns += bus.fault(DeviceFault::block_reordered).value_or(0);
    m_requests.push_back(request);
    later(bus, delay_ns, request.id);
}

u64 BlockDevice::duration_of(Request const& request) const {
    BlockLatency const& takes = m_config.latency;
    auto const operation = static_cast<block::Operation>(request.submission.operation);
    u64 const begin = operation == block::Operation::flush   ? takes.flush_ns
                      : operation == block::Operation::write ? takes.write_ns
                                                             : takes.read_ns;
    u64 const count = std::min<u64>(request.submission.count, m_config.sectors_max);
    Random random = draws_of(~m_config.seed, request.id);
    return begin + count * takes.sector_ns + random.below(takes.jitter_ns + 1);
}

void BlockDevice::happened(DeviceBus& bus, u64 id) {
    auto const found = std::ranges::find(m_requests, id, &Request::id);
    CHECK(found != m_requests.end());
    Request const request = *found;
    m_requests.erase(found);
    Random random = draws_of(m_config.seed, request.id);
    u16 const status = perform(bus, request, random);
    ring::Completion const completion{.token = request.submission.token, .status = status};
    if (!bus.fault(DeviceFault::block_lost_completion)) {
        complete(bus, completion);
        if (bus.fault(DeviceFault::block_duplicate_completion) && is_running()) {
            complete(bus, completion);
        }
    }
}

u16 BlockDevice::perform(DeviceBus& bus, Request const& request, Random& random) {
    switch (static_cast<block::Operation>(request.submission.operation)) {
    case block::Operation::read:
        return read(bus, request.submission, random);
    case block::Operation::write:
        return write(bus, request.submission, random);
    case block::Operation::flush:
        return flush(bus);
    case block::Operation::identify:
        return identify(bus, request.submission);
    }
    return ring::status_invalid;
}

bool BlockDevice::is_inside(Submission const& what) const {
    return what.count != 0 && what.count <= m_config.sectors_max &&
           what.target < m_config.sectors && what.count <= m_config.sectors - what.target;
}

/// As many sectors somewhere else.
u64 BlockDevice::other_place(u64 sector, u64 count, u64 draw) const {
    u64 const places = m_config.sectors - count + 1;
    u64 const place = draw % (places - 1);
    return place < sector ? place : place + 1;
}

u16 BlockDevice::read(DeviceBus& bus, Submission const& what, Random& random) {
    ++m_counts.reads;
    if (!is_inside(what)) {
        return ring::status_invalid;
    }
    if (bus.fault(DeviceFault::block_read_error)) {
        return ring::status_medium;
    }
    u64 const one = what.target + random.below(what.count);
    u64 first = what.target;
    u64 const elsewhere = other_place(first, what.count, random.next());
    if (auto const bits = bus.fault(DeviceFault::block_bit_rot)) {
        rot(one, *bits, random);
    }
    if (bus.fault(DeviceFault::block_zeroed)) {
        m_medium.damage(one, SectorBytes(m_config.sector_bytes));
    }
    if (bus.fault(DeviceFault::block_misdirected_read)) {
        first = elsewhere;
    }
    bool const is_stale = bus.fault(DeviceFault::block_stale_read).has_value();
    std::vector<std::byte> bytes;
    for (u64 sector = first; sector < first + what.count; ++sector) {
        SectorBytes const held = is_stale ? read_stale(sector) : read_sector(sector);
        bytes.insert(bytes.end(), held.begin(), held.end());
    }
    return bus.write({what.buffer}, bytes) ? ring::status_done : ring::status_memory;
}

u16 BlockDevice::write(DeviceBus& bus, Submission const& what, Random& random) {
    ++m_counts.writes;
    if (!is_inside(what)) {
        return ring::status_invalid;
    }
    CachedWrite write{.sector = what.target, .draw = random.next()};
    write.bytes.resize(u64{what.count} * m_config.sector_bytes);
    if (!bus.read({what.buffer}, write.bytes)) {
        return ring::status_memory;
    }
    if (bus.fault(DeviceFault::block_write_error)) {
        return ring::status_medium;
    }
    if (bus.fault(DeviceFault::block_lost_write)) {
        write.arrival = Arrival::lost;
    } else if (bus.fault(DeviceFault::block_misdirected_write)) {
        write.arrival = Arrival::misdirected;
    } else if (bus.fault(DeviceFault::block_torn_write)) {
        write.arrival = Arrival::torn;
    }
    if ((what.flags & block::flag_through) != 0) {
        write_through(write);
        return ring::status_done;
    }
    m_cache.push_back(std::move(write));
    while (m_cache.size() > m_config.cached_writes_max) {
        arrive(m_cache.front());
        m_cache.pop_front();
    }
    return ring::status_done;
}

u16 BlockDevice::flush(DeviceBus& bus) {
    ++m_counts.flushes;
    if (bus.fault(DeviceFault::block_flush_ignored)) {
        for (CachedWrite& write : m_cache) {
            write.is_promised = true;
        }
    } else {
        destage_all();
    }
    return ring::status_done;
}

u16 BlockDevice::identify(DeviceBus& bus, Submission const& what) {
    block::Identity identity{
        m_config.sectors, m_config.sector_bytes, m_config.sectors_max, m_config.cached_writes_max};
    constexpr std::string_view name = "Twofold simulated block device";
    static_assert(name.size() < sizeof(identity.name));
    std::ranges::copy(name, identity.name);
    bool const fits = bus.write({what.buffer}, std::as_bytes(std::span(&identity, 1)));
    return fits ? ring::status_done : ring::status_memory;
}

/// The youngest cached write to a sector; null: there is none.
BlockDevice::CachedWrite const* BlockDevice::cached(u64 sector) const {
    for (auto write = m_cache.rbegin(); write != m_cache.rend(); ++write) {
        if (sector - write->sector < write->bytes.size() / m_config.sector_bytes) {
            return &*write;
        }
    }
    return nullptr;
}

SectorBytes BlockDevice::read_sector(u64 sector) const {
    CachedWrite const* const write = cached(sector);
    if (write == nullptr) {
        return m_medium.read(sector);
    }
    u64 const at = (sector - write->sector) * m_config.sector_bytes;
    auto const bytes = std::span(write->bytes).subspan(at, m_config.sector_bytes);
    return SectorBytes(bytes.begin(), bytes.end());
}

SectorBytes BlockDevice::read_stale(u64 sector) const {
    return cached(sector) != nullptr ? m_medium.read(sector) : m_medium.read_previous(sector);
}

/// Flips `bits` bits of a sector that are close together.
void BlockDevice::rot(u64 sector, u64 bits, Random& random) {
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

void BlockDevice::destage_all() {
    for (CachedWrite const& write : m_cache) {
        arrive(write);
    }
    m_cache.clear();
}

/// What is older and concerns the same sectors goes first, so that it cannot come over it later.
void BlockDevice::write_through(CachedWrite const& write) {
    auto const overlaps = [&](CachedWrite const& other) {
        return ranges_overlap(
            write.sector * m_config.sector_bytes, write.bytes.size(),
            other.sector * m_config.sector_bytes, other.bytes.size());
    };
    for (CachedWrite const& other : m_cache) {
        if (overlaps(other)) {
            arrive(other);
        }
    }
    std::erase_if(m_cache, overlaps);
    arrive(write);
}

/// The write reaches the medium, as well as faults let it.
void BlockDevice::arrive(CachedWrite const& write) {
    if (write.arrival == Arrival::torn || write.arrival == Arrival::torn_between_sectors) {
        arrive_torn(write);
        return;
    }
    u64 const count = write.bytes.size() / m_config.sector_bytes;
    u64 const elsewhere = other_place(write.sector, count, write.draw);
    for (u64 i = 0; i < count; ++i) {
        auto const bytes =
            std::span(write.bytes).subspan(i * m_config.sector_bytes, m_config.sector_bytes);
        if (write.arrival == Arrival::whole) {
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
}

/// Its begin, its end or its middle reaches the medium, in pieces of 8 bytes; after a power cut in
/// whole sectors, and what it should hold is that, too.
void BlockDevice::arrive_torn(CachedWrite const& write) {
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

void BlockDevice::cut_power() {
    Random random = draws_of(m_config.seed, static_cast<u32>(~m_counts.power_cuts));
    ++m_counts.power_cuts;
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
}

void BlockDevice::save_own(StateWriter& out) const {
    out.put(m_counts);
    out.put(m_next);
    out.put<u64>(m_requests.size());
    for (Request const& request : m_requests) {
        out.put(request.id);
        out.put(request.submission);
    }
    out.put<u64>(m_cache.size());
    for (CachedWrite const& write : m_cache) {
        out.put(write.sector);
        out.put(write.arrival);
        out.put(write.is_promised);
        out.put(write.draw);
        out.put_bytes(write.bytes);
    }
    m_medium.save(out);
}

void BlockDevice::load_own(StateReader& in) {
    m_counts = in.get<BlockCounts>();
    m_next = in.get<u32>();
    m_requests.resize(in.get<u64>());
    for (Request& request : m_requests) {
        request.id = in.get<u32>();
        request.submission = in.get<Submission>();
    }
    m_cache.resize(in.get<u64>());
    for (CachedWrite& write : m_cache) {
        write.sector = in.get<u64>();
        write.arrival = in.get<Arrival>();
        write.is_promised = in.get<bool>();
        write.draw = in.get<u64>();
        write.bytes = in.get_bytes();
    }
    m_medium.load(in);
}

} // namespace hosted
