// Spin locks, queue locks and mutexes: one holder at a time, whoever comes, handlers of interrupts
// included; and everybody's turn comes.
#include "apps/workloads/rooms.hpp"
#include "core/processor/processor.hpp"

namespace twofold::workloads {

namespace {

class LocksWorkload {
public:
    explicit LocksWorkload(Run& run) : m_mutex(run.task_threads().locks(), "workload") {}
    LocksWorkload(LocksWorkload const&) = delete;
    LocksWorkload& operator=(LocksWorkload const&) = delete;

    static Result<void> begin(Check&) { return {}; }

    void perform(Step& step) {
        u64 const turns = 1 + step.random.below(4);
        u64 const what = step.random.below(100);
        for (u64 turn = 0; turn < turns; ++turn) {
            if (what < 30) {
                take_with_handler(step);
            } else if (what < 50) {
                sync::SpinLockGuard const guard(m_spin_threads, sync::interrupts_stay_on);
                work(step, m_threads_room);
            } else if (what < 75) {
                for (int each = 0; each < queue_turns; ++each) {
                    sync::QueueLockGuard const guard(m_queue, sync::save_interrupts);
                    work(step, m_queue_room);
                }
            } else if (what < 88) {
                task::MutexGuard const guard(m_mutex);
                work(step, m_mutex_room);
            } else {
                try_mutex(step);
            }
        }
    }

    void end(Check& check) {
        for (Room* const room : {&m_spin_room, &m_threads_room, &m_queue_room, &m_mutex_room}) {
            check.equal("turns", room->came.load(relaxed), room->turns.load(relaxed));
        }
        check.holds("nobody has the mutex", !m_mutex.is_held());
    }

private:
    static constexpr int queue_turns = 8;

    /// What a lock guards.
    struct Room {
        Atomic<u32> inside{0};
        Atomic<u64> turns{0}; ///< read and written, each alone
        Atomic<u64> came{0};
    };

    static void work(Check& check, Room& room) {
        room.came.fetch_add(1, relaxed);
        check.equal("others that have the lock", 0, room.inside.fetch_add(1, relaxed));
        u64 const before = room.turns.load(relaxed);
        room.turns.store(before + 1, relaxed);
        check.equal("all that have the lock", 1, room.inside.fetch_sub(1, relaxed));
    }

    /// A deadline goes off meanwhile, and its handler takes the lock, too.
    void take_with_handler(Step& step) {
        struct Handler {
            LocksWorkload& self;
            Check check;
        } handler{*this, Check(step.run, step.operation)};
        processor::Timer timer(
            [](void* argument) {
                auto& own = *static_cast<Handler*>(argument);
                sync::SpinLockGuard const guard(own.self.m_spin, sync::save_interrupts);
                work(own.check, own.self.m_spin_room);
            },
            &handler);
        Nanos const due = hal::Clock::now() + Nanos{static_cast<i64>(step.random.below(400))};
        processor::start_timer(timer, due).value(); // there is a clock
        for (int turn = 0; turn < 4; ++turn) {
            sync::SpinLockGuard const guard(m_spin, sync::save_interrupts);
            work(step, m_spin_room);
        }
        processor::TimerQueue::cancel_and_wait(timer);
    }
    void try_mutex(Step& step) {
        if (step.chance(50)) {
            if (m_mutex.try_lock()) {
                work(step, m_mutex_room);
                m_mutex.unlock();
            }
        } else if (m_mutex.lock_until(hal::Clock::now() + Nanos{2'000})) {
            work(step, m_mutex_room);
            m_mutex.unlock();
        }
    }

    sync::SpinLock m_spin{sync::LockRank::innermost};
    sync::SpinLock m_spin_threads{sync::LockRank::innermost};
    sync::QueueLock m_queue{sync::LockRank::innermost};
    task::Mutex<task::KernelThreads> m_mutex;
    Room m_spin_room;
    Room m_threads_room;
    Room m_queue_room;
    Room m_mutex_room;
};

} // namespace

constinit Workload const locks_workload = workload_of<LocksWorkload>(
    {.name = "locks",
     .about = "spin locks, queue locks and mutexes that threads and handlers take at once"});

} // namespace twofold::workloads
