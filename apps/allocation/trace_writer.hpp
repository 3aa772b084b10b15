// Encodes an allocation trace while the recorded program runs: no allocation, no exception, no
// global. All memory is in the object (about 800 KiB), so that a recorder can place it where it
// likes. Not thread-safe: the recorder holds a lock. The bytes are specified in
// docs/allocation-trace-format.md.
#pragma once

#include "apps/allocation/trace_format.hpp"

#include <lz4hc.h>
#include <span>
#include <string_view>

namespace twofold::allocation {

/// Where a trace goes: writes `bytes` at `offset` of the file, and says whether all were written.
struct TraceOutput {
    void* context = nullptr;
    bool (*write_at)(void* context, u64 offset, std::span<std::byte const> bytes) = nullptr;
};

class TraceWriter {
public:
    TraceWriter() = default;
    TraceWriter(TraceWriter const&) = delete;
    TraceWriter& operator=(TraceWriter const&) = delete;

    /// Begins a trace at offset 0 of the output. `command` holds the arguments, each ended by a
    /// zero; at most command_bytes_max of it are kept. Error::io_failed if the output refuses.
    /// O(command).
    Result<void> start(TraceOutput output, std::span<std::byte const> command, u32 process);

    /// The thread of the events that follow, numbered from 0 in the order of first events. O(1).
    void set_thread(u32 thread);

    /// A new object; returns its number. `alignment_log2` is written for allocate_aligned only.
    /// Amortised O(1): a full block of events is compressed and written.
    u64 allocate(EventKind kind, u64 size, u8 alignment_log2 = 0);
    /// `object` changes from `old_size` to `size` bytes.
    void resize(u64 object, u64 old_size, u64 size);
    void release(u64 object, u64 size);
    void count_foreign() { ++m_counts.foreign; }
    void count_failed() { ++m_counts.failed; }

    /// Writes what is held back, then the header. The trace is complete; more events may follow,
    /// and another finish. Error::io_failed if this or any write before was refused.
    Result<void> finish();

    TraceCounts const& counts() const { return m_counts; }
    u64 file_bytes() const { return m_file_bytes; }

private:
    void put(u8 byte);
    void put_varint(u64 number);
    void put_code(EventKind kind, u64 small);
    void put_reference(EventKind kind, u64 object);
    void begin_event();
    void flush_block();
    bool write_header(u32 flags);

    TraceOutput m_output;
    TraceCounts m_counts;
    u64 m_file_bytes = 0;
    u64 m_previous_object = 0;
    u64 m_previous_size = 0;
    u64 m_live_objects = 0;
    u64 m_live_bytes = 0;
    u32 m_thread = 0;         ///< of the events to come
    u32 m_written_thread = 0; ///< of the event before
    u32 m_process = 0;
    usize m_command_bytes = 0;
    usize m_block_used = 0;
    bool m_finished = false; ///< the header in the file says so
    bool m_failed = false;
    std::array<std::byte, command_bytes_max> m_command{};
    std::array<std::byte, block_bytes_max> m_block{};
    std::array<std::byte, block_header_bytes + LZ4_COMPRESSBOUND(block_bytes_max)> m_packed{};
    LZ4_streamHC_t m_state{};
};

} // namespace twofold::allocation
