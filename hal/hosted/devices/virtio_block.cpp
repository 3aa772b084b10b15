// See virtio_block.hpp.
#include "hal/hosted/devices/virtio_block.hpp"

#include <algorithm>
#include <cstring>

namespace hosted {

using Kind = NvmeOperation::Kind;

namespace {

constexpr u64 header_bytes = sizeof(blk::Request);
constexpr u64 status_bytes = 1;

/// Adds `bytes` of a chain's memory, `skip` bytes behind its begin.
void add_segments(
    std::span<VirtioSegment const> memory,
    u64 skip,
    u64 bytes,
    std::vector<NvmeSegment>& segments) {
    for (VirtioSegment const& each : memory) {
        u64 const skipped = std::min<u64>(skip, each.bytes);
        skip -= skipped;
        u64 const taken = std::min<u64>(each.bytes - skipped, bytes);
        bytes -= taken;
        if (taken != 0) {
            segments.push_back({each.at.value + skipped, taken});
        }
    }
}

/// Where the last byte that the device may write lies; there is one.
DmaAddress last_byte(VirtioChain const& chain) {
    auto const last = std::ranges::find_if(
        chain.writable.rbegin(), chain.writable.rend(),
        [](VirtioSegment const& each) { return each.bytes != 0; });
    CHECK(last != chain.writable.rend());
    return {last->at.value + last->bytes - 1};
}

} // namespace

VirtioKind VirtioBlock::kind_of(NvmeMedium const& medium, VirtioBlockConfig const& config) {
    u64 features = blk::feature_segments_max | blk::feature_block_size | blk::feature_flush |
                   blk::feature_discard | blk::feature_write_zeroes;
    features |= config.queues > 1 ? blk::feature_several_queues : 0;
    features |= medium.is_read_only() ? blk::feature_read_only : 0;
    return {
        .type = blk::device_type,
        .class_and_revision = blk::class_and_revision,
        .features = features,
        .queues = config.queues,
        .config_bytes = sizeof(blk::Config)};
}

VirtioBlock::VirtioBlock(std::shared_ptr<NvmeMedium> medium, VirtioBlockConfig config)
    : VirtioPci(kind_of(*medium, config)),
      m_medium(std::move(medium)),
      m_config(std::move(config)),
      m_known_bytes(m_medium->bytes()) {
    u32 const block = m_medium->block_bytes();
    CHECK(block >= blk::sector_bytes && is_power_of_two(block));
    CHECK(m_config.queues != 0 && m_config.queues <= queues_max);
    m_medium->placed(0);
}

void VirtioBlock::connected(std::function<void()> notice) {
    m_notice = notice;
    m_medium->connected(std::move(notice));
}

void VirtioBlock::add_events(std::vector<int>& events) const {
    if (m_medium->descriptor() >= 0) {
        events.push_back(m_medium->descriptor());
    }
}

void VirtioBlock::due(DeviceBus& bus, u64 tag) {
    m_medium->due(bus, tag);
    reap(bus);
}

/// What is in flight may still be written to the kernel's memory: it ends first.
void VirtioBlock::pulled() {
    m_medium->settle();
    m_medium->forget();
    m_pending.clear();
    m_data.clear();
}

void VirtioBlock::reset_own() {
    pulled();
    m_counts = {};
}

void VirtioBlock::loaded() {
    if (m_notice) {
        m_notice(); // outcomes may wait for their answers
    }
}

void VirtioBlock::archive_own(StateArchive& state) {
    state(m_counts);
    state(m_pending);
    state(m_known_bytes);
    m_data.resize(m_pending.size());
    m_medium->archive(state);
}

void VirtioBlock::fill_config(std::span<std::byte> config) const {
    u32 const block = m_medium->block_bytes();
    blk::Config const shown{
        .capacity = align_down(m_medium->bytes(), block) / blk::sector_bytes,
        .segments_max = m_config.segments_max,
        .block_bytes = block,
        .queues = static_cast<u16>(m_config.queues),
        .discard_sectors_max = m_config.clear_sectors_max,
        .discard_segments_max = 1,
        .discard_alignment = 1,
        .zeroes_sectors_max = m_config.clear_sectors_max,
        .zeroes_segments_max = 1};
    CHECK(config.size() == sizeof(shown));
    std::memcpy(config.data(), &shown, sizeof(shown));
}

void VirtioBlock::notified(DeviceBus& bus, u32 queue) {
    VirtioChain chain;
    while (take(bus, queue, chain)) {
        serve(bus, queue, chain);
    }
    m_medium->start(bus);
    reap(bus);
}

/// Begins one request, or answers it where it needs no medium or is none that could be performed.
void VirtioBlock::serve(DeviceBus& bus, u32 queue, VirtioChain const& chain) {
    Found found{.queue = static_cast<u16>(queue)};
    if (chain.writable_bytes() < status_bytes ||
        !gather(bus, chain, 0, std::as_writable_bytes(std::span(&found.request, 1)))) {
        fail(bus);
        return;
    }
    found.in_bytes = chain.writable_bytes() - status_bytes;
    found.out_bytes = chain.readable_bytes() - header_bytes;
    found.status_at = last_byte(chain);
    ++m_counts.requests;
    if (auto const status = begin(bus, found, chain)) {
        bool const is_told = *status == blk::Status::ok; // of data, what a failure leaves is none
        answer(
            bus,
            {.queue = found.queue,
             .head = chain.head,
             .status_at = found.status_at.value,
             .bytes = is_told ? found.in_bytes : 0},
            *status);
    }
}

/// What is the answer at once; none: the medium has it.
std::optional<blk::Status>
VirtioBlock::begin(DeviceBus& bus, Found const& found, VirtioChain const& chain) {
    if (found.in_bytes > transfer_bytes_max || found.out_bytes > transfer_bytes_max) {
        return blk::Status::failed;
    }
    switch (static_cast<blk::Command>(found.request.command)) {
    case blk::Command::in:
    case blk::Command::out:
        return transfer(bus, found, chain);
    case blk::Command::flush:
        return submit(bus, found, chain, 0, {.kind = Kind::flush}, {});
    case blk::Command::get_id:
        return tell_id(bus, found, chain);
    case blk::Command::discard:
    case blk::Command::write_zeroes:
        return clear(bus, found, chain);
    }
    return blk::Status::unsupported;
}

bool VirtioBlock::is_inside(u64 sector, u64 bytes) const {
    u64 const sectors = m_medium->bytes() / blk::sector_bytes;
    u32 const block = m_medium->block_bytes();
    return sector < sectors && bytes / blk::sector_bytes <= sectors - sector &&
           is_aligned(bytes, block) && bytes != 0 && is_aligned(sector * blk::sector_bytes, block);
}

std::optional<blk::Status>
VirtioBlock::transfer(DeviceBus& bus, Found const& found, VirtioChain const& chain) {
    bool const is_read = static_cast<blk::Command>(found.request.command) == blk::Command::in;
    u64 const bytes = is_read ? found.in_bytes : found.out_bytes;
    if (!is_inside(found.request.sector, bytes) || (!is_read && m_medium->is_read_only())) {
        return blk::Status::failed;
    }
    NvmeData data;
    add_segments(
        is_read ? chain.writable : chain.readable, is_read ? 0 : header_bytes, bytes,
        data.segments);
    auto const direction = is_read ? hal::DmaDirection::from_device : hal::DmaDirection::to_device;
    if (!reach_data(bus, direction, page_size.value, data)) {
        fail(bus); // addresses that are none, as in queues
        return blk::Status::failed;
    }
    NvmeOperation const operation{
        .kind = is_read ? Kind::read : Kind::write,
        .offset = found.request.sector * blk::sector_bytes,
        .bytes = bytes};
    return submit(bus, found, chain, is_read ? bytes : 0, operation, std::move(data));
}

std::optional<blk::Status>
VirtioBlock::clear(DeviceBus& bus, Found const& found, VirtioChain const& chain) {
    blk::Range range;
    if (found.out_bytes != sizeof(range) ||
        !gather(bus, chain, header_bytes, std::as_writable_bytes(std::span(&range, 1)))) {
        return blk::Status::failed;
    }
    u64 const bytes = u64{range.sectors} * blk::sector_bytes;
    if (range.sectors > m_config.clear_sectors_max || m_medium->is_read_only() ||
        !is_inside(range.sector, bytes)) {
        return blk::Status::failed;
    }
    bool const is_discard =
        static_cast<blk::Command>(found.request.command) == blk::Command::discard;
    NvmeOperation const operation{
        .kind = is_discard ? Kind::deallocate : Kind::write_zeroes,
        .offset = range.sector * blk::sector_bytes,
        .bytes = bytes};
    return submit(bus, found, chain, 0, operation, {});
}

blk::Status VirtioBlock::tell_id(DeviceBus& bus, Found const& found, VirtioChain const& chain) {
    if (found.in_bytes < blk::id_bytes) {
        return blk::Status::failed;
    }
    std::vector<std::byte> told(found.in_bytes);
    std::memcpy(told.data(), m_config.id.data(), std::min<u64>(m_config.id.size(), blk::id_bytes));
    return scatter(bus, chain, told) ? blk::Status::ok : blk::Status::failed;
}

/// Gives the medium an operation, whose end answers the request.
std::optional<blk::Status> VirtioBlock::submit(
    DeviceBus& bus,
    Found const& found,
    VirtioChain const& chain,
    u64 written_bytes,
    NvmeOperation operation,
    NvmeData data) {
    auto const free = std::ranges::find(m_pending, u32{0}, &Pending::is_used);
    auto const tag = static_cast<u32>(free - m_pending.begin());
    if (tag == m_pending.size()) {
        m_pending.emplace_back();
        m_data.emplace_back();
    }
    m_pending[tag] = {
        .queue = found.queue,
        .head = chain.head,
        .is_used = 1,
        .status_at = found.status_at.value,
        .bytes = written_bytes};
    m_data[tag] = std::move(data);
    operation.tag = tag;
    operation.segments = m_data[tag].segments;
    operation.pieces = m_data[tag].pieces;
    m_medium->submit(bus, operation);
    return std::nullopt;
}

void VirtioBlock::answer(DeviceBus& bus, Pending const& what, blk::Status status) {
    m_counts.failed += status == blk::Status::ok ? 0 : 1;
    auto const byte = static_cast<std::byte>(status);
    if (!bus.write({what.status_at}, {&byte, 1})) {
        fail(bus);
        return;
    }
    VirtioChain const chain{.head = what.head};
    give_back(bus, what.queue, chain, what.bytes + status_bytes);
}

void VirtioBlock::reap(DeviceBus& bus) {
    do {
        m_outcomes.clear();
        m_medium->reap(bus, m_outcomes);
        for (NvmeOutcome const& outcome : m_outcomes) {
            CHECK(outcome.tag < m_pending.size() && m_pending[outcome.tag].is_used != 0);
            Pending const ended = m_pending[outcome.tag];
            m_pending[outcome.tag] = {};
            answer(bus, ended, outcome.status == 0 ? blk::Status::ok : blk::Status::failed);
        }
    } while (!m_outcomes.empty());
    if (m_known_bytes != m_medium->bytes()) {
        m_known_bytes = m_medium->bytes();
        change_config(bus);
    }
}

} // namespace hosted
