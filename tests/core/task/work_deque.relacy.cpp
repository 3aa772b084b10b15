// The work-stealing deque: each item is taken once, by its owner or by a thief, who sees what was
// written before it was pushed.
#include "tests/relacy/explore.hpp"

#include "core/task/fork_join/work_deque.hpp"

namespace {

using namespace twofold;

constexpr unsigned thieves = 2;
constexpr int items = 4;
constexpr unsigned iterations = 100'000;

struct Item {
    rl::var<int> written;
    rl::var<int> taken;
};

/// An owner pushes and pops beside two thieves; the deque has room for two, and slots are used
/// again.
struct Stealing : rl::test_suite<Stealing, thieves + 1> {
    task::WorkDeque<Item, 2> deque;
    Item made[items];

    void before() {
        for (Item& item : made) {
            item.written(RL_INFO) = 0;
            item.taken(RL_INFO) = 0;
        }
    }
    void take(Item& item) {
        RL_ASSERT(item.written(RL_INFO) == 1);
        item.taken(RL_INFO) = item.taken(RL_INFO) + 1;
    }
    void push(Item& item) {
        item.written(RL_INFO) = 1;
        if (!deque.push(item)) {
            take(item);
        }
        deque.share(deque.private_count());
    }
    void pop() {
        if (Item* const item = deque.pop()) {
            take(*item);
        }
    }
    void thread(unsigned index) {
        if (index < thieves) {
            for (int round = 0; round < 2; ++round) {
                if (Item* const item = deque.steal([] { return true; })) {
                    take(*item);
                }
            }
            return;
        }
        push(made[0]);
        push(made[1]);
        pop();
        push(made[2]);
        push(made[3]);
        for (int round = 0; round < items; ++round) {
            pop();
        }
        RL_ASSERT(deque.empty());
    }
    void after() {
        for (Item& item : made) {
            RL_ASSERT(item.taken(RL_INFO) == 1);
        }
    }
};

} // namespace

int main(int count, char** arguments) {
    return relacy::explore<Stealing>(
        {{"deque_share", OrderSite::deque_share},
         {"deque_observe", OrderSite::deque_observe},
         {"deque_reclaim", OrderSite::deque_reclaim},
         {"deque_steal", OrderSite::deque_steal}},
        count, arguments, iterations);
}
