// Finds deadlocks among locks that threads sleep for, before they happen and when they do. Pure: it
// is told what threads do, and answers; who asks holds a lock over it. For builds with checks.
//
// The order: locks are grouped into classes by the place in the source that makes them, so what is
// learnt of one lock holds for all that are made there. Taking a lock of one class while one of
// another is held draws an edge. A circle of edges is a deadlock that some timing can bring, and it
// is found by the first taking that closes it, whether or not it deadlocked this time. Each edge
// remembers where both were taken and by whom, so the report shows both sides.
//
// The waits: a thread that is about to sleep for a lock waits for its holder, who may wait in turn.
// A chain that leads back is a deadlock that has happened.
//
// Invariant: the edges without the one that is refused form no circle.
//
// Source: I. Molnar and A. van de Ven, "Runtime locking correctness validator", Linux,
// Documentation/locking/lockdep-design.rst, for the classes; R. Holt, "Some deadlock properties of
// computer systems", ACM Computing Surveys 4(3), 1972, for the waits.
#pragma once

#include "core/base/base.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <source_location>
#include <span>
#include <string_view>

namespace twofold::sync {

/// A class of locks, from LockOrder::class_at.
struct LockClass {
    u16 index = none;

    static constexpr u16 none = 0xffff;
    bool operator==(LockClass const&) const = default;
};

/// A lock that a thread holds, or takes: its class, and where.
struct LockTaking {
    LockClass lock_class;
    std::source_location where;
};

/// One edge of the order: `to` was taken at `taken_at` while `from`, taken at `held_at`, was held.
struct LockEdge {
    LockClass from;
    LockClass to;
    std::source_location held_at;
    std::source_location taken_at;
    std::string_view thread; ///< its name; valid as long as LockOrder
};

/// Classes, and the edges seen between them.
class LockOrder {
public:
    static constexpr usize classes_max = 128;
    static constexpr usize edges_max = 512;
    static constexpr usize names_max = 64; ///< of threads
    static constexpr usize name_bytes = 24;

    /// Edges that form a circle, each beginning where the one before it ends. The last is the one
    /// that would have closed it.
    using Circle = FixedVector<LockEdge, classes_max + 1>;

    /// The class of the locks that are made at `site`. Errors: no_space, once classes_max places
    /// are known. O(classes).
    Result<LockClass> class_at(std::source_location site, std::string_view name) {
        for (usize index = 0; index < m_classes.size(); ++index) {
            if (is_same(m_classes[index].site, site)) {
                return LockClass{static_cast<u16>(index)};
            }
        }
        TRY(m_classes.push_back({site, name}));
        return LockClass{static_cast<u16>(m_classes.size() - 1)};
    }

    /// `thread`, which holds `held`, is about to take `taken`: learns the edges, and answers with a
    /// circle if one of them would close one; that edge is not kept. Two of one class at once are a
    /// circle of one edge, since another thread may take them the other way around. Edges beyond
    /// edges_max are not learnt; they are counted. O(held * (classes + edges)) for an edge that is
    /// new, O(held) otherwise.
    std::optional<Circle>
    take(std::span<LockTaking const> held, LockTaking const& taken, std::string_view thread) {
        CHECK(taken.lock_class.index < m_classes.size());
        for (LockTaking const& each : held) {
            if (has_edge(each.lock_class, taken.lock_class)) {
                continue;
            }
            LockEdge const edge{
                each.lock_class, taken.lock_class, each.where, taken.where, kept_name(thread)};
            if (auto circle = closes(edge)) {
                return circle;
            }
            keep(edge);
        }
        return std::nullopt;
    }

    std::string_view name(LockClass lock_class) const { return m_classes[lock_class.index].name; }
    std::source_location site(LockClass lock_class) const {
        return m_classes[lock_class.index].site;
    }
    usize classes() const { return m_classes.size(); }
    usize edges() const { return m_edges.size(); }
    /// Edges that there was no room for: circles through them are not found.
    u64 edges_lost() const { return m_edges_lost; }

    /// The circle as lines of text.
    void describe(Circle const& circle, Output const& out) const {
        for (LockEdge const& edge : circle.items()) {
            format_to(
                out, "{} takes '{}' (made at {}:{}) at {}:{}\n", edge.thread, name(edge.to),
                site(edge.to).file_name(), site(edge.to).line(), edge.taken_at.file_name(),
                edge.taken_at.line());
            format_to(
                out, "  while it holds '{}' (made at {}:{}), taken at {}:{}\n", name(edge.from),
                site(edge.from).file_name(), site(edge.from).line(), edge.held_at.file_name(),
                edge.held_at.line());
        }
    }

private:
    struct Class {
        std::source_location site;
        std::string_view name;
    };
    static constexpr usize words = classes_max / 64;
    using Set = std::array<u64, words>;

