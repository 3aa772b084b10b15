// See simulated_medium.hpp.
#include "hal/hosted/sim/devices/simulated_medium.hpp"

#include "core/device/nvme/layout.hpp"

#include <algorithm>

namespace hosted {

namespace {

namespace status = nvme::status;
using Kind = NvmeOperation::Kind;

} // namespace

SimulatedMedium::SimulatedMedium(SimulatedMediumConfig const& config)
    : m_config(config),
      m_cached(
          {.sectors = config.blocks,
           .sector_bytes = config.block_bytes,
           .cached_writes_max = config.cached_writes_max,
           .seed = config.seed,
           .power_cut = config.power_cut}),
      m_blocks(config.blocks) {}

void SimulatedMedium::submit(DeviceBus& bus, NvmeOperation const& operation) {
    u32 const id = m_next++;
    u64 delay_ns = duration_of(operation, id);
    delay_ns += bus.fault(DeviceFault::nvme_late).value_or(0);
    delay_ns += bus.fault(DeviceFault::nvme_reordered).value_or(0);
    if (auto const factor = bus.fault(DeviceFault::nvme_shrunk)) {
        shrink(*factor);
    }
    Pending pending{.id = id, .operation = operation};
    pending.segments.assign(operation.segments.begin(), operation.segments.end());
    pending.operation.segments = {};
    pending.operation.pieces = {};
    m_pending.push_back(std::move(pending));
    bus.call_later(delay_ns, u64{m_number} << 48 | id);
}

u64 SimulatedMedium::duration_of(NvmeOperation const& operation, u32 id) const {
    MediumLatency const& takes = m_config.latency;
    u64 const begin = operation.kind == Kind::flush  ? takes.flush_ns
                      : operation.kind == Kind::read ? takes.read_ns
                                                     : takes.write_ns;
    bool const has_data = operation.kind == Kind::read || operation.kind == Kind::write;
    u64 const blocks = has_data ? operation.bytes / m_config.block_bytes : 0;
    Random random = CachedMedium::draws_of(~m_config.seed, id);
    return begin + blocks * takes.block_ns + random.below(takes.jitter_ns + 1);
}

/// What lies behind its new end is out of reach.
void SimulatedMedium::shrink(u64 factor) {
    constexpr u64 least = 2;
    m_blocks = std::max(m_blocks / std::max<u64>(factor, 1), least);
}

void SimulatedMedium::due(DeviceBus& bus, u64 id) {
    auto const found = std::ranges::find(m_pending, id, &Pending::id);
    if (found == m_pending.end()) {
        return; // it was given up
    }
    Pending const what = std::move(*found);
    m_pending.erase(found);
    Random random = CachedMedium::draws_of(m_config.seed, what.id);
    m_done.push_back({.tag = what.operation.tag, .status = perform(bus, what, random)});
}

u16 SimulatedMedium::perform(DeviceBus& bus, Pending const& what, Random& random) {
    NvmeOperation const& operation = what.operation;
    if (operation.offset + operation.bytes > bytes()) {
        return status::lba_out_of_range | nvme::do_not_retry; // it has shrunk meanwhile
    }
    switch (operation.kind) {
    case Kind::read:
        return read(bus, what, random);
    case Kind::flush:
        ++m_counts.flushes;
        m_cached.flush(bus);
        return status::success;
    case Kind::write:
    case Kind::write_zeroes:
    case Kind::deallocate:
        break;
    }
    return write(bus, what, random);
}

u16 SimulatedMedium::read(DeviceBus& bus, Pending const& what, Random& random) {
    u64 const block = m_config.block_bytes;
    std::vector<std::byte> bytes;
    ++m_counts.reads;
    if (!m_cached.read(
            bus, what.operation.offset / block, what.operation.bytes / block, random, bytes)) {
        return status::unrecovered_read;
    }
    std::span<std::byte const> left = bytes;
    if (bus.fault(DeviceFault::nvme_short_transfer)) {
        left = left.first(left.size() / 2);
    }
    for (NvmeSegment const& segment : what.segments) {
        u64 const here = std::min<u64>(segment.bytes, left.size());
        if (!bus.write({segment.at}, left.first(here))) {
            return status::data_transfer_error;
        }
        left = left.subspan(here);
    }
    return status::success;
}

/// Zeros are written where there is no data.
u16 SimulatedMedium::write(DeviceBus& bus, Pending const& what, Random& random) {
    std::vector<std::byte> bytes(what.operation.bytes);
    std::span<std::byte> left = bytes;
    ++m_counts.writes;
    for (NvmeSegment const& segment : what.segments) {
        if (!bus.read({segment.at}, left.first(segment.bytes))) {
            return status::data_transfer_error;
        }
        left = left.subspan(segment.bytes);
    }
    bool const is_done = m_cached.write(
        bus, what.operation.offset / m_config.block_bytes, std::move(bytes),
        what.operation.is_through, random);
    return is_done ? status::success : status::write_fault;
}

void SimulatedMedium::reap(DeviceBus&, std::vector<NvmeOutcome>& outcomes) {
    outcomes.insert(outcomes.end(), m_done.begin(), m_done.end());
    m_done.clear();
}

bool SimulatedMedium::withdraw(u32 tag) {
    return std::erase_if(
               m_pending, [&](Pending const& each) { return each.operation.tag == tag; }) != 0;
}

bool SimulatedMedium::withdraw_all() {
    m_pending.clear();
    m_done.clear();
    return true;
}

void SimulatedMedium::cut_power() {
    withdraw_all();
    m_cached.cut_power(m_counts.power_cuts++);
}

void SimulatedMedium::faults_are_over() {
    m_cached.lift_faults();
    m_blocks = m_config.blocks;
}

void SimulatedMedium::archive(StateArchive& state) {
    state(m_blocks);
    state(m_next);
    state(m_counts);
    state(m_pending);
    state(m_done);
    std::vector<std::byte> content;
    if (!state.is_reading()) {
        StateWriter out;
        m_cached.save(out);
        content = out.take();
    }
    state(content);
    if (state.is_reading() && !state.has_failed()) {
        StateReader in(content);
        m_cached.load(in);
    }
}

} // namespace hosted
