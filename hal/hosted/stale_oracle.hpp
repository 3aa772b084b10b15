// The oracle of stale translations: finds a processor that goes by a translation whose flush it has
// not made, and a frame that is used anew while a processor still owes such a flush.
//
// The host's mappings, which serve as TLB, are one set for all processors: where one flushes a
// page, the others lose it, too, and a kernel that forgets to tell them would never notice. So each
// flush of a cached translation is remembered with the processors that owe it: those that run,
// other than the one that made it, where the translation may be cached (all, or those with the same
// tables active if it is not global). A processor pays by flushing the page itself, or by
// activating tables where that drops it. Two things are failures:
//
//  1. A page is used that leads to another frame, while somebody still owes the flush of what it
//     led to before. On metal that processor reaches the old frame.
//  2. A frame becomes writable under another page while somebody owes the flush of a page that led
//     to it, and that page does not lead there any more. On metal that processor may write into it.
//
// So a kernel that makes an entry lead to another frame has to take the old entry away and have
// everybody flush it first, as Arm prescribes for all ("break before make") and as
// Linux does where it breaks sharing (ptep_clear_flush). An access that the old entry forbade is
// none of it for the processor that makes it: on metal it faults, which drops the entry.
//
// A range that one processor alone uses, and flushes alone, is sound only under tables of its own.
//
// What it cannot see: who has really used a translation, since the host tells only who is first;
// translations that the machine had evicted before they were flushed; reuse through the linear
// window, which leads to every frame. Debts are bounded: the oldest is forgiven when there are too
// many, and counted.
//
// Pure data without locks; the MMU holds its own.
#pragma once

#include "core/base/base.hpp"
#include "hal/mmu_types.hpp"

#include <algorithm>
#include <array>

namespace hosted {

using namespace twofold;

/// A translation as the MMU caches it: `span` bytes at `page` lead to `frame`.
struct Translation {
    u64 page = 0;
    u64 span = 0;
    u64 frame = 0;
    hal::Access access = hal::Access::none;
    u64 root = 0; ///< of the tables that it was found in
    bool global = false;
};

class StaleOracle {
public:
    static constexpr usize debts_max = 256;

    /// `gone` was flushed; the processors in the set `debtors` have not done so yet. O(debts).
    void note_flush(Translation const& gone, u64 debtors) {
        if (debtors == 0) {
            return;
        }
        for (usize i = 0; i < m_count; ++i) {
            if (m_debts[i].gone.page == gone.page && m_debts[i].gone.frame == gone.frame) {
                m_debts[i].debtors |= debtors;
                return;
            }
        }
        if (m_count < debts_max) {
            m_debts[m_count++] = {gone, debtors};
            return;
        }
        m_debts[m_oldest] = {gone, debtors};
        m_oldest = (m_oldest + 1) % debts_max;
        ++m_forgiven;
    }

    /// Processor `slot` has flushed `size` bytes from `first` on, not 0. O(debts).
    void pay(u32 slot, u64 first, u64 size) {
        u64 const last = first + size - 1;
        settle(slot, [&](Translation const& gone) {
            return gone.page <= last && gone.page + (gone.span - 1) >= first;
        });
    }
    /// It has dropped what is not global.
    void pay_local(u32 slot) {
        settle(slot, [](Translation const& gone) { return !gone.global; });
    }
    /// It caches nothing.
    void pay_all(u32 slot) {
        settle(slot, [](Translation const&) { return true; });
    }

    /// Processor `slot` uses `found` for an access to `address` that wants `wanted`. `leads_there`
    /// tells whether the page of an older translation still leads to its frame; `is_alias`: every
    /// frame is reached at this page, too. O(debts).
    template<class LeadsThere>
    void check(
        u32 slot,
        u64 address,
        hal::Access wanted,
        Translation const& found,
        bool is_alias,
        LeadsThere const& leads_there) {
        u64 const bit = u64{1} << slot;
        for (usize i = 0; i < m_count; ++i) {
            Debt& debt = m_debts[i];
            Translation const& gone = debt.gone;
            u64 const offset = address - gone.page;
            bool const is_same_page = offset < gone.span;
            if (is_same_page && gone.frame + offset != found.frame + (address - found.page)) {
                debt.debtors &= includes(gone.access, wanted) ? ~u64{0} : ~bit;
                m_failures += debt.debtors != 0 ? 1 : 0;
                debt.debtors = 0; // told once
            }
            bool const is_same_frame =
                gone.frame < found.frame + found.span && found.frame < gone.frame + gone.span;
            if (debt.debtors != 0 && is_same_frame && !is_same_page && !is_alias &&
                includes(found.access, hal::Access::write) && !leads_there(gone)) {
                ++m_failures;
                debt.debtors = 0;
            }
        }
        drop_settled();
    }

    /// The failures since the last call.
    u64 take_failures() {
        u64 const failures = m_failures;
        m_failures = 0;
        return failures;
    }
    /// The same, which the next call of take_failures tells, too.
    u64 failures() const { return m_failures; }
    u64 forgiven() const { return m_forgiven; }
    usize debts() const { return m_count; }
    void forget() { *this = StaleOracle(); }

private:
    struct Debt {
        Translation gone;
        u64 debtors = 0; ///< a set of processors' slots
    };

    template<class Which>
    void settle(u32 slot, Which const& which) {
        for (usize i = 0; i < m_count; ++i) {
            if (which(m_debts[i].gone)) {
                m_debts[i].debtors &= ~(u64{1} << slot);
            }
        }
        drop_settled();
    }
    void drop_settled() {
        auto const end = m_debts.begin() + static_cast<std::ptrdiff_t>(m_count);
        auto const kept =
            std::remove_if(m_debts.begin(), end, [](Debt const& it) { return it.debtors == 0; });
        m_count = static_cast<usize>(kept - m_debts.begin());
        m_oldest = m_count < debts_max ? 0 : m_oldest;
    }

    std::array<Debt, debts_max> m_debts{};
    usize m_count = 0;
    usize m_oldest = 0;
    u64 m_failures = 0;
    u64 m_forgiven = 0;
};

} // namespace hosted