    static bool is_same(std::source_location const& left, std::source_location const& right) {
        return left.line() == right.line() && left.column() == right.column() &&
               std::string_view(left.file_name()) == right.file_name();
    }
    static bool has(Set const& set, usize index) {
        return (set[index / 64] >> index % 64 & 1) != 0;
    }
    static void add(Set& set, usize index) { set[index / 64] |= u64{1} << index % 64; }

    bool has_edge(LockClass from, LockClass to) const {
        CHECK(from.index < m_classes.size());
        return has(m_after[from.index], to.index);
    }

    void keep(LockEdge const& edge) {
        if (!m_edges.push_back(edge)) {
            ++m_edges_lost;
            return;
        }
        add(m_after[edge.from.index], edge.to.index);
    }

    /// The circle that `edge` closes: the edges of a shortest way from its end back to its
    /// beginning, and itself. Breadth first.
    std::optional<Circle> closes(LockEdge const& edge) const {
        std::array<u16, classes_max> came_from; // towards the end of `edge`
        std::array<u16, classes_max> queue;
        Set seen{};
        usize first = 0;
        usize behind = 0;
        queue[behind++] = edge.to.index;
        add(seen, edge.to.index);
        while (first < behind && queue[first] != edge.from.index) {
            u16 const at = queue[first++];
            auto const known = static_cast<u16>(m_classes.size()); // classes_max at most
            for (u16 next = 0; next < known; ++next) {
                if (has(m_after[at], next) && !has(seen, next)) {
                    add(seen, next);
                    came_from[next] = at;
                    queue[behind++] = next;
                }
            }
        }
        if (first == behind) {
            return std::nullopt;
        }
        Circle circle;
        circle.push_back(edge).value(); // there is room for one more than there are classes
        for (u16 at = edge.from.index; at != edge.to.index; at = came_from[at]) {
            circle.push_back(found_edge(came_from[at], at)).value();
        }
        std::ranges::reverse(circle.items());
        return circle;
    }

    LockEdge const& found_edge(u16 from, u16 to) const {
        for (LockEdge const& edge : m_edges.items()) {
            if (edge.from.index == from && edge.to.index == to) {
                return edge;
            }
        }
        UNREACHABLE(); // m_after has exactly the edges that are kept
    }

    /// A copy of a thread's name: the thread may be gone when the report is made. Beyond names_max
    /// threads the last ones share a name.
    std::string_view kept_name(std::string_view name) {
        name = name.substr(0, name_bytes);
        for (Name const& known : m_names.items()) {
            if (known.view() == name) {
                return known.view();
            }
        }
        Name fresh;
        std::ranges::copy(name, fresh.text.begin());
        fresh.size = name.size();
        if (!m_names.push_back(fresh)) {
            return "another thread";
        }
        return m_names.back().view();
    }

    struct Name {
        std::array<char, name_bytes> text{};
        usize size = 0;

        std::string_view view() const { return {text.data(), size}; }
    };

    FixedVector<Class, classes_max> m_classes;
    FixedVector<LockEdge, edges_max> m_edges;
    FixedVector<Name, names_max> m_names;
    std::array<Set, classes_max> m_after{}; ///< whom an edge leads to, by class
    u64 m_edges_lost = 0;
};

/// The chain of threads that wait for each other, from `start` on: `waits_for(thread)` is the
/// thread that holds what a thread is about to sleep for, or has gone to sleep for; null if it
/// waits for none. Calls `report(thread)` for each thread of the chain if it leads back to `start`,
/// and returns whether it does. A chain that leads into a circle without `start` was reported by
/// who closed that. At most `threads_max` steps. O(chain).
template<class Thread, class WaitsFor, class Report>
bool find_wait_circle(
    Thread* start, usize threads_max, WaitsFor const& waits_for, Report const& report) {
    Thread* at = start;
    for (usize step = 0; step < threads_max; ++step) {
        at = waits_for(*at);
        if (at == nullptr) {
            return false;
        }
        if (at == start) {
            do {
                report(*at);
                at = waits_for(*at);
            } while (at != start);
            return true;
        }
    }
    return false;
}

} // namespace twofold::sync
