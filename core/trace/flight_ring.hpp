// The edge registry: which rare paths a processor took last, always on, printed by a panic.
//
// An edge is a place in the kernel that is seldom reached and worth knowing of afterwards: memory
// ran out, something was given back wrongly, a fault was refused. Its record has 12 bytes:
//
//     0  u16  code   what happened (Edge)
//     2  u16  file   where: an index into edge_files
//     4  u32  line
//     8  u32  tick   the processor's cycle counter / 1024, modulo 2^32
//
// Noting one costs a counter and three stores. Each processor has a ring of its own; a context that
// interrupts another on the same processor takes the next slot. Readers on other processors may see
// a record in the making as a mixture of two; a panic can live with that. Pure.
#pragma once

#include "core/base/base.hpp"

#include <array>
#include <source_location>
#include <string_view>

namespace twofold::trace {

enum class Edge : u16 {
    none,
    frames_exhausted, ///< a zone had nothing left; magazines are asked to give back
    frames_misused,   ///< frames were given back wrongly, and refused
    fault_refused,    ///< a page fault that no range answers
    large_page_split, ///< a large page was divided because a part of it changed
    no_large_page,    ///< small pages were taken where a large one would have fitted
};
inline constexpr usize edge_count = 6;

/// The stable name of an edge. O(1); any context.
constexpr std::string_view edge_name(Edge edge) {
    constexpr std::string_view names[edge_count] = {"none",           "frames exhausted",
                                                    "frames misused", "fault refused",
                                                    "page split",     "no large page"};
    auto const index = static_cast<usize>(edge);
    return index < edge_count ? names[index] : "unknown edge";
}

/// The sources that hold edges. A source that is not named here and notes one does not compile.
inline constexpr std::string_view edge_files[] = {
    "core/memory/frames/buddy_frames.cpp",
    "core/memory/space/fault.cpp",
};

namespace detail {

/// Not constexpr: naming it ends the compilation.
void this_source_is_missing_in_edge_files();

} // namespace detail

/// An edge and where it is, made by the compiler: `note_edge(Edge::frames_misused)`.
struct EdgeSite {
    Edge edge;
    u16 file;
    u32 line;

    consteval EdgeSite(Edge code, std::source_location where = std::source_location::current())
        : EdgeSite(code, index_of(where.file_name()), where.line()) {}

    /// The edge at a place that is known otherwise.
    static constexpr EdgeSite at(Edge code, u16 file, u32 line) {
        return EdgeSite(code, file, line);
    }

private:
    constexpr EdgeSite(Edge code, u16 which, u32 number) : edge(code), file(which), line(number) {}
    static consteval u16 index_of(std::string_view path) {
        for (usize index = 0; index < std::size(edge_files); ++index) {
            if (path.ends_with(edge_files[index])) {
                return static_cast<u16>(index);
            }
        }
        detail::this_source_is_missing_in_edge_files();
        return 0;
    }
};

struct FlightRecord {
    Edge edge;
    u16 file;
    u32 line;
    u32 tick;

    constexpr bool operator==(FlightRecord const&) const = default;
};
static_assert(sizeof(FlightRecord) == 12);

/// The last edges of one processor. Zero-initialised memory is a valid empty ring.
class FlightRing {
public:
    static constexpr u32 capacity = 64;
    static_assert(is_power_of_two(capacity));
    static constexpr unsigned tick_shift = 10;

    /// Appends a record. Only on the ring's own processor; any context there. O(1).
    void push(EdgeSite site, u64 cycles) {
        u32 const number = m_written.fetch_add(1, relaxed);
        auto& words = m_records[number % capacity];
        words[0].store(static_cast<u32>(site.edge) | u32{site.file} << 16, relaxed);
        words[1].store(site.line, relaxed);
        words[2].store(static_cast<u32>(cycles >> tick_shift), relaxed);
    }

    /// How many were ever noted, modulo 2^32.
    u32 written() const { return m_written.load(relaxed); }

    /// Calls visit(FlightRecord) for each record that is still there, oldest first. O(capacity).
    template<class Visitor>
    void for_each(Visitor&& visit) const {
        u32 const last = written();
        u32 const count = last < capacity ? last : capacity;
        for (u32 number = last - count; number != last; ++number) {
            auto const& words = m_records[number % capacity];
            u32 const head = words[0].load(relaxed);
            visit(FlightRecord{
                .edge = static_cast<Edge>(head & 0xffff),
                .file = static_cast<u16>(head >> 16),
                .line = words[1].load(relaxed),
                .tick = words[2].load(relaxed)});
        }
    }

private:
    using Words = std::array<Atomic<u32>, sizeof(FlightRecord) / sizeof(u32)>;

    std::array<Words, capacity> m_records;
    Atomic<u32> m_written;
};

/// The source of a record, "?" if it names none. O(1).
constexpr std::string_view edge_file_name(u16 file) {
    return file < std::size(edge_files) ? edge_files[file] : "?";
}

} // namespace twofold::trace
