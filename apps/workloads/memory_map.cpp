// The memory map: reports that overlap are normalised, page by page as a plain model says.
#include "apps/workloads/rooms.hpp"
#include "core/memory/memory.hpp"

namespace twofold::workloads {

namespace {

class MemoryMapWorkload {
public:
    explicit MemoryMapWorkload(Run&) {}
    MemoryMapWorkload(MemoryMapWorkload const&) = delete;
    MemoryMapWorkload& operator=(MemoryMapWorkload const&) = delete;

    static Result<void> begin(Check&) { return {}; }

    static void perform(Step& step) {
        FixedVector<hal::MemoryRange, ranges> reported;
        for (u64 count = 1 + step.random.below(ranges); count > 0; --count) {
            u64 const base = step.random.below(pages * page_size.value);
            u64 const size = step.random.below(page_size.value * 12);
            hal::MemoryKind const kind = kinds[step.random.below(std::size(kinds))];
            reported.push_back({{base}, {size}, kind}).value(); // there is room
        }
        auto const map = memory::MemoryMap::create(reported.items());
        if (!step.equal("a map is normalised", answer_ok, map)) {
            return;
        }
        for (u64 page = 0; page < pages + 16; ++page) {
            compare(step, reported.items(), map.value(), page * page_size.value);
        }
        u64 end = 0;
        for (hal::MemoryRange const& range : map.value().ranges()) {
            step.holds("ranges ascend", range.base.value >= end && range.size.value != 0);
            end = (range.base + range.size).value;
        }
    }

    static void end(Check&) {}

private:
    static constexpr usize ranges = 10;
    static constexpr u64 pages = 48;
    /// The stricter one behind.
    static constexpr hal::MemoryKind kinds[] = {
        hal::MemoryKind::usable,   hal::MemoryKind::acpi_reclaimable,
        hal::MemoryKind::acpi_nvs, hal::MemoryKind::module,
        hal::MemoryKind::boot,     hal::MemoryKind::reserved,
        hal::MemoryKind::bad};
    static constexpr usize nothing = ~usize{0};

    static usize strictness(hal::MemoryKind kind) {
        for (usize i = 0; i < std::size(kinds); ++i) {
            if (kinds[i] == kind) {
                return i;
            }
        }
        return nothing;
    }
    /// The strictest of what says something of a page: usable memory of the whole page, everything
    /// else of any byte.
    static usize expected_at(std::span<hal::MemoryRange const> reported, u64 page) {
        usize strictest = nothing;
        for (hal::MemoryRange const& range : reported) {
            u64 const begin = range.base.value;
            u64 const end = begin + range.size.value;
            u64 const page_end = page + page_size.value;
            bool const is_whole = begin <= page && page_end <= end;
            bool const touches = begin < page_end && page < end && range.size.value != 0;
            if (range.kind == hal::MemoryKind::usable ? is_whole : touches) {
                usize const now = strictness(range.kind);
                strictest = strictest == nothing ? now : std::max(strictest, now);
            }
        }
        return strictest;
    }
    static void compare(
        Step& step,
        std::span<hal::MemoryRange const> reported,
        memory::MemoryMap const& map,
        u64 page) {
        usize found = nothing;
        for (hal::MemoryRange const& range : map.ranges()) {
            if (range.base.value <= page && page < (range.base + range.size).value) {
                found = strictness(range.kind);
            }
        }
        step.equal("kind of a page", expected_at(reported, page), found);
    }
};

} // namespace

constinit Workload const memory_map_workload = workload_of<MemoryMapWorkload>(
    {.name = "memory_map",
     .about = "reports of memory that overlap, page by page",
     .cpus = 1,
     .threads = 1});

} // namespace twofold::workloads
