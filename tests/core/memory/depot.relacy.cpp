// The depot: a magazine that is taken holds what was put on it, and the empty one that comes back
// for it is no longer read by whoever emptied it.
#include "tests/relacy/explore.hpp"

#include "core/memory/heap/depot.hpp"

namespace {

using namespace twofold;

constexpr u32 first_full = 2, first_empty = 4; ///< names of magazines: their lowest bit is 0

struct MagazinesChangeHands : rl::test_suite<MagazinesChangeHands, 2> {
    memory::heap::Depot<1, 1> depot;
    rl::var<u32> items[4]; ///< of the magazine of half that name

    void before() { items[first_empty / 2]($) = 0; }

    void thread(unsigned number) {
        if (number == 0) {
            u32 magazine = first_full;
            for (u32 round = 1; round <= 2;
                 ++round) { // fill and leave it; go on with what is there
                items[magazine / 2]($) = round;
                u32 const empty = depot.put(0, magazine);
                if (empty == 0 || empty == depot.refused) {
                    return;
                }
                RL_ASSERT(empty == first_empty);
                magazine = empty;
            }
            return;
        }
        if (u32 const full = depot.take(0, first_empty)) {
            RL_ASSERT(full == first_full);
            RL_ASSERT(items[full / 2]($) == 1);
            u32 const again = depot.take(0, full); // empty by now
            if (again != 0) {
                RL_ASSERT(items[again / 2]($) == 2);
            }
        }
    }
};

} // namespace

int main(int count, char** arguments) {
    return relacy::explore<MagazinesChangeHands>(
        {{"depot_put", OrderSite::depot_put}, {"depot_take", OrderSite::depot_take}}, count,
        arguments);
}
