// From a trace to operations. See schedule.hpp.
#include "apps/allocation/schedule.hpp"

#include <algorithm>
#include <limits>
#include <memory>

namespace twofold::allocation {

namespace {

/// Events of a trace cannot be more than bytes of its blocks, so this bounds what a header can
/// demand.
constexpr u64 reserved_operations_max = u64{1} << 22;

struct LiveObject {
    u64 size = 0;
    u32 place = 0;
    u32 operations = 0;
    bool alive = false;
};

class Builder {
public:
    explicit Builder(Places places) : m_places(places) {}

    /// Appends the operation of `event`; what is wrong with it, or nothing.
    std::string_view add(Event const& event) {
        bool const allocates = event.kind <= EventKind::allocate_aligned;
        if (allocates && m_objects.size() > std::numeric_limits<u32>::max()) {
            return "has more objects than a replay can hold";
        }
        if (allocates) {
            m_objects.push_back({.size = 0, .place = take_place(), .operations = 0, .alive = true});
            ++m_live_objects;
        }
        LiveObject& object = m_objects[event.object];
        if (!object.alive) {
            return "uses an object after its release";
        }
        m_schedule.operations.push_back({
            .size = event.size,
            .place = object.place,
            .thread = static_cast<u16>(event.thread),
            .kind = event.kind,
            .alignment_log2 = event.alignment_log2,
        });
        if (m_places == Places::unique) {
            m_schedule.turns.push_back(object.operations);
        }
        ++object.operations;
        m_live_bytes += event.size - object.size;
        object.size = event.size;
        if (event.kind == EventKind::release) {
            object.alive = false;
            --m_live_objects;
            m_free_places.push_back(object.place);
        }
        note_peaks();
        return {};
    }

    /// The finished schedule's counts must be those of the header.
    bool agrees_with(TraceCounts const& counts) const {
        return counts.live_objects_max == m_live_objects_max &&
               counts.live_bytes_max == m_live_bytes_max && counts.live_bytes_end == m_live_bytes;
    }

    Schedule take() { return std::move(m_schedule); }
    void reserve(u64 events) {
        m_schedule.operations.reserve(std::min(events, reserved_operations_max));
    }

private:
    u32 take_place() {
        if (m_places == Places::recycled && !m_free_places.empty()) {
            u32 const place = m_free_places.back();
            m_free_places.pop_back();
            return place;
        }
        return m_schedule.places++;
    }

    void note_peaks() {
        m_live_objects_max = std::max(m_live_objects_max, m_live_objects);
        if (m_live_bytes > m_live_bytes_max) {
            m_live_bytes_max = m_live_bytes;
            m_schedule.live_bytes_peak_operation = m_schedule.operations.size() - 1;
        }
    }

    Places m_places;
    Schedule m_schedule;
    std::vector<LiveObject> m_objects;
    std::vector<u32> m_free_places;
    u64 m_live_objects = 0;
    u64 m_live_objects_max = 0;
    u64 m_live_bytes = 0;
    u64 m_live_bytes_max = 0;
};

} // namespace

Result<Schedule>
make_schedule(std::span<std::byte const> file, Places places, TraceProblem& problem) {
    auto const reader = std::make_unique<TraceReader>(file);
    Builder builder(places);
    auto const decode = [&]() -> Result<void> {
        TRY(reader->open());
        builder.reserve(reader->counts().events);
        Event event;
        while (TRY(reader->next(event))) {
            if (std::string_view const wrong = builder.add(event); !wrong.empty()) {
                problem = {wrong, reader->position()};
                return Error::corrupted;
            }
        }
        return {};
    };
    problem = {};
    if (auto const done = decode(); !done) {
        problem = problem.what.empty() ? reader->problem() : problem;
        return done.error();
    }
    if (!builder.agrees_with(reader->counts())) {
        problem = {"does not hold the live objects that its header counts", file.size()};
        return Error::corrupted;
    }
    Schedule schedule = builder.take();
    schedule.command = reader->command();
    schedule.counts = reader->counts();
    return schedule;
}

} // namespace twofold::allocation
