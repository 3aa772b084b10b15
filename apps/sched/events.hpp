// What is going to happen in virtual time, and what has happened.
#pragma once

#include "core/sched/sched.hpp"

#include <concepts>

namespace twofold::lab {

/// In the order in which they are looked at when they come at one time: who has just finished need
/// not be preempted.
enum class SourceKind : u8 { work_done, thread_timer, kick, alarm };

/// Somebody that something can happen to at one time. It lies in the queue until then.
struct EventSource : sched::TreeNode<EventSource> {
    SourceKind kind = SourceKind::thread_timer;
    u32 number = 0; ///< of a thread, or of a processor
    Nanos at{};
    u64 sequence = 0;
};

/// Sources by their times, then by their kinds, then as they were set. O(log n) each.
class EventQueue {
public:
    EventQueue() = default;
    EventQueue(EventQueue const&) = delete;
    EventQueue& operator=(EventQueue const&) = delete;
    ~EventQueue() { clear(); }

    /// In place of the time that it was set for before.
    void set(EventSource& source, Nanos at) {
        drop(source);
        source.at = at;
        source.sequence = m_sequence++;
        m_sources.add(source);
    }
    void drop(EventSource& source) {
        if (source.is_linked()) {
            m_sources.remove(source);
        }
    }
    EventSource* first() const { return m_sources.first(); }
    void clear() {
        while (!m_sources.empty()) {
            m_sources.remove(*m_sources.root());
        }
    }

private:
    struct ByTime {
        static bool before(EventSource const& a, EventSource const& b) {
            if (a.at != b.at) {
                return a.at < b.at;
            }
            return a.kind != b.kind ? a.kind < b.kind : a.sequence < b.sequence;
        }
    };

    sched::OrderedTree<EventSource, ByTime> m_sources;
    u64 m_sequence = 0;
};

enum class HappeningKind : u8 {
    run,     ///< `thread` runs on `cpu` from now on; `nobody`: the processor idles
    wake,    ///< `thread` wants to run; `other` woke it, or `nobody`: a timer
    sleep,   ///< `thread` does not want to run any more
    job,     ///< `thread` has ended a job, `amount` after it was to begin
    late,    ///< the same, and that was too long
    refuse,  ///< what `thread` asked for in its midst was refused
    leave,   ///< `thread` has ended
    stick,   ///< `thread` goes round without ever taking time; the run ends here
    violate, ///< the policy on `cpu` gave a wrong answer; `amount`: a sched::Violation
};
inline constexpr usize happening_kinds = 9;

inline constexpr u32 nobody = ~u32{0};

struct Happening {
    HappeningKind kind = HappeningKind::run;
    u32 cpu = 0;
    u32 thread = nobody;
    u32 other = nobody;
    Nanos now{};
    i64 amount = 0;
};

/// Who is told of it.
template<class O>
concept Observer = requires(O& observer, Happening const& happening) {
    { observer.take(happening) } -> std::same_as<void>;
};

} // namespace twofold::lab
