// Copy-on-write clones.
//
// The copy is nobody else's until it is done, so its lock is not taken. It grows from below: each
// step takes over a piece of a range with the pages in it, so that at any time it is whole in
// itself, whatever others do to this space meanwhile.
#include "core/memory/space/address_space.hpp"

#include <algorithm>

namespace twofold::memory {

namespace {

/// Leaves that one step takes over.
constexpr unsigned leaves_at_once = 8;

} // namespace

/// The work of a clone, and the large page whose frames it shares behind the lock: too many for one
/// step.
struct AddressSpace::CloneWork : Work {
    explicit CloneWork(SharedFrames& all_frames) : Work(all_frames), frames(all_frames) {}
    ~CloneWork() { give_up(); }

    /// Without the lock: adds an owner to the block that was asked for, or takes it away again from
    /// one that is not the space's any more.
    void follow_up() {
        give_up();
        if (asked != PhysAddr{}) {
            frames.share(asked, order);
            shared = std::exchange(asked, {});
        }
    }
    void give_up() {
        if (shared != PhysAddr{}) {
            frames.release(std::exchange(shared, {}), order);
        }
    }

    SharedFrames& frames;
    PhysAddr asked{}; ///< frame 0 is none
    PhysAddr shared{};
    unsigned order = 0;
};

Result<AddressSpace> AddressSpace::clone() {
    if (m_owner == Owner::kernel) {
        return Error::not_supported; // there is one kernel
    }
    AddressSpace copy = TRY(create(*m_frames, m_kernel_root));
    CloneWork work(*m_frames);
    Bytes const everything = lower_half_end - VirtAddr{};
    for (Bytes done{}; done < everything;) {
        done += TRY(attempt(work, [&]() -> Result<Bytes> { // on an error the half copy goes
            m_lock.assert_held();
            return clone_next({done.value}, everything - done, copy, work);
        }));
        work.follow_up();
    }
    return copy;
}

/// Takes over what lies at `at`, as far as one step goes; answers how far that is.
Result<Bytes>
AddressSpace::clone_next(VirtAddr at, Bytes size, AddressSpace& copy, CloneWork& work) {
    copy.m_lock.assert_held(); // nobody else has it
    Range const* const range = m_ranges.lower_bound(at);
    if (range == nullptr) {
        return size;
    }
    if (range->base > at) {
        return range->base - at;
    }
    Range piece = *range;
    if (at > range->base) {
        piece.drop_front(at - range->base);
    }
    // Enough for a range and a page, so that no step takes anything back only to begin again.
    if (!work.stock.covers(Table::levels)) {
        return Error::busy;
    }
    // The range first, and then as much less as there are pages left for the next step.
    Range* target = at.value != 0 ? copy.m_ranges.find(at - Bytes{1}) : nullptr;
    bool const goes_on = target != nullptr && target->continues_in(piece);
    if (goes_on) {
        target->size += piece.size;
    } else {
        target = TRY(copy.m_ranges.insert(piece, work.stock));
        if (piece.object != nullptr) {
            piece.object->retain();
        }
    }
    auto const done = clone_pages(piece, copy, work);
    Bytes const left = piece.size - (done ? done.value() : Bytes{});
    if (left < target->size) {
        target->size = target->size - left;
    } else {
        copy.drop_range(*target, work);
    }
    return done;
}

/// From now on both spaces read the same pages of `piece`, and the first to write gets one of its
/// own. Answers how much of it is done, 0 where a block has to be shared first.
Result<Bytes> AddressSpace::clone_pages(Range const& piece, AddressSpace& copy, CloneWork& work) {
    copy.m_lock.assert_held();
    if (piece.kind == RangeKind::object && piece.sharing == Sharing::shared) {
        return piece.size; // the object has the pages
    }
    bool const owned = owns_frames(piece);
    Bytes done{};
    for (unsigned leaves = 0; leaves < leaves_at_once && done < piece.size; ++leaves) {
        std::optional<Translation> found;
        VirtAddr const from = piece.base + done;
        Bytes const passed = m_table.next_leaf(from, piece.size - done, found, step_budget);
        if (!found) {
            done += passed;
            break;
        }
        if (found->page < from) { // gathered into a large page meanwhile
            TRY(m_table.split_at(from, work.batch, work.stock));
            continue;
        }
        done = found->page - piece.base;
        Leaf theirs = found->leaf;
        bool const withdraws = owned && theirs.access == PageAccess::read_write;
        theirs.access = withdraws ? PageAccess::read : theirs.access;
        auto const withdraw = [&] {
            m_lock.assert_held();
            if (withdraws && !mutant(Mutant::spaces_clone_writable)) {
                m_table.rewrite(
                    found->page, Table::span(found->level), work.batch,
                    [&](VirtAddr, Leaf& leaf, unsigned) {
                        leaf.access = theirs.access;
                        return true;
                    });
            }
            ++m_sharings;
        };
        if (owned && found->level > 0 && (withdraws || work.shared != theirs.frame)) {
            withdraw();
            work.asked = theirs.frame;
            work.order = Table::order(found->level);
            break;
        }
        if (auto const mapped = copy.m_table.map(found->page, theirs, found->level, work.stock);
            !mapped) {
            return done.value != 0 ? Result<Bytes>(done) : Result<Bytes>(mapped.error());
        }
        if (owned && found->level == 0 && mutant(Mutant::spaces_clone_unshared)) {
            done += Table::span(found->level);
            continue;
        }
        if (owned && found->level == 0) {
            m_frames->share(theirs.frame, 0);
        } else if (owned) {
            work.shared = {}; // the copy has that share now
        }
        withdraw();
        done += Table::span(found->level);
    }
    return done;
}

} // namespace twofold::memory
