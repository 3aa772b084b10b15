// The ring of slots: a record that is read is one that was written, whole, although the slot is
// overwritten meanwhile.
#include "tests/relacy/explore.hpp"

#include "core/trace/slot_ring.hpp"

namespace {

using namespace twofold;

struct WholeRecords : rl::test_suite<WholeRecords, 2> {
    trace::SlotRing<2, 1> ring; // one slot: each record overwrites the one before

    void thread(unsigned number) {
        if (number == 0) {
            for (u64 record = 1; record <= 2; ++record) {
                ring.push({10 * record, 10 * record});
            }
            return;
        }
        for (u64 record = 1; record <= 2; ++record) {
            if (auto const words = ring.read(record)) {
                RL_ASSERT((*words)[0] == 10 * record);
                RL_ASSERT((*words)[1] == 10 * record);
            }
        }
    }
};

} // namespace

int main(int count, char** arguments) {
    return relacy::explore<WholeRecords>(
        {{"slot_ring_begin", OrderSite::slot_ring_begin},
         {"slot_ring_publish", OrderSite::slot_ring_publish},
         {"slot_ring_observe", OrderSite::slot_ring_observe},
         {"slot_ring_recheck", OrderSite::slot_ring_recheck}},
        count, arguments);
}
