// Decodes an allocation trace from untrusted bytes. Pure: no file, no allocation, no exception;
// never reads outside the span, never returns an event that the format forbids. What is wrong with
// a bad trace is one sentence and the byte where it was found. Not thread-safe. The bytes are
// specified in docs/allocation-trace-format.md.
#pragma once

#include "apps/allocation/trace_format.hpp"

#include <span>
#include <string_view>

namespace twofold::allocation {

/// Why a trace is refused.
struct TraceProblem {
    std::string_view what; ///< a sentence about the file, or empty
    u64 offset = 0;        ///< the byte of the file where it was found
};

class TraceReader {
public:
    /// `file` must outlive the reader. About 256 KiB, for one block of events.
    explicit TraceReader(std::span<std::byte const> file) : m_file(file) {}
    TraceReader(TraceReader const&) = delete;
    TraceReader& operator=(TraceReader const&) = delete;

    /// Reads the header. Must be called first. Error::truncated, corrupted or not_supported
    /// (another version), with problem() saying what is wrong. O(command line).
    Result<void> open();

    /// The next event, or false at the end, once counts and length were found to agree with the
    /// header. Errors as of open; after one the reader stays at the end. Amortised O(1).
    Result<bool> next(Event& event);

    TraceProblem problem() const { return m_problem; }
    /// The byte of the file where the block of the latest event begins.
    u64 position() const { return m_block_position; }
    TraceCounts const& counts() const { return m_counts; }
    u32 process() const { return m_process; }
    /// The recorded program's arguments, each ended by a zero.
    std::string_view command() const { return m_command; }

private:
    Error refuse(Error error, std::string_view what, u64 offset);
    Error refuse_event(std::string_view what);
    Result<bool> load_block();
    Result<void> check_end();
    Result<u64> take_varint();
    Result<u64> take_size(u8 small);
    Result<u64> take_reference(u8 small);
    Result<void> take_thread();
    Result<void> take_allocation(EventKind kind, u8 small, Event& event);

    std::span<std::byte const> m_file;
    std::string_view m_command;
    TraceProblem m_problem;
    TraceCounts m_counts;
    TraceCounts m_seen;
    u64 m_position = 0;       ///< of the next block
    u64 m_block_position = 0; ///< of the block that is loaded
    u64 m_previous_object = 0;
    u64 m_previous_size = 0;
    u32 m_thread = 0;
    u32 m_process = 0;
    bool m_ended = true;
    usize m_taken = 0; ///< of m_events
    std::span<std::byte const> m_events;
    std::array<std::byte, block_bytes_max> m_block; // m_events is the part that is written
};

} // namespace twofold::allocation
