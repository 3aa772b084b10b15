// Mutual exclusion of the ticket lock: what holders write in turn is never seen half.
#include "tests/relacy/explore.hpp"

#include "core/sync/spin_lock.hpp"

namespace {

using namespace twofold;

struct Exclusion : rl::test_suite<Exclusion, 3> {
    sync::SpinLock lock{sync::LockRank::innermost};
    rl::var<int> entries;

    void before() { entries(RL_INFO) = 0; }
    void thread(unsigned) {
        for (int round = 0; round < 2; ++round) {
            sync::SpinLockGuard const guard(lock, sync::save_interrupts);
            int const seen = entries(RL_INFO);
            entries(RL_INFO) = seen + 1;
        }
    }
    void after() { RL_ASSERT(entries(RL_INFO) == 6); }
};

} // namespace

int main(int count, char** arguments) {
    return relacy::explore<Exclusion>(
        {{"spin_lock_acquire", OrderSite::spin_lock_acquire},
         {"spin_lock_release", OrderSite::spin_lock_release}},
        count, arguments);
}
