// See block_device.hpp.
#include "hal/hosted/sim/devices/block_device.hpp"

#include <algorithm>

namespace hosted {

using ring::Submission;

namespace {

constexpr DataFaults faults{
    .torn_write = DeviceFault::block_torn_write,
    .lost_write = DeviceFault::block_lost_write,
    .misdirected_write = DeviceFault::block_misdirected_write,
    .misdirected_read = DeviceFault::block_misdirected_read,
    .stale_read = DeviceFault::block_stale_read,
    .bit_rot = DeviceFault::block_bit_rot,
    .zeroed = DeviceFault::block_zeroed,
    .read_error = DeviceFault::block_read_error,
    .write_error = DeviceFault::block_write_error,
    .flush_ignored = DeviceFault::block_flush_ignored};

} // namespace

BlockDevice::BlockDevice(BlockConfig const& config)
    : RingDevice(block::signature),
      m_config(config),
      m_cached(
          {.sectors = config.sectors,
           .sector_bytes = config.sector_bytes,
           .cached_writes_max = config.cached_writes_max,
           .seed = config.seed,
           .power_cut = config.power_cut,
           .faults = faults}) {
    CHECK(config.sector_bytes == 512 || config.sector_bytes == 4096);
    CHECK(config.sectors_max != 0 && config.sectors >= 2);
    // A request leaves room for another place, to which it can be misdirected.
    m_config.sectors_max = static_cast<u32>(std::min<u64>(config.sectors_max, config.sectors - 1));
}

PciIdentity BlockDevice::identity() const {
    return {.device = block::device_id, .class_and_revision = block::class_and_revision};
}

void BlockDevice::start_up(std::span<std::byte> registers) {
    m_cached.cut_power(m_counts.power_cuts++);
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
    Random random = CachedMedium::draws_of(~m_config.seed, request.id);
    return begin + count * takes.sector_ns + random.below(takes.jitter_ns + 1);
}

void BlockDevice::happened(DeviceBus& bus, u64 id) {
    auto const found = std::ranges::find(m_requests, id, &Request::id);
    CHECK(found != m_requests.end());
    Request const request = *found;
    m_requests.erase(found);
    Random random = CachedMedium::draws_of(m_config.seed, request.id);
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

u16 BlockDevice::read(DeviceBus& bus, Submission const& what, Random& random) {
    ++m_counts.reads;
    if (!is_inside(what)) {
        return ring::status_invalid;
    }
    std::vector<std::byte> bytes;
    if (!m_cached.read(bus, what.target, what.count, random, bytes)) {
        return ring::status_medium;
    }
    return bus.write({what.buffer}, bytes) ? ring::status_done : ring::status_memory;
}

u16 BlockDevice::write(DeviceBus& bus, Submission const& what, Random& random) {
    ++m_counts.writes;
    if (!is_inside(what)) {
        return ring::status_invalid;
    }
    std::vector<std::byte> bytes(u64{what.count} * m_config.sector_bytes);
    if (!bus.read({what.buffer}, bytes)) {
        return ring::status_memory;
    }
    bool const is_through = (what.flags & block::flag_through) != 0;
    bool const is_done = m_cached.write(bus, what.target, std::move(bytes), is_through, random);
    return is_done ? ring::status_done : ring::status_medium;
}

u16 BlockDevice::flush(DeviceBus& bus) {
    ++m_counts.flushes;
    m_cached.flush(bus);
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

void BlockDevice::save_own(StateWriter& out) const {
    out.put(m_counts);
    out.put(m_next);
    out.put<u64>(m_requests.size());
    for (Request const& request : m_requests) {
        out.put(request.id);
        out.put(request.submission);
    }
    m_cached.save(out);
}

void BlockDevice::load_own(StateReader& in) {
    m_counts = in.get<BlockCounts>();
    m_next = in.get<u32>();
    m_requests.resize(in.get<u64>());
    for (Request& request : m_requests) {
        request.id = in.get<u32>();
        request.submission = in.get<Submission>();
    }
    m_cached.load(in);
}

} // namespace hosted
