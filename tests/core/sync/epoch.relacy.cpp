// Epochs: no reader finds an object that was let go, and what a release writes is behind all that
// readers have read.
#include "tests/relacy/explore.hpp"

#include "core/sync/epoch.hpp"

namespace {

using namespace twofold;

constexpr unsigned readers = 2;
constexpr int objects = 3;
constexpr unsigned iterations = 200'000; ///< the rarest defect shows in one of 30,000

struct Object : sync::Retired {
    rl::var<int> value;

    static void let_go(sync::Retired& node) {
        static_cast<Object&>(node).value(RL_INFO) = -1; // it is somebody else's from here on
    }
};

/// One writer replaces the object that two readers look at.
struct Reading : rl::test_suite<Reading, readers + 1> {
    alignas(sync::cache_line_bytes) std::byte room[4096];
    sync::Epochs epochs;
    Object made[objects];
    Atomic<Object*> shown{nullptr};

    void before() {
        StorageCursor storage(room);
        epochs.open(storage, readers + 1).value();
        for (Object& object : made) {
            object.value(RL_INFO) = 1;
        }
        shown.store(&made[0], release);
    }
    void thread(unsigned index) {
        if (index < readers) {
            for (int round = 0; round < 2; ++round) {
                {
                    sync::EpochGuard const guard(epochs);
                    Object& object = *shown.load(acquire);
                    RL_ASSERT(object.value(RL_INFO) == 1);
                }
                epochs.collect(); // the epoch goes on by readers, too
            }
            return;
        }
        for (int next = 1; next < objects; ++next) {
            Object* const before = shown.load(relaxed);
            shown.store(&made[next], release);
            epochs.retire(*before, Object::let_go).value();
            epochs.collect();
            epochs.collect();
        }
        epochs.collect();
    }
    void after() {}
};

} // namespace

int main(int count, char** arguments) {
    return relacy::explore<Reading>(
        {{"epoch_pin", OrderSite::epoch_pin},
         {"epoch_scan", OrderSite::epoch_scan},
         {"epoch_unpin", OrderSite::epoch_unpin},
         {"epoch_observe", OrderSite::epoch_observe},
         {"epoch_advance", OrderSite::epoch_advance},
         {"epoch_current", OrderSite::epoch_current}},
        count, arguments, iterations);
}
