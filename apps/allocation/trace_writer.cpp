// The encoder of allocation traces. See trace_writer.hpp.
#include "apps/allocation/trace_writer.hpp"

#include "apps/allocation/bytes.hpp"

#include <algorithm>

namespace twofold::allocation {

namespace {

constexpr int compression_level = LZ4HC_CLEVEL_DEFAULT;
constexpr u8 varint_more = 0x80;

/// The longest part of `command` that fits and ends with an argument's zero.
std::span<std::byte const> whole_arguments(std::span<std::byte const> command) {
    auto kept = command.first(std::min(command.size(), command_bytes_max));
    while (!kept.empty() && kept.back() != std::byte{0}) {
        kept = kept.first(kept.size() - 1);
    }
    return kept;
}

} // namespace

Result<void>
TraceWriter::start(TraceOutput output, std::span<std::byte const> command, u32 process) {
    auto const kept = whole_arguments(command);
    m_output = output;
    m_counts = {};
    m_previous_object = 0;
    m_previous_size = 0;
    m_live_objects = 0;
    m_live_bytes = 0;
    m_thread = 0;
    m_written_thread = 0;
    m_process = process;
    m_block_used = 0;
    m_finished = false;
    m_command_bytes = kept.size();
    std::ranges::copy(kept, m_command.begin());
    m_file_bytes = header_bytes + kept.size();
    m_failed = !m_output.write_at(m_output.context, header_bytes, kept) || !write_header(0);
    return m_failed ? Result<void>(Error::io_failed) : Result<void>();
}

void TraceWriter::set_thread(u32 thread) {
    CHECK(thread < thread_count_max);
    m_thread = thread;
}

u64 TraceWriter::allocate(EventKind kind, u64 size, u8 alignment_log2) {
    CHECK(kind <= EventKind::allocate_aligned);
    CHECK(alignment_log2 <= alignment_log2_max);
    begin_event();
    bool const in_units = size % inline_size_unit_bytes == 0 && size != 0 &&
                          size / inline_size_unit_bytes < inline_escape;
    bool const as_before = size == m_previous_size;
    bool const in_code = as_before || in_units;
    put_code(kind, as_before ? 0 : in_units ? size / inline_size_unit_bytes : inline_escape);
    if (kind == EventKind::allocate_aligned) {
        put(alignment_log2);
    }
    if (!in_code) {
        put_varint(size);
    }
    m_previous_size = size;
    u64 const object = m_counts.allocations++;
    m_previous_object = object;
    ++m_live_objects;
    m_live_bytes += size;
    m_counts.live_objects_max = std::max(m_counts.live_objects_max, m_live_objects);
    m_counts.live_bytes_max = std::max(m_counts.live_bytes_max, m_live_bytes);
    return object;
}

void TraceWriter::resize(u64 object, u64 old_size, u64 size) {
    CHECK(object < m_counts.allocations);
    CHECK(old_size <= m_live_bytes);
    begin_event();
    put_reference(EventKind::resize, object);
    put_varint(size);
    ++m_counts.resizes;
    m_live_bytes = m_live_bytes - old_size + size;
    m_counts.live_bytes_max = std::max(m_counts.live_bytes_max, m_live_bytes);
}

void TraceWriter::release(u64 object, u64 size) {
    CHECK(object < m_counts.allocations);
    CHECK(m_live_objects > 0 && size <= m_live_bytes);
    begin_event();
    put_reference(EventKind::release, object);
    ++m_counts.releases;
    --m_live_objects;
    m_live_bytes -= size;
}

Result<void> TraceWriter::finish() {
    flush_block();
    if (!write_header(flag_finished)) {
        m_failed = true;
    }
    m_finished = true;
    return m_failed ? Result<void>(Error::io_failed) : Result<void>();
}

void TraceWriter::put(u8 byte) {
    CHECK(m_block_used < block_bytes_max);
    m_block[m_block_used++] = std::byte{byte};
}

void TraceWriter::put_varint(u64 number) {
    while (number >= varint_more) {
        put(static_cast<u8>(number | varint_more));
        number >>= 7;
    }
    put(static_cast<u8>(number));
}

void TraceWriter::put_code(EventKind kind, u64 small) {
    CHECK(small <= inline_escape);
    put(static_cast<u8>(small << 3 | static_cast<u8>(kind)));
}

void TraceWriter::put_reference(EventKind kind, u64 object) {
    u64 const distance = zigzag(object - m_previous_object);
    if (distance < inline_escape) {
        put_code(kind, distance);
    } else {
        put_code(kind, inline_escape);
        put_varint(distance);
    }
    m_previous_object = object;
}

/// Makes room for the longest event, and names the thread where it has changed.
void TraceWriter::begin_event() {
    constexpr usize thread_event_bytes = 4;
    if (block_bytes_max - m_block_used < event_bytes_max + thread_event_bytes) {
        flush_block();
    }
    if (m_thread != m_written_thread) {
        put_code(EventKind::thread, 0);
        put_varint(m_thread);
        m_written_thread = m_thread;
    }
    m_counts.threads = std::max(m_counts.threads, m_thread + 1);
    ++m_counts.events;
}

void TraceWriter::flush_block() {
    if (m_block_used == 0) {
        return;
    }
    if (m_finished) { // the header in the file no longer tells the truth
        m_finished = false;
        m_failed |= !write_header(0);
    }
    auto const events = std::span<std::byte const>(m_block).first(m_block_used);
    auto const room = std::span(m_packed).subspan(block_header_bytes);
    int const packed = LZ4_compress_HC_extStateHC(
        &m_state, characters(events), characters(room), static_cast<int>(events.size()),
        static_cast<int>(room.size()), compression_level);
    CHECK(packed > 0); // the room is LZ4's own bound
    usize stored = static_cast<usize>(packed);
    if (stored >= events.size()) {
        std::ranges::copy(events, room.begin());
        stored = events.size();
    }
    auto const block = std::span(m_packed).first(block_header_bytes + stored);
    store_number(block, static_cast<u32>(events.size()));
    store_number(block.subspan(4), static_cast<u32>(stored));
    Crc32 checksum;
    checksum.update(block.first(8));
    checksum.update(block.subspan(block_header_bytes));
    store_number(block.subspan(8), checksum.value());
    m_failed |= !m_output.write_at(m_output.context, m_file_bytes, block);
    m_file_bytes += block.size();
    ++m_counts.blocks;
    m_block_used = 0;
}

bool TraceWriter::write_header(u32 flags) {
    std::array<std::byte, header_bytes> header{};
    auto const put_at = [&](usize offset, auto number) {
        store_number(std::span(header).subspan(offset), number);
    };
    for (usize i = 0; i < trace_magic.size(); ++i) {
        header[i] = std::byte{trace_magic[i]};
    }
    put_at(header_offset::version, trace_version);
    put_at(header_offset::size, static_cast<u16>(header_bytes));
    put_at(header_offset::flags, flags);
    put_at(header_offset::events, m_counts.events);
    put_at(header_offset::allocations, m_counts.allocations);
    put_at(header_offset::releases, m_counts.releases);
    put_at(header_offset::resizes, m_counts.resizes);
    put_at(header_offset::foreign, m_counts.foreign);
    put_at(header_offset::failed, m_counts.failed);
    put_at(header_offset::live_objects_max, m_counts.live_objects_max);
    put_at(header_offset::live_bytes_max, m_counts.live_bytes_max);
    m_counts.live_bytes_end = m_live_bytes;
    put_at(header_offset::live_bytes_end, m_counts.live_bytes_end);
    put_at(header_offset::threads, m_counts.threads);
    put_at(header_offset::blocks, m_counts.blocks);
    put_at(header_offset::process, m_process);
    put_at(header_offset::command_bytes, static_cast<u32>(m_command_bytes));
    put_at(header_offset::file_bytes, m_file_bytes);
    Crc32 checksum;
    checksum.update(std::span(header).first(header_crc_offset));
    checksum.update(std::span(m_command).first(m_command_bytes));
    put_at(header_crc_offset, checksum.value());
    return m_output.write_at(m_output.context, 0, header);
}

} // namespace twofold::allocation
