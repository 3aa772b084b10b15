// See virtio_block.hpp.
#include "hal/hosted/devices/virtio_block.hpp"

#include <algorithm>
#include <cstring>

namespace hosted {

namespace {

constexpr u64 block_header_bytes = sizeof(blk::Request);

} // namespace

VirtioKind VirtioBlock::kind_of(DiskMedium const& medium, VirtioBlockConfig const& config) {
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

VirtioBlock::VirtioBlock(DiskMedium& medium, VirtioBlockConfig config)
    : VirtioPci(kind_of(medium, config)), m_medium(medium), m_config(std::move(config)) {
    CHECK(m_config.block_bytes >= blk::sector_bytes && is_power_of_two(m_config.block_bytes));
    CHECK(m_config.queues != 0 && m_config.queues <= queues_max);
}

void VirtioBlock::fill_config(std::span<std::byte> config) const {
    blk::Config const shown{
        .capacity = align_down(m_medium.size_bytes(), m_config.block_bytes) / blk::sector_bytes,
        .segments_max = m_config.segments_max,
        .block_bytes = m_config.block_bytes,
        .queues = static_cast<u16>(m_config.queues),
        .discard_sectors_max = m_config.clear_sectors_max,
        .discard_segments_max = 1,
        .discard_alignment = 1,
        .zeroes_sectors_max = m_config.clear_sectors_max,
        .zeroes_segments_max = 1};
    CHECK(config.size() == sizeof(shown));
    std::memcpy(config.data(), &shown, sizeof(shown));
}

void VirtioBlock::archive_own(StateArchive& state) {
    state(m_counts);
}

void VirtioBlock::notified(DeviceBus& bus, u32 queue) {
    VirtioChain chain;
    while (take(bus, queue, chain)) {
        serve(bus, queue, chain);
    }
}

/// Does one request and answers it: what was read, and the status as the last byte.
void VirtioBlock::serve(DeviceBus& bus, u32 queue, VirtioChain const& chain) {
    blk::Request request;
    if (chain.writable_bytes() == 0 ||
        !gather(bus, chain, 0, std::as_writable_bytes(std::span(&request, 1)))) {
        fail(bus);
        return;
    }
    ++m_counts.requests;
    std::vector<std::byte> answer;
    blk::Status const status = perform(bus, request, chain, answer);
    m_counts.failed += status == blk::Status::ok ? 0 : 1;
    if (status != blk::Status::ok) {
        answer.clear();
    }
    answer.resize(chain.writable_bytes());
    answer.back() = static_cast<std::byte>(status);
    if (scatter(bus, chain, answer)) {
        give_back(bus, queue, chain, answer.size());
    }
}

bool VirtioBlock::is_inside(u64 sector, u64 bytes) const {
    u64 const sectors = m_medium.size_bytes() / blk::sector_bytes;
    return sector < sectors && bytes / blk::sector_bytes <= sectors - sector &&
           is_aligned(bytes, m_config.block_bytes) && bytes != 0 &&
           is_aligned(sector * blk::sector_bytes, m_config.block_bytes);
}

blk::Status VirtioBlock::perform(
    DeviceBus& bus,
    blk::Request const& request,
    VirtioChain const& chain,
    std::vector<std::byte>& answer) {
    u64 const offset = request.sector * blk::sector_bytes;
    u64 const in = chain.writable_bytes() - 1;
    u64 const out = chain.readable_bytes() - block_header_bytes;
    if (in > transfer_bytes_max || out > transfer_bytes_max) {
        return blk::Status::failed;
    }
    switch (static_cast<blk::Command>(request.command)) {
    case blk::Command::in:
        answer.resize(in);
        return is_inside(request.sector, in) && m_medium.read(offset, answer) ? blk::Status::ok
                                                                              : blk::Status::failed;
    case blk::Command::out: {
        std::vector<std::byte> data(out);
        bool const is_well = is_inside(request.sector, out) && !m_medium.is_read_only() &&
                             gather(bus, chain, block_header_bytes, data) &&
                             m_medium.write(offset, data);
        return is_well ? blk::Status::ok : blk::Status::failed;
    }
    case blk::Command::flush:
        return m_medium.flush() ? blk::Status::ok : blk::Status::failed;
    case blk::Command::get_id:
        answer.resize(std::max(in, blk::id_bytes));
        std::memcpy(
            answer.data(), m_config.id.data(), std::min<u64>(m_config.id.size(), blk::id_bytes));
        return in >= blk::id_bytes ? blk::Status::ok : blk::Status::failed;
    case blk::Command::discard:
    case blk::Command::write_zeroes:
        return clear(bus, chain);
    }
    return blk::Status::unsupported;
}

blk::Status VirtioBlock::clear(DeviceBus& bus, VirtioChain const& chain) {
    blk::Range range;
    if (chain.readable_bytes() != block_header_bytes + sizeof(range) ||
        !gather(bus, chain, block_header_bytes, std::as_writable_bytes(std::span(&range, 1)))) {
        return blk::Status::failed;
    }
    u64 const bytes = u64{range.sectors} * blk::sector_bytes;
    bool const is_well = range.sectors <= m_config.clear_sectors_max && !m_medium.is_read_only() &&
                         is_inside(range.sector, bytes) &&
                         m_medium.clear(range.sector * blk::sector_bytes, bytes);
    return is_well ? blk::Status::ok : blk::Status::failed;
}

} // namespace hosted
