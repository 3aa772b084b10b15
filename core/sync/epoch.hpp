// Epochs: memory that lock-free readers may still look at is let go when none of them can any more.
// A reader pins the epoch of its processor for as long as it looks, with interrupts as they were; a
// writer unlinks, retires what it has unlinked, and goes on; later somebody collects.
//
// The epoch goes on when every processor that is pinned is so in the current one. So what was
// retired in epoch e is reached by no reader once the epoch is e + 2: those that were pinned when
// it was unlinked have been seen to leave.
//
// What is retired lies in its own memory, in one of three lists of the processor that retired it,
// by epoch, so retiring allocates nothing. How much may wait is bounded: beyond it `retire`
// refuses, and the writer collects, outside of its pins, before it tries again. A reader that stays
// pinned for ever thus holds up writers, and never takes the memory.
//
// Source: K. Fraser, "Practical lock-freedom", PhD thesis, University of Cambridge, 2004, section
// 5.2.3. The numbered memory orders are each shown to be needed by `./twofold relacy`.
#pragma once

#include "core/base/base.hpp"
#include "core/sync/interrupt_guard.hpp"
#include "core/sync/no_preempt.hpp"
#include "core/sync/per_cpu.hpp"

#include <optional>

namespace twofold::sync {

/// In each object that can be retired. Its function is called once, with the node, when nobody can
/// reach the object any more; from then on the object is that function's.
struct Retired {
    using Release = void (*)(Retired& node);

    Retired* next = nullptr;
    Release release = nullptr;
};

class Epochs {
public:
    /// So much may wait on one processor.
    static constexpr u32 waiting_max = 1024;

    /// Without processors: nothing may be pinned.
    Epochs() = default;
    Epochs(Epochs const&) = delete;
    Epochs& operator=(Epochs const&) = delete;

    /// Makes room for `cpus` processors in the storage that is next. Once, before all else.
    /// Errors: no_space.
    Result<void> open(StorageCursor& storage, u32 cpus) {
        m_cpus = TRY(PerCpu<Cpu>::create(storage, cpus));
        return {};
    }
    static constexpr Bytes storage_for(u32 cpus) { return PerCpu<Cpu>::storage_for(cpus); }

    /// Hands over `node`, whose object was unlinked: no reader that pins from now on can find it.
    /// The function runs in some later `collect` of this processor. Errors: no_space; nothing has
    /// happened then, and the caller collects while it has nothing pinned. Contexts up to irq.
    /// O(1).
    Result<void> retire(Retired& node, Retired::Release release) {
        CHECK(release != nullptr);
        InterruptGuard const guard;
        Cpu& cpu = m_cpus.local(guard);
        if (cpu.waiting == waiting_max || probe::fails(FaultPoint::epochs_retire)) {
            if (mutant(Mutant::epochs_full_released)) {
                release(node);
                return {};
            }
            return Error::no_space;
        }
        // Behind the unlinking: a reader that is pinned later than this epoch has not found it.
        fence(numbered(OrderSite::epoch_scan, sequential));
        u64 const epoch = m_epoch.load(relaxed);
        List& list = cpu.lists[epoch % lists];
        if (list.epoch != epoch) {
            CHECK(list.epoch < epoch);
            cpu.ready.take_all(list); // of an epoch that lies three back
            list.epoch = epoch;
        }
        node.release = release;
        list.push(node);
        ++cpu.waiting;
        return {};
    }

    /// Lets the epoch go on, if no reader is left behind, and releases what was retired on this
    /// processor and is reached by nobody. Returns how many. Contexts thread and work, with nothing
    /// pinned if it is to get anywhere. O(processors + released).
    u32 collect() {
        advance();
        Retired* next = take_expired();
        u32 count = 0;
        while (next != nullptr) {
            Retired& node = *next;
            next = node.next;
            node.release(node);
            ++count;
        }
        return count;
    }

    /// What waits on this processor. O(1).
    u32 waiting() const {
        InterruptGuard const guard;
        return m_cpus.local(guard).waiting;
    }
    /// The current epoch; for tests and reports. O(1).
    u64 current() const { return m_epoch.load(relaxed); }

private:
    friend class EpochGuard;

