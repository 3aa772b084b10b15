// The decoder of allocation traces. See trace_reader.hpp.
#include "apps/allocation/trace_reader.hpp"

#include "apps/allocation/bytes.hpp"

#include <algorithm>
#include <lz4.h>

namespace twofold::allocation {

namespace {

constexpr unsigned varint_last_shift = 63;

u64 number_at(std::span<std::byte const> bytes, usize offset, usize length) {
    u64 number = 0;
    for (usize i = length; i > 0; --i) {
        number = number << 8 | std::to_integer<u64>(bytes[offset + i - 1]);
    }
    return number;
}

TraceCounts counts_of(std::span<std::byte const> header) {
    namespace at = header_offset;
    TraceCounts counts;
    counts.events = number_at(header, at::events, 8);
    counts.allocations = number_at(header, at::allocations, 8);
    counts.releases = number_at(header, at::releases, 8);
    counts.resizes = number_at(header, at::resizes, 8);
    counts.foreign = number_at(header, at::foreign, 8);
    counts.failed = number_at(header, at::failed, 8);
    counts.live_objects_max = number_at(header, at::live_objects_max, 8);
    counts.live_bytes_max = number_at(header, at::live_bytes_max, 8);
    counts.live_bytes_end = number_at(header, at::live_bytes_end, 8);
    counts.threads = static_cast<u32>(number_at(header, at::threads, 4));
    counts.blocks = static_cast<u32>(number_at(header, at::blocks, 4));
    return counts;
}

bool starts_with_magic(std::span<std::byte const> file) {
    for (usize i = 0; i < std::min(file.size(), trace_magic.size()); ++i) {
        if (file[i] != std::byte{trace_magic[i]}) {
            return false;
        }
    }
    return true;
}

} // namespace

Error TraceReader::refuse(Error error, std::string_view what, u64 offset) {
    m_problem = {what, offset};
    m_ended = true;
    return error;
}

Error TraceReader::refuse_event(std::string_view what) {
    return refuse(Error::corrupted, what, m_block_position);
}

Result<void> TraceReader::open() {
    namespace at = header_offset;
    if (!starts_with_magic(m_file)) {
        return refuse(Error::corrupted, "is not an allocation trace", 0);
    }
    if (m_file.size() < header_bytes) {
        return refuse(Error::truncated, "ends inside its header", m_file.size());
    }
    auto const header = m_file.first(header_bytes);
    if (number_at(header, at::version, 2) != trace_version) {
        return refuse(
            Error::not_supported, "has a version that this program does not know", at::version);
    }
    u64 const command_bytes = number_at(header, at::command_bytes, 4);
    if (number_at(header, at::size, 2) != header_bytes || command_bytes > command_bytes_max) {
        return refuse(Error::corrupted, "has a damaged header", at::size);
    }
    if (m_file.size() - header_bytes < command_bytes) {
        return refuse(Error::truncated, "ends inside its command line", m_file.size());
    }
    auto const command = m_file.subspan(header_bytes, command_bytes);
    Crc32 checksum;
    checksum.update(header.first(header_crc_offset));
    checksum.update(command);
    if (checksum.value() != number_at(header, header_crc_offset, 4)) {
        return refuse(Error::corrupted, "has a damaged header", header_crc_offset);
    }
    if (number_at(header, at::flags, 4) != flag_finished) {
        return refuse(
            Error::truncated,
            "was not finished: the recorded program is running or was ended by a signal",
            at::flags);
    }
    u64 const file_bytes = number_at(header, at::file_bytes, 8);
    if (m_file.size() < file_bytes) {
        return refuse(Error::truncated, "is shorter than its header says", m_file.size());
    }
    if (m_file.size() > file_bytes) {
        return refuse(Error::corrupted, "is longer than its header says", file_bytes);
    }
    m_command = text_of_bytes(command);
    m_counts = counts_of(header);
    m_process = static_cast<u32>(number_at(header, at::process, 4));
    m_position = header_bytes + command_bytes;
    m_ended = false;
    return {};
}

Result<bool> TraceReader::next(Event& event) {
    while (!m_ended) {
        if (m_taken == m_events.size()) {
            if (!TRY(load_block())) {
                TRY(check_end());
                m_ended = true;
                return false;
            }
        }
        u8 const code = std::to_integer<u8>(m_events[m_taken++]);
        u8 const small = code >> 3;
        if ((code & 7) >= event_kind_count) {
            return refuse_event("has an event of an unknown kind");
        }
        auto const kind = static_cast<EventKind>(code & 7);
        if (kind == EventKind::thread) {
            TRY(take_thread());
            continue;
        }
        event = {.kind = kind, .thread = m_thread};
        ++m_seen.events;
        m_seen.threads = std::max(m_seen.threads, m_thread + 1);
        if (kind <= EventKind::allocate_aligned) {
            TRY(take_allocation(kind, small, event));
            return true;
        }
        event.object = TRY(take_reference(small));
        if (kind == EventKind::resize) {
            event.size = TRY(take_size(inline_escape));
            ++m_seen.resizes;
        } else {
            ++m_seen.releases;
        }
        return true;
    }
    return m_problem.what.empty() ? Result<bool>(false) : Result<bool>(Error::corrupted);
}

Result<void> TraceReader::take_thread() {
    u64 const thread = TRY(take_varint());
    if (thread >= thread_count_max || thread > m_seen.threads) {
        return refuse_event("names a thread out of order");
    }
    m_thread = static_cast<u32>(thread);
    return {};
}

Result<void> TraceReader::take_allocation(EventKind kind, u8 small, Event& event) {
    if (kind == EventKind::allocate_aligned) {
        if (m_taken == m_events.size()) {
            return refuse_event("has an event that does not end");
        }
        event.alignment_log2 = std::to_integer<u8>(m_events[m_taken++]);
        if (event.alignment_log2 > alignment_log2_max) {
            return refuse_event("asks for an impossible alignment");
        }
    }
    event.size = TRY(take_size(small));
    event.object = m_seen.allocations++;
    m_previous_object = event.object;
    m_previous_size = event.size;
    return {};
}

Result<u64> TraceReader::take_varint() {
    u64 number = 0;
    for (unsigned shift = 0; shift <= varint_last_shift; shift += 7) {
        if (m_taken == m_events.size()) {
            return refuse_event("has an event that does not end");
        }
        u64 const byte = std::to_integer<u64>(m_events[m_taken++]);
        u64 const bits = byte & 0x7F;
        if (shift == varint_last_shift && bits > 1) {
            break;
        }
        number |= bits << shift;
        if (byte == bits) {
            return number;
        }
    }
    return refuse_event("has a number of more than 64 bits");
}

Result<u64> TraceReader::take_size(u8 small) {
    if (small == 0) {
        return m_previous_size;
    }
    u64 const size =
        small < inline_escape ? u64{small} * inline_size_unit_bytes : TRY(take_varint());
    if (size > size_max) {
        return refuse_event("asks for an impossible size");
    }
    return size;
}

Result<u64> TraceReader::take_reference(u8 small) {
    u64 const distance = small < inline_escape ? u64{small} : TRY(take_varint());
    u64 const object = m_previous_object + unzigzag(distance);
    if (object >= m_seen.allocations) {
        return refuse_event("names an object that does not exist");
    }
    m_previous_object = object;
    return object;
}

/// Unpacks the next block; false at the end of the file.
Result<bool> TraceReader::load_block() {
    auto const rest = m_file.subspan(m_position);
    if (rest.empty()) {
        return false;
    }
    if (rest.size() < block_header_bytes) {
        return refuse(Error::truncated, "ends inside a block", m_file.size());
    }
    u64 const raw = number_at(rest, 0, 4);
    u64 const stored = number_at(rest, 4, 4);
    if (raw == 0 || raw > block_bytes_max || stored == 0 || stored > raw) {
        return refuse(Error::corrupted, "has a block of an impossible size", m_position);
    }
    if (rest.size() - block_header_bytes < stored) {
        return refuse(Error::truncated, "ends inside a block", m_file.size());
    }
    auto const payload = rest.subspan(block_header_bytes, stored);
    Crc32 checksum;
    checksum.update(rest.first(8));
    checksum.update(payload);
    if (checksum.value() != number_at(rest, 8, 4)) {
        return refuse(Error::corrupted, "has a damaged block", m_position);
    }
    if (stored == raw) {
        std::ranges::copy(payload, m_block.begin());
    } else {
        int const unpacked = LZ4_decompress_safe(
            characters(payload), characters(std::span<std::byte>(m_block)),
            static_cast<int>(stored), static_cast<int>(m_block.size()));
        if (unpacked < 0 || static_cast<u64>(unpacked) != raw) {
            return refuse(Error::corrupted, "has a block that does not unpack", m_position);
        }
    }
    m_events = std::span<std::byte const>(m_block).first(raw);
    m_taken = 0;
    m_block_position = m_position;
    m_position += block_header_bytes + stored;
    ++m_seen.blocks;
    return true;
}

Result<void> TraceReader::check_end() {
    TraceCounts expected = m_counts;
    TraceCounts seen = m_seen; // the others need a table of objects: schedule.hpp checks them
    seen.foreign = expected.foreign;
    seen.failed = expected.failed;
    seen.live_objects_max = expected.live_objects_max;
    seen.live_bytes_max = expected.live_bytes_max;
    seen.live_bytes_end = expected.live_bytes_end;
    if (seen != expected) {
        return refuse(
            Error::corrupted, "does not hold the events that its header counts", m_position);
    }
    return {};
}

} // namespace twofold::allocation
