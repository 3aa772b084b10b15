// What the dispatcher keeps of a thread and of a processor.
#pragma once

#include "core/sched/checked_queue.hpp"
#include "core/sched/cpu_mask.hpp"

namespace twofold::sched {

/// What a thread is to the dispatcher.
enum class TaskState : u8 {
    absent,    ///< not admitted yet, or no more
    asleep,    ///< until somebody wakes it
    waiting,   ///< for a processor
    running,   ///< on its processor
    throttled, ///< has used up its bandwidth until the next window
    moving,    ///< between two processors; in no queue
};
inline constexpr usize task_state_count = 6;

/// The stable name of a state. O(1).
constexpr std::string_view task_state_name(TaskState state) {
    constexpr std::string_view names[task_state_count] = {"absent",  "asleep",    "waiting",
                                                          "running", "throttled", "moving"};
    auto const index = static_cast<usize>(state);
    return index < task_state_count ? names[index] : "unknown state";
}

/// At most `quota` of processor time in each window of `period`; without a quota no limit.
struct BandwidthLimit {
    Nanos quota{};
    Nanos period{100'000'000};

    static constexpr Nanos period_min{1'000'000};
    static constexpr Nanos period_max{10'000'000'000};

    bool is_set() const { return quota > Nanos{}; }
    bool is_sound() const {
        return quota >= Nanos{} && quota <= period && period >= period_min && period <= period_max;
    }
};

struct TaskCounts {
    u64 wakes = 0;
    u64 switches = 0;    ///< to it
    u64 preemptions = 0; ///< it still wanted to run
    u64 migrations = 0;  ///< it went on on another processor
    u64 throttles = 0;
    Nanos ran{};
    Nanos waited{};     ///< for a processor
    Nanos waited_max{}; ///< at one time
};

struct PlacedTag;
struct ThrottledTag;

/// The dispatcher's part of a thread, which derives from it. A policy knows its entity.
template<Policy P>
class Schedulable : public CheckedQueue<P>::Entity,
                    public ListNode<PlacedTag>,
                    public ListNode<ThrottledTag> {
public:
    Schedulable() = default;
    Schedulable(Schedulable const&) = delete;
    Schedulable& operator=(Schedulable const&) = delete;

    /// Of the moment; exact only for who keeps the thread from changing it.
    TaskState state() const { return m_state.load(relaxed); }
    CpuId cpu() const { return {m_cpu.load(relaxed)}; }
    typename P::Parameters const& parameters() const { return m_parameters; }
    CpuMask const& allowed() const { return m_allowed; }
    BandwidthLimit const& limit() const { return m_limit; }
    /// How much of a processor of full capacity it used lately, in 1/1024.
    u32 utilisation() const { return m_utilisation; }

private:
    template<Policy, class>
    friend class Dispatcher;

    Atomic<TaskState> m_state{TaskState::absent}; ///< guarded by the run queue's lock
    bool m_has_permit = false;                    ///< it was woken while it did not sleep
    bool m_was_preempted = false;
    Atomic<u32> m_cpu{0}; ///< changed under the lock of the run queue that it leaves
    typename P::Parameters m_parameters{};
    CpuMask m_allowed;
    Nanos m_since{}; ///< when it came to its state
    TaskCounts m_counts;
    BandwidthLimit m_limit;
    Nanos m_budget{}; ///< of this window
    Nanos m_window_end{};
    Nanos m_slept_at{};     ///< when it last went to sleep
    Nanos m_ran_at_sleep{}; ///< what it had run until then
    u32 m_utilisation = 0;
};

/// Where a processor lies and how fast it is.
struct CpuPlace {
    static constexpr u16 capacity_full = 1024;

    u16 node = 0;
    u16 capacity = capacity_full; ///< as against the fastest one
};

struct CpuCounts {
    u64 switches = 0;
    u64 attentions = 0; ///< alarms, and kicks of others
    u64 stolen = 0;     ///< that this one took
    u64 pushed = 0;     ///< that it gave away
    Nanos idle{};
};

/// Whether who runs on a processor wants a faster one.
enum class Misfit : u8 {
    none,
    wants,
    asked, ///< somebody faster has told it to look
};

/// One processor's queue, on cache lines of its own. The lock guards everything but the atomics.
template<Policy P, class World>
struct alignas(64) RunQueue {
    using Task = Schedulable<P>;

    /// The arguments are the policy's.
    template<class... Arguments>
    explicit RunQueue(Arguments&&... arguments) : queue(static_cast<Arguments&&>(arguments)...) {}

    typename World::Lock lock;
    CheckedQueue<P> queue;
    CpuId cpu;
    CpuPlace place;
    Task* current = nullptr;
    Task* idle = nullptr;   ///< runs when nobody else does; in no queue
    Task* leaver = nullptr; ///< goes to another processor as soon as it is off this one
    Nanos charged_until{};
    Nanos slice_end = never;
    Nanos armed_for = never; ///< the alarm that is set
    Nanos next_balance{};
    bool slice_is_hard = false;
    bool has_told = false; ///< of the policy's violation
    Atomic<u32> wants_reschedule{0};
    Atomic<u32> kicked{0}; ///< it was told, and has not looked yet
    Atomic<u32> load{0};   ///< who waits or runs
    Atomic<Misfit> misfit{Misfit::none};
    IntrusiveList<Task, PlacedTag> members;
    IntrusiveList<Task, ThrottledTag> throttled; ///< by the end of their windows
    CpuCounts counts;
};

} // namespace twofold::sched
