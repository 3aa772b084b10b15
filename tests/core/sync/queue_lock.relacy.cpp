// Mutual exclusion of the queue lock: what holders write in turn is never seen half, and none waits
// for ever.
#include "tests/relacy/explore.hpp"

#include "core/sync/queue_lock.hpp"

namespace {

using namespace twofold;

/// A guard whose node is gone for the model, too, once it has ended.
class Holding {
public:
    explicit Holding(sync::QueueLock& lock)
        : m_guard(std::construct_at(room_for<Guard>(m_room), lock, sync::save_interrupts)) {}
    ~Holding() {
        std::destroy_at(m_guard);
        ModelledAtomics::destroy_within(m_room, sizeof(m_room));
    }

private:
    using Guard = sync::QueueLockGuard;

    alignas(Guard) std::byte m_room[sizeof(Guard)];
    Guard* m_guard;
};

struct Exclusion : rl::test_suite<Exclusion, 3> {
    sync::QueueLock lock{sync::LockRank::innermost};
    rl::var<int> entries;

    void before() { entries(RL_INFO) = 0; }
    void thread(unsigned) {
        for (int round = 0; round < 2; ++round) {
            Holding const holding(lock);
            int const seen = entries(RL_INFO);
            entries(RL_INFO) = seen + 1;
        }
    }
    void after() { RL_ASSERT(entries(RL_INFO) == 6); }
};

} // namespace

int main(int count, char** arguments) {
    return relacy::explore<Exclusion>(
        {{"queue_lock_take", OrderSite::queue_lock_take},
         {"queue_lock_leave", OrderSite::queue_lock_leave},
         {"queue_lock_pass", OrderSite::queue_lock_pass},
         {"queue_lock_wait", OrderSite::queue_lock_wait}},
        count, arguments);
}
