// The wake queue of an executor: whoever is woken runs, and sees what was written before; what is
// woken while it runs runs again; and an executor that rests is woken, by who sees whom to wake.
#include "tests/relacy/explore.hpp"

#include "core/async/wake_queue.hpp"

namespace {

using namespace twofold;
using namespace twofold::async;

constexpr unsigned wakers = 2;
constexpr unsigned all_notes = Runnable::woken | Runnable::granted;

/// Two tasks, each of which is told one thing by each of two others.
struct Waking : rl::test_suite<Waking, wakers + 1> {
    struct Told : Runnable {
        Told() : Runnable(nullptr, From::note) {}

        rl::var<int> written[wakers]; ///< by each waker, before it says so
        unsigned seen = 0;            ///< the executor's
    };

    WakeQueue queue;
    RunQueue ready; // the executor's
    Told told[2];
    rl::var<int> parked; ///< whom to wake: known before the executor first rests
    Atomic<u32> permit{0};
    unsigned left = 2;

    void before() { parked(RL_INFO) = 0; }

    static unsigned note_of(unsigned index) {
        return index == 0 ? Runnable::woken : Runnable::granted;
    }

    void wake(unsigned index, Told& one) {
        one.written[index](RL_INFO) = 1;
        if (one.note(note_of(index)) && queue.add(one)) {
            RL_ASSERT(parked(RL_INFO) == 1);
            permit.store(1, relaxed);
        }
    }

    void look_at(Told& one) {
        unsigned const noted = one.begin();
        for (unsigned index = 0; index < wakers; ++index) {
            if ((noted & note_of(index)) != 0) {
                RL_ASSERT(one.written[index](RL_INFO) == 1);
                RL_ASSERT((one.seen & note_of(index)) == 0); // once
                one.seen |= note_of(index);
            }
        }
        RL_ASSERT(noted != 0);
        if (one.seen == all_notes) {
            --left;
        } else if (one.hold() && !one.let_go()) { // as one that gives way
            ready.push(one);
        }
    }

    void execute() {
        parked(RL_INFO) = 1;
        while (left != 0) {
            queue.take(ready);
            if (Runnable* const next = ready.pop()) {
                look_at(static_cast<Told&>(*next));
            } else if (queue.rest()) {
                while (permit.exchange(0, relaxed) == 0) {
                    rl::yield(1, RL_INFO); // for ever, if nobody comes
                }
            }
        }
    }

    void thread(unsigned index) {
        if (index == wakers) {
            execute();
            return;
        }
        wake(index, told[index]);
        wake(index, told[1 - index]);
    }
    void after() { RL_ASSERT(ready.empty()); }
};

} // namespace

int main(int count, char** arguments) {
    return relacy::explore<Waking>(
        {{"wake_add", OrderSite::wake_add},
         {"wake_take", OrderSite::wake_take},
         {"wake_note", OrderSite::wake_note},
         {"wake_begin", OrderSite::wake_begin},
         {"wake_rest", OrderSite::wake_rest},
         {"wake_rouse", OrderSite::wake_rouse}},
        count, arguments, 100'000);
}
