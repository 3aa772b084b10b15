// Is a history of concurrent operations linearizable? That is: can each operation be given one
// moment between its call and its return, so that the results are those of a sequential object that
// performs the operations in the order of these moments?
//
// The search goes through what can be first, second and so on, and looks at no pair of (operations
// done, state reached) twice. Pure; base alone; the caller hands in the memory.
//
// Source: J. Wing and C. Gong, "Testing and verifying concurrent objects", JPDC 17, 1993 (the
// search); G. Lowe, "Testing for linearizability", Concurrency and Computation 29(4), 2017 (the
// pairs that were seen). M. Herlihy and J. Wing, "Linearizability", TOPLAS 12(3), 1990 (what it
// is, and operations that are pending).
#pragma once

#include "core/base/base.hpp"

#include <array>
#include <concepts>
#include <limits>
#include <span>

namespace twofold::workloads {

/// The object as it is with one caller. `apply` changes the state as the operation does and answers
/// its result; it depends on nothing else. States that are equal have the same hash.
template<class Spec>
concept SequentialSpec = requires(
    typename Spec::State& state,
    typename Spec::State const& other,
    typename Spec::Op const& op,
    typename Spec::Result const& result) {
    requires std::default_initializable<typename Spec::State>;
    requires std::copyable<typename Spec::State>;
    { Spec::apply(state, op) } -> std::same_as<typename Spec::Result>;
    { Spec::hash(other) } -> std::same_as<u64>;
    { other == other } -> std::convertible_to<bool>;
    { result == result } -> std::convertible_to<bool>;
};

/// One operation of a history. Moments are of any clock that is common to all callers and grows
/// from each call to its return; an operation comes before another if it returned at an earlier
/// moment than the other was called.
template<SequentialSpec Spec>
struct HistoryEntry {
    static constexpr u64 never = std::numeric_limits<u64>::max();

    typename Spec::Op op{};
    typename Spec::Result result{}; ///< unknown if it is pending
    u64 called = 0;
    u64 returned = never; ///< pending: it may have had its effect, or not

    bool is_pending() const { return returned == never; }
};

inline constexpr usize history_max = 64;

/// What the search needs for each pair that it looks at. Its contents are the search's.
template<SequentialSpec Spec>
struct SearchNode {
    u64 done = 0;   ///< bit i: entry i has had its effect
    u32 bucket = 0; ///< the first node with the hash that this index stands for, plus 1
    u32 next = 0;   ///< the next in that bucket, plus 1
    typename Spec::State state{};
};

enum class Linearizability : u8 {
    holds,
    violated,
    unknown, ///< the memory was not enough
};

struct LinearizabilityReport {
    Linearizability verdict = Linearizability::unknown;
    /// Where it is not `holds`: the entry whose return is the first that was not explained. Of
    /// several at one moment, the earlier entry returns first.
    u32 blocked = 0;
    /// Nothing can explain the return of `blocked`; false if the memory was not enough to say so.
    bool is_exact = false;
    /// An order that explains the history, or what returned before `blocked`.
    std::array<u8, history_max> order{};
    u32 order_length = 0;
    u32 nodes = 0; ///< pairs that the search over the whole history looked at

    std::span<u8 const> explained() const { return std::span(order).first(order_length); }
};

/// The searches over one history. See check_linearizability.
template<SequentialSpec Spec>
class LinearizabilitySearch {
public:
    using Entry = HistoryEntry<Spec>;
    using Node = SearchNode<Spec>;
    using State = typename Spec::State;

    LinearizabilitySearch(
        std::span<Entry const> history, State const& initial, std::span<Node> memory)
        : m_history(history), m_initial(initial), m_nodes(memory) {
        CHECK(history.size() <= history_max);
        CHECK(!memory.empty() && memory.size() < std::numeric_limits<u32>::max());
        for (usize i = 0; i < history.size(); ++i) {
            CHECK(history[i].called <= history[i].returned);
            for (usize j = 0; j < history.size(); ++j) {
                m_before[i] |= u64{history[j].returned < history[i].called} << j;
            }
            if (!history[i].is_pending()) {
                note_return(static_cast<u8>(i));
            }
        }
    }

    LinearizabilityReport run() {
        LinearizabilityReport report;
        report.verdict = search(m_returned, report);
        report.nodes = m_used;
        if (report.verdict != Linearizability::holds) {
            find_blocked(report);
        }
        return report;
    }

private:
    /// One more entry that has had its effect.
    struct Step {
        u32 node = 0; ///< what it led to
        u8 entry = 0; ///< of no meaning in the first
        u8 next = 0;  ///< the first entry that has not been tried from there
    };

    /// Puts the entry among those that return, in their order.
    void note_return(u8 entry) {
        usize place = m_returned++;
        for (; place > 0; --place) {
            u8 const other = m_by_return[place - 1];
            if (m_history[other].returned <= m_history[entry].returned) {
                break;
            }
            m_by_return[place] = other;
        }
        m_by_return[place] = entry;
    }

