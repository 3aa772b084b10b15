// The depot: full magazines that any cache may take. A few slots for each length; a slot holds
// nothing, an empty magazine or a full one, and one exchange swaps a full magazine for an empty
// one. So blocks that one processor allocates and another frees travel 63 at a time, without a
// lock, and the empty magazines travel back.
//
// A slot's word is all that is compared, and whoever wins owns the magazine that it named. So it
// does not matter whether the word was another meanwhile (no ABA): an empty magazine is as good as
// it was, whoever used it in between.
//
// Source: the depot of J. Bonwick and J. Adams, "Magazines and vmem", USENIX 2001, section 3.1, as
// slots instead of a locked list.
#pragma once

#include "core/base/base.hpp"

#include <array>

namespace twofold::memory::heap {

/// Magazines are named by numbers whose lowest bit is 0; 0 is none. Any context; lock-free; a call
/// looks at each slot of its shelf once unless others change it.
template<u32 shelves, u32 slots>
class Depot {
public:
    static constexpr u32 refused = ~u32{0};

    /// Leaves `magazine`, which is full, on a shelf. Returns an empty one for it (0: none was
    /// there), or `refused` if there is no place.
    u32 put(u32 shelf, u32 magazine) {
        for (Atomic<u32>& slot : m_slots[shelf]) {
            u32 seen = slot.load(relaxed);
            while ((seen & full) == 0) {
                if (slot.compare_exchange(
                        seen, magazine | full, numbered(OrderSite::depot_put, acquire_release),
                        relaxed)) {
                    return seen;
                }
            }
        }
        return refused;
    }

    /// Takes a full magazine and leaves `empty` (or 0) for it; 0 if there is none.
    u32 take(u32 shelf, u32 empty) {
        for (Atomic<u32>& slot : m_slots[shelf]) {
            u32 seen = slot.load(relaxed);
            while ((seen & full) != 0) {
                if (mutant(Mutant::heap_depot_torn)) {
                    slot.store(empty, relaxed);
                    return seen & ~full;
                }
                if (slot.compare_exchange(
                        seen, empty, numbered(OrderSite::depot_take, acquire_release), relaxed)) {
                    return seen & ~full;
                }
            }
        }
        return 0;
    }

private:
    static constexpr u32 full = 1;

    std::array<std::array<Atomic<u32>, slots>, shelves> m_slots{};
};

} // namespace twofold::memory::heap
