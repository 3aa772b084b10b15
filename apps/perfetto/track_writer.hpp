// Tracks with slices, marks and arrows between them, for Perfetto (https://ui.perfetto.dev).
//
// The format is TrackEvent (perfetto, protos/perfetto/trace/*.proto): a Trace is a sequence of
// packets; the numbers of their fields are named in track_writer.cpp.
#pragma once

#include "core/base/base.hpp"

#include <ostream>
#include <string_view>

namespace twofold::perfetto {

class ProtobufMessage;

/// Packets of one sequence. Times are nanoseconds; tracks and arrows have numbers that the caller
/// chooses, other than 0.
class TrackWriter {
public:
    /// Writes to `out`, which must outlive it; who owns it looks whether that went well. Writers to
    /// one stream have each a `sequence` of their own, from 1 on.
    TrackWriter(std::ostream& out, u32 sequence) : m_out(out), m_sequence(sequence) {}

    /// Under `parent`; 0: at the top. Those of one parent come in the order of their ranks.
    void add_track(u64 track, std::string_view name, u64 parent, int rank);
    /// A slice begins; an arrow that ends there has the number `arrow_end`, 0: there is none.
    void begin(u64 track, std::string_view name, i64 now_ns, u64 arrow_end = 0);
    /// The last slice that was begun there ends.
    void end(u64 track, i64 now_ns);
    /// A moment; an arrow that begins there has the number `arrow`, 0: there is none.
    void mark(u64 track, std::string_view name, i64 now_ns, u64 arrow = 0);
    void flush() { m_out.flush(); }

private:
    void write_event(ProtobufMessage const& event, i64 now_ns);

    std::ostream& m_out;
    u32 m_sequence;
};

} // namespace twofold::perfetto
