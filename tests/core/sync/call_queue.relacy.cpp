// Calls to another processor: each is run once, sees what its caller wrote, shows its caller what
// it did, and can be used again as soon as it is no longer pending.
#include "tests/relacy/explore.hpp"

#include "core/sync/call_queue.hpp"

namespace {

using namespace twofold;

constexpr unsigned callers = 2;
constexpr int rounds = 2;

/// What one caller shares with the processor that it calls.
struct Errand {
    rl::var<int> question;
    rl::var<int> answer;
    sync::Call call;

    static void run(void* errand) {
        auto& self = *static_cast<Errand*>(errand);
        int const asked = self.question(RL_INFO);
        self.answer(RL_INFO) = asked + 100;
    }
};

struct Calls : rl::test_suite<Calls, callers + 1> {
    sync::CallQueue queue;
    Errand errands[callers];

    void before() {}
    void thread(unsigned index) {
        if (index == callers) {
            for (unsigned served = 0; served < callers * rounds;) {
                served += queue.run();
                rl::yield(1, RL_INFO);
            }
            return;
        }
        Errand& errand = errands[index];
        for (int round = 0; round < rounds; ++round) {
            errand.question(RL_INFO) = round;
            errand.call.set(&Errand::run, &errand);
            queue.add(errand.call);
            while (errand.call.is_pending()) {
                rl::yield(1, RL_INFO);
            }
            RL_ASSERT(errand.answer(RL_INFO) == round + 100);
        }
    }
    void after() { RL_ASSERT(!queue.has_calls()); }
};

} // namespace

int main(int count, char** arguments) {
    return relacy::explore<Calls>(
        {{"call_add", OrderSite::call_add},
         {"call_take", OrderSite::call_take},
         {"call_done", OrderSite::call_done},
         {"call_observe", OrderSite::call_observe}},
        count, arguments);
}