    static constexpr u32 lists = 3;
    static constexpr u64 first_epoch = lists; ///< so that fresh lists are of an earlier one

    /// Nodes that wait for the same epoch, the first in front.
    struct List {
        Retired* first = nullptr;
        Retired* last = nullptr;
        u64 epoch = 0;
        u32 count = 0;

        void push(Retired& node) {
            node.next = nullptr;
            (first == nullptr ? first : last->next) = &node;
            last = &node;
            ++count;
        }
        void take_all(List& from) {
            if (from.first == nullptr) {
                return;
            }
            (first == nullptr ? first : last->next) = from.first;
            last = from.last;
            count += from.count;
            from.first = from.last = nullptr;
            from.count = 0;
        }
    };

    struct Cpu {
        /// Twice the epoch that is pinned, and 1; 0: nothing is. Others read it.
        Atomic<u64> pinned{0};
        u32 pins = 0; ///< nested
        u32 waiting = 0;
        List lists[Epochs::lists];
        List ready; ///< may be released
    };

    void pin() {
        InterruptGuard const guard;
        Cpu& cpu = m_cpus.local(guard);
        if (cpu.pins++ == 0) {
            cpu.pinned.store(m_epoch.load(relaxed) * 2 + 1, relaxed);
            // Whoever looks for readers sees this one, or this one sees what was unlinked before.
            fence(numbered(OrderSite::epoch_pin, sequential));
        }
    }

    void unpin() {
        InterruptGuard const guard;
        Cpu& cpu = m_cpus.local(guard);
        CHECK(cpu.pins > 0);
        if (--cpu.pins == 0 || mutant(Mutant::sync_epoch_unpin)) {
            cpu.pinned.store(0, numbered(OrderSite::epoch_unpin, release));
        }
    }

    void advance() {
        fence(numbered(OrderSite::epoch_scan, sequential));
        u64 epoch = m_epoch.load(relaxed);
        for (u32 cpu = 0; cpu < m_cpus.count(); ++cpu) {
            u64 const pinned =
                m_cpus.of({cpu}).pinned.load(numbered(OrderSite::epoch_observe, acquire));
            if (pinned != 0 && pinned != epoch * 2 + 1) {
                return;
            }
        }
        // Of several that have looked one lets it go on.
        m_epoch.compare_exchange(
            epoch, epoch + 1, numbered(OrderSite::epoch_advance, release), relaxed);
    }

    /// What may be released on this processor, which forgets it.
    Retired* take_expired() {
        InterruptGuard const guard;
        Cpu& cpu = m_cpus.local(guard);
        u64 const epoch = m_epoch.load(numbered(OrderSite::epoch_current, acquire));
        for (List& list : cpu.lists) {
            if (list.epoch + (mutant(Mutant::sync_epoch_grace) ? 1 : 2) <= epoch) {
                cpu.ready.take_all(list);
            }
        }
        cpu.waiting -= cpu.ready.count;
        List taken;
        taken.take_all(cpu.ready);
        return taken.first;
    }

    Atomic<u64> m_epoch{first_epoch};
    PerCpu<Cpu> m_cpus;
};

/// What its holder reads is not let go while it lives. The holder stays on its processor,
/// interrupts come, and handlers may pin, too. Scopes nest. Contexts up to irq. O(1).
class [[nodiscard]] EpochGuard {
public:
    /// In threads and work.
    explicit EpochGuard(Epochs& epochs) : m_epochs(epochs) {
        m_no_preempt.emplace();
        m_epochs.pin();
    }
    /// Where interrupts are off throughout.
    EpochGuard(Epochs& epochs, InterruptGuard const&) : m_epochs(epochs) { m_epochs.pin(); }
    ~EpochGuard() { m_epochs.unpin(); }
    EpochGuard(EpochGuard const&) = delete;
    EpochGuard& operator=(EpochGuard const&) = delete;

private:
    Epochs& m_epochs;
    std::optional<NoPreemptGuard> m_no_preempt; ///< its end comes after the pin's
};

} // namespace twofold::sync
