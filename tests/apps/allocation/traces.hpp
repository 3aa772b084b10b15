// Traces made in memory, for tests: an output that is a vector, and what a reader makes of it.
#pragma once

#include "apps/allocation/trace_reader.hpp"
#include "apps/allocation/trace_writer.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace twofold::allocation::testing {

using Bytes = std::vector<std::byte>;

/// Writes a trace into memory.
class MemoryTrace {
public:
    explicit MemoryTrace(std::string_view command = std::string_view("program\0-x\0", 11)) {
        begin(command);
    }

    /// Begins again, with nothing in the file.
    void begin(std::string_view command) {
        m_bytes.clear();
        started = m_writer->start(output(), bytes_of_text(command), 42).has_value();
    }

    TraceWriter& writer() { return *m_writer; }
    /// The finished file.
    Bytes finish() {
        finished = m_writer->finish().has_value();
        return m_bytes;
    }
    Bytes const& bytes() const { return m_bytes; }

    bool started = false;
    bool finished = false;
    bool refuses = false; ///< writes fail from here on

private:
    TraceOutput output() {
        return {.context = this, .write_at = [](void* context, u64 offset, auto bytes) {
                    auto& trace = *static_cast<MemoryTrace*>(context);
                    trace.m_bytes.resize(std::max(trace.m_bytes.size(), offset + bytes.size()));
                    std::ranges::copy(bytes, trace.m_bytes.begin() + static_cast<long>(offset));
                    return !trace.refuses;
                }};
    }

    Bytes m_bytes;
    std::unique_ptr<TraceWriter> m_writer = std::make_unique<TraceWriter>();
};

struct Decoded {
    std::vector<Event> events;
    TraceCounts counts;
    std::string command;
    TraceProblem problem;
    bool good = false;
};

inline Decoded decode(std::span<std::byte const> file) {
    Decoded result;
    auto const reader = std::make_unique<TraceReader>(file);
    auto const run = [&]() -> Result<void> {
        TRY(reader->open());
        Event event;
        while (TRY(reader->next(event))) {
            result.events.push_back(event);
        }
        return {};
    };
    result.good = run().has_value();
    result.problem = reader->problem();
    result.counts = reader->counts();
    result.command = reader->command();
    return result;
}

} // namespace twofold::allocation::testing
