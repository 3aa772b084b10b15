// See schedule.hpp.
#include "hal/hosted/sim/schedule.hpp"

#include <fmt/format.h>

namespace hosted {

namespace {

/// So far a processor may be ahead of the one that is furthest behind.
constexpr i64 lead_ns = 2'000;
/// The longest that one runs before the next choice.
constexpr u32 turn_bits_max = 12;
/// One that runs alone is not asked about for so long.
constexpr i64 alone_ns = 1'000'000;

} // namespace

Grant RandomSchedule::choose(ScheduleView const& view) {
    if (view.ready.size() == 1) {
        return {view.ready.front().slot, alone_ns}; // there is nothing to choose
    }
    i64 const first_ns = std::ranges::min(view.ready, {}, &Candidate::now_ns).now_ns;
    u32 among = 0;
    u32 chosen = 0;
    for (Candidate const& candidate : view.ready) {
        if (candidate.now_ns <= first_ns + lead_ns && one_in(++among)) {
            chosen = candidate.slot;
        }
    }
    u64 const bits = m_random.below(turn_bits_max + 1);
    return {chosen, static_cast<i64>(m_random.next() & ((u64{1} << bits) - 1))};
}

/// What Random::below says, without its divisions where there can be.
bool RandomSchedule::one_in(u32 count) {
    bool const is_power_of_two = (count & (count - 1)) == 0;
    return is_power_of_two ? (m_random.next() & (count - 1)) == 0 : m_random.below(count) == 0;
}

PriorityChangeSchedule::PriorityChangeSchedule(u64 seed, u32 depth, u64 work_ns)
    : m_depth(depth), m_work_ns(work_ns), m_random(seed) {
    CHECK(depth >= 1 && work_ns >= 1);
    for (u32 change = 1; change < depth; ++change) {
        m_changes.push_back(m_random.between(1, work_ns));
    }
    std::ranges::sort(m_changes);
}

/// Drawn when a processor is first seen; above those that have fallen.
i64 PriorityChangeSchedule::priority_of(u32 slot) {
    if (slot >= m_priorities.size()) {
        m_priorities.resize(slot + 1);
    }
    if (!m_priorities[slot]) {
        m_priorities[slot] = static_cast<i64>(m_random.next() >> 2);
    }
    return *m_priorities[slot];
}

Grant PriorityChangeSchedule::choose(ScheduleView const& view) {
    if (view.last) {
        m_worked_ns += static_cast<u64>(view.last_ran_ns);
        bool falls = view.last_spun;
        while (m_next_change < m_changes.size() && m_changes[m_next_change] <= m_worked_ns) {
            ++m_next_change;
            falls = true;
        }
        if (falls) {
            static_cast<void>(priority_of(*view.last));
            m_priorities[*view.last] = --m_lowest;
        }
    }
    u32 chosen = 0;
    std::optional<i64> highest;
    for (Candidate const& candidate : view.ready) {
        i64 const priority = priority_of(candidate.slot);
        if (!highest || priority > *highest) {
            highest = priority;
            chosen = candidate.slot;
        }
    }
    i64 const left_ns = m_next_change < m_changes.size()
                            ? static_cast<i64>(m_changes[m_next_change] - m_worked_ns)
                            : alone_ns;
    return {chosen, std::clamp(left_ns - 1, i64{0}, alone_ns)};
}

void PriorityChangeSchedule::archive(StateArchive& state) {
    state(m_random);
    state(m_next_change);
    state(m_worked_ns);
    state(m_priorities);
    state(m_lowest);
}

Grant BoundedSchedule::choose(ScheduleView const& view) {
    // The first alternative goes on where that is possible, else with the next slot in a circle, so
    // that processors that spin for each other all get their turn.
    bool const can_go_on = view.last && !view.last_spun && view.find(*view.last) != nullptr;
    std::vector<u32> alternatives;
    for (bool const is_behind : {true, false}) {
        for (Candidate const& candidate : view.ready) {
            bool const is_other = !view.last || candidate.slot != *view.last;
            if (is_other && (view.last && candidate.slot > *view.last) == is_behind) {
                alternatives.push_back(candidate.slot);
            }
        }
    }
    if (can_go_on) {
        alternatives.insert(alternatives.begin(), *view.last);
        alternatives.resize(m_used < m_preemptions ? alternatives.size() : 1);
    } else if (view.last_spun) {
        // The next in the circle: where all spin, which of them does so first shows nothing.
        alternatives.resize(std::min<usize>(alternatives.size(), 1));
        if (alternatives.empty()) {
            alternatives.push_back(*view.last); // nobody else can run: something will happen
        }
    }
    u16 taken = 0;
    if (alternatives.size() > 1) {
        if (m_at == m_path.size()) {
            m_path.push_back({0, static_cast<u16>(alternatives.size())});
        }
        CHECK(m_path[m_at].of == alternatives.size()); // the same run so far as the one before
        taken = m_path[m_at++].taken;
    }
    m_used += can_go_on && taken != 0 ? 1 : 0;
    bool const is_alone = view.ready.size() == 1;
    return {alternatives[taken], is_alone ? alone_ns : 0};
}

std::optional<BoundedSchedule::Path> BoundedSchedule::next_path(Path path) {
    while (!path.empty() && path.back().taken + 1 == path.back().of) {
        path.pop_back();
    }
    if (path.empty()) {
        return std::nullopt;
    }
    ++path.back().taken;
    return path;
}

void BoundedSchedule::archive(StateArchive& state) {
    state(m_path);
    state(m_at);
    state(m_used);
}

Grant SavedSchedule::choose(ScheduleView const& view) {
    if (m_at < m_grants->size()) {
        Grant const grant = (*m_grants)[m_at++];
        if (view.find(grant.slot) != nullptr) {
            return grant;
        }
        if (m_objection.empty()) {
            m_objection = fmt::format(
                "the saved schedule does not fit: turn {} is of processor {}, which cannot run",
                m_at, grant.slot);
        }
    } else if (m_objection.empty()) {
        m_objection = fmt::format("the saved schedule ends after {} turns, the run does not", m_at);
    }
    return {view.ready.front().slot, alone_ns};
}

void SavedSchedule::archive(StateArchive& state) {
    state(m_at);
    state(m_objection);
}

} // namespace hosted
