// I/O commands of the NVMe controller. See nvme_controller.hpp.
#include "hal/hosted/devices/nvme/nvme_controller.hpp"

#include <algorithm>
#include <array>

namespace hosted {

namespace status = nvme::status;
using nvme::Command;
using nvme::do_not_retry;
using nvme::Opcode;
using Kind = NvmeOperation::Kind;

namespace {

struct Blocks {
    u64 first = 0;
    u64 count = 0;
};

Blocks blocks_of(Command const& command) {
    return {u64{command.word11} << 32 | command.word10, (command.word12 & 0xffff) + u64{1}};
}

bool is_inside(Blocks const& what, u64 all) {
    return what.first <= all && what.count <= all - what.first;
}

} // namespace

u16 NvmeController::check_namespace(u32 space) const {
    if (!is_valid_space(space)) {
        return status::invalid_namespace | do_not_retry;
    }
    return has_namespace(space) ? u16{0} : static_cast<u16>(status::invalid_field | do_not_retry);
}

u16 NvmeController::perform_io(DeviceBus& bus, u32 tag) {
    Command const& command = m_requests[tag].command;
    constexpr u8 fused_bits = 0x03;
    auto const opcode = static_cast<Opcode>(command.opcode);
    bool const is_for_all = opcode == Opcode::flush && command.space == nvme::all_namespaces;
    if (u16 const failed = is_for_all ? u16{0} : check_namespace(command.space); failed != 0) {
        return failed;
    }
    if (opcode != Opcode::flush && (command.flags & fused_bits) != 0) {
        return status::invalid_field;
    }
    switch (opcode) {
    case Opcode::flush:
        return flush(bus, tag);
    case Opcode::read:
        return transfer(bus, tag, Kind::read);
    case Opcode::write:
        return transfer(bus, tag, Kind::write);
    case Opcode::write_zeroes:
        return write_zeroes(bus, tag);
    case Opcode::dataset_management:
        return manage_data(bus, tag);
    }
    return status::invalid_opcode | do_not_retry;
}

u16 NvmeController::transfer(DeviceBus& bus, u32 tag, Kind kind) {
    Request& request = m_requests[tag];
    auto const number = static_cast<u16>(request.command.space - 1);
    NvmeMedium const& on = medium(number);
    Blocks const what = blocks_of(request.command);
    u64 const bytes = what.count * on.block_bytes();
    if (bytes > transfer_bytes_max()) {
        return status::invalid_field | do_not_retry;
    }
    if (!is_inside(what, blocks(number))) {
        return status::lba_out_of_range | do_not_retry;
    }
    if (kind == Kind::write && on.is_read_only()) {
        return status::namespace_write_protected | do_not_retry;
    }
    NvmeData& data = m_data[tag];
    if (u16 const failed = find_data(bus, request.command, bytes, page_bytes(), data);
        failed != 0) {
        return failed | do_not_retry;
    }
    auto const direction =
        kind == Kind::read ? hal::DmaDirection::from_device : hal::DmaDirection::to_device;
    if (!reach_data(bus, direction, page_bytes(), data)) {
        return status::data_transfer_error | do_not_retry;
    }
    bool const is_through =
        (request.command.word12 & nvme::force_unit_access) != 0 || m_features.has_cache == 0;
    m_counts.pieces += data.pieces.size();
    request.bytes = bytes;
    submit(
        bus, tag, number,
        {.kind = kind,
         .is_through = kind == Kind::write && is_through,
         .offset = what.first * on.block_bytes(),
         .bytes = bytes,
         .segments = data.segments,
         .pieces = data.pieces});
    return pending;
}

u16 NvmeController::write_zeroes(DeviceBus& bus, u32 tag) {
    Command const& command = m_requests[tag].command;
    auto const number = static_cast<u16>(command.space - 1);
    NvmeMedium const& on = medium(number);
    Blocks const what = blocks_of(command);
    if (!is_inside(what, blocks(number))) {
        return status::lba_out_of_range | do_not_retry;
    }
    if (on.is_read_only()) {
        return status::namespace_write_protected | do_not_retry;
    }
    bool const is_through =
        (command.word12 & nvme::force_unit_access) != 0 || m_features.has_cache == 0;
    submit(
        bus, tag, number,
        {.kind = Kind::write_zeroes,
         .is_through = is_through,
         .offset = what.first * on.block_bytes(),
         .bytes = what.count * on.block_bytes()});
    return pending;
}

u16 NvmeController::flush(DeviceBus& bus, u32 tag) {
    u32 const space = m_requests[tag].command.space;
    for (u16 number = 0; number < m_medium_parts.size(); ++number) {
        if (space == nvme::all_namespaces || number == space - 1) {
            submit(bus, tag, number, {.kind = Kind::flush});
        }
    }
    return pending;
}

/// Deallocation is advice: ranges that are none are left out.
u16 NvmeController::manage_data(DeviceBus& bus, u32 tag) {
    Command const command = m_requests[tag].command;
    auto const number = static_cast<u16>(command.space - 1);
    NvmeMedium const& on = medium(number);
    if ((command.word11 & nvme::deallocate_attribute) == 0) {
        return status::success;
    }
    std::array<nvme::Range, nvme::ranges_max> ranges;
    auto const asked = std::span(ranges).first((command.word10 & 0xff) + 1);
    NvmeData where;
    u16 const failed = find_data(bus, command, asked.size_bytes(), page_bytes(), where);
    if (failed != 0) {
        return failed;
    }
    std::span<std::byte> left = std::as_writable_bytes(asked);
    if (!reach_data(bus, hal::DmaDirection::to_device, page_bytes(), where)) {
        return status::data_transfer_error;
    }
    for (iovec const& piece : where.pieces) {
        std::memcpy(left.data(), piece.iov_base, piece.iov_len);
        left = left.subspan(piece.iov_len);
    }
    if (on.is_read_only()) {
        return status::namespace_write_protected | do_not_retry;
    }
    for (nvme::Range const& range : asked) {
        Blocks const what{range.first, range.blocks};
        if (what.count != 0 && is_inside(what, blocks(number))) {
            submit(
                bus, tag, number,
                {.kind = Kind::deallocate,
                 .offset = what.first * on.block_bytes(),
                 .bytes = what.count * on.block_bytes()});
        }
    }
    return m_requests[tag].parts == 0 ? status::success : pending;
}

void NvmeController::submit(DeviceBus& bus, u32 tag, u16 number, NvmeOperation operation) {
    Request& request = m_requests[tag];
    request.medium = request.parts == 0 ? number : nowhere;
    ++request.parts;
    ++m_medium_parts[number];
    operation.tag = tag;
    medium(number).submit(bus, operation);
}

/// A command whose operations have all ended.
void NvmeController::count(u16 number, Request const& request) {
    if (request.submission_queue == 0) {
        return;
    }
    Totals& totals = m_totals[number];
    bool const is_media_error =
        request.status == status::unrecovered_read || request.status == status::write_fault;
    totals.media_errors += is_media_error ? 1 : 0;
    if (request.status != 0) {
        return;
    }
    switch (static_cast<Opcode>(request.command.opcode)) {
    case Opcode::read:
        ++totals.reads;
        totals.bytes_read += request.bytes;
        break;
    case Opcode::write:
        ++totals.writes;
        totals.bytes_written += request.bytes;
        break;
    default:
        break;
    }
}

/// Tells the kernel of media that have another size than before.
void NvmeController::note_sizes(DeviceBus& bus) {
    for (u16 number = 0; number < m_totals.size(); ++number) {
        Totals& totals = m_totals[number];
        u64 const bytes = medium(number).bytes();
        if (totals.known_bytes == bytes) {
            continue;
        }
        totals.known_bytes = bytes;
        u32 const space = number + u32{1};
        if (std::ranges::find(m_changed, space) == m_changed.end()) {
            m_changed.push_back(space);
        }
        if (is_running() && (m_features.events & nvme::wants_namespace_notices) != 0) {
            add_event(
                bus, {static_cast<u8>(nvme::EventType::notice), nvme::notice_namespaces_changed,
                      static_cast<u8>(nvme::LogPage::changed_namespaces)});
        }
    }
}

} // namespace hosted