    /// The history with its first returns alone is linearizable if it is with more of them: halves
    /// what is left between so many that it is with, and so many that it is not with.
    void find_blocked(LinearizabilityReport& report) {
        report.is_exact = report.verdict == Linearizability::violated;
        u32 explained = 0;
        u32 unexplained = m_returned;
        while (unexplained - explained > 1) {
            u32 const middle = explained + (unexplained - explained) / 2;
            Linearizability const verdict = search(middle, report);
            if (verdict == Linearizability::holds) {
                explained = middle;
            } else {
                unexplained = middle;
                report.is_exact = verdict == Linearizability::violated;
            }
        }
        report.blocked = m_by_return[explained];
    }

    /// Whether an order explains the history up to its first `returns` returns: entries that
    /// return later are pending, and those that are called later are not there. Puts the order into
    /// the report if there is one.
    Linearizability search(u32 returns, LinearizabilityReport& report) {
        m_required = 0;
        m_present = 0;
        for (u32 i = 0; i < returns; ++i) {
            m_required |= u64{1} << m_by_return[i];
        }
        u64 const end = returns == 0           ? 0
                        : returns < m_returned ? m_history[m_by_return[returns - 1]].returned
                                               : Entry::never;
        for (usize i = 0; i < m_history.size(); ++i) {
            m_present |= u64{m_history[i].called <= end} << i;
        }
        for (Node& node : m_nodes) {
            node.bucket = 0;
        }
        m_nodes[0].done = 0;
        m_nodes[0].state = m_initial;
        m_path[0] = {};
        m_used = 1; // nothing leads there again, so it is in no bucket
        return descend(report);
    }

    Linearizability descend(LinearizabilityReport& report) {
        u32 depth = 0;
        while ((m_required & ~m_nodes[m_path[depth].node].done) != 0) {
            u32 const entry = next_candidate(m_path[depth]);
            if (entry == history_max) {
                if (depth == 0) {
                    return Linearizability::violated;
                }
                --depth;
                continue;
            }
            if (m_used == m_nodes.size()) {
                return Linearizability::unknown;
            }
            m_path[depth].next = static_cast<u8>(entry + 1);
            if (step(m_path[depth].node, entry)) {
                ++depth;
                m_path[depth] = {.node = keep(), .entry = static_cast<u8>(entry), .next = 0};
            }
        }
        report.order_length = depth;
        for (u32 i = 0; i < depth; ++i) {
            report.order[i] = m_path[i + 1].entry;
        }
        return Linearizability::holds;
    }

    /// The next entry that can be the next to have its effect; history_max if there is none.
    u32 next_candidate(Step const& at) const {
        u64 const done = m_nodes[at.node].done;
        for (u32 entry = at.next; entry < m_history.size(); ++entry) {
            bool const is_open = ((m_present & ~done) >> entry & 1) != 0;
            if (is_open && (m_before[entry] & ~done) == 0) {
                return entry;
            }
        }
        return history_max;
    }

    /// Makes the first free node what the entry leads to; false if its result is another one, or
    /// the pair has been seen.
    bool step(u32 from, u32 entry) {
        Node& made = m_nodes[m_used];
        made.done = m_nodes[from].done | u64{1} << entry;
        made.state = m_nodes[from].state;
        bool const is_right =
            Spec::apply(made.state, m_history[entry].op) == m_history[entry].result;
        if (!is_right && (m_required >> entry & 1) != 0) {
            return false;
        }
        u32 seen = m_nodes[bucket_of(made)].bucket;
        while (seen != 0) {
            Node const& other = m_nodes[seen - 1];
            if (other.done == made.done && other.state == made.state) {
                return false;
            }
            seen = other.next;
        }
        return true;
    }

    /// Keeps the first free node; its index.
    u32 keep() {
        u32 const index = m_used++;
        Node& bucket = m_nodes[bucket_of(m_nodes[index])];
        m_nodes[index].next = bucket.bucket;
        bucket.bucket = index + 1;
        return index;
    }

    usize bucket_of(Node const& node) const {
        u64 const mixed = SplitMix64(node.done).next() ^ Spec::hash(node.state);
        return SplitMix64(mixed).next() % m_nodes.size();
    }

    std::span<Entry const> m_history;
    State const& m_initial;
    std::span<Node> m_nodes;
    std::array<u64, history_max> m_before{};    ///< bit j of i: entry j returned before i's call
    std::array<u8, history_max> m_by_return{};  ///< those that return
    std::array<Step, history_max + 1> m_path{}; ///< from the start to what is looked at
    u32 m_returned = 0;
    u32 m_used = 0;
    u64 m_required = 0; ///< bit i: entry i has to have its effect, with its result
    u64 m_present = 0;  ///< bit i: entry i has been called; the others could explain nothing
};

/// Whether `history`, of at most 64 operations on an object that began as `initial`, is
/// linearizable, and how far. A node is used for each pair of operations done and state that can
/// be reached: with T callers at a time and few states, about n * 2^T. O(pairs * n * log n). Any
/// context; about 2 KiB of stack.
template<SequentialSpec Spec>
LinearizabilityReport check_linearizability(
    std::span<HistoryEntry<Spec> const> history,
    typename Spec::State const& initial,
    std::span<SearchNode<Spec>> memory) {
    return LinearizabilitySearch<Spec>(history, initial, memory).run();
}

} // namespace twofold::workloads
