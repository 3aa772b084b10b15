// What is pending for one virtual CPU, and whether it has to be told.
//
// Anybody may raise a vector: its bit in `raised` is set first, atomically; then the processor is
// told (hal/hosted/notice.hpp), by a signal if it runs, by waking it if it sleeps. What a processor
// raises on itself goes to a set of its own, without an atomic operation. A vector is pending if it
// is in either. The processor alone takes bits away, from both at once. So of one vector at most
// one is pending, and none is lost: a signal that comes where it cannot interrupt leaves
// `attention` behind (cpu_block.hpp), on the same thread.
//
// A non-maskable interrupt is a word of its own: it is a fault of the kernel (FaultKind), taken
// where the processor computes on a stack of its kernel, else on its way back there.
//
// The rules of priority are those of a local APIC: the vector of the highest number first, and only
// while none of its class (the upper four bits) or a higher one has been taken and not been
// acknowledged yet.
//
// Source: Intel SDM volume 3A, section 11.8.4.
#pragma once

#include "core/base/base.hpp"
#include "hal/interrupt_types.hpp"

#include <bit>
#include <optional>

namespace hosted {

using namespace twofold;

/// A set of vectors that may be changed from any thread and from signal handlers.
struct VectorSet {
    static constexpr u32 words = 4;
    u64 word[words] = {};

    static constexpr u64 bit(hal::Vector vector) { return u64{1} << vector.value % 64; }

    bool test(hal::Vector vector) const {
        return (__atomic_load_n(&word[vector.value / 64], __ATOMIC_ACQUIRE) & bit(vector)) != 0;
    }
    /// For a set that one thread alone changes.
    void set_own(hal::Vector vector) { word[vector.value / 64] |= bit(vector); }
    void take_own(hal::Vector vector) { word[vector.value / 64] &= ~bit(vector); }
    void set(hal::Vector vector) {
        // Also orders what follows behind it, as whoever sleeps is told by what it reads next.
        __atomic_fetch_or(&word[vector.value / 64], bit(vector), __ATOMIC_SEQ_CST);
    }
    bool take(hal::Vector vector) {
        u64 const before =
            __atomic_fetch_and(&word[vector.value / 64], ~bit(vector), __ATOMIC_ACQ_REL);
        return (before & bit(vector)) != 0;
    }
    bool any() const {
        u64 all = 0;
        for (u64 const& part : word) {
            all |= __atomic_load_n(&part, __ATOMIC_SEQ_CST);
        }
        return all != 0;
    }
};

/// What a processor does, for whoever has something for it.
enum class RunState : u32 {
    off,      ///< not started, or halted
    running,  ///< a signal reaches it
    sleeping, ///< it waits for this word to change
    resting,  ///< Machine::run has returned; its descriptor wakes the program
    woken,    ///< the same, and the descriptor has been written
};

struct InterruptWords {
    // What others write, on one cache line.
    alignas(64) VectorSet raised;
    RunState run_state = RunState::off;
    u32 signalled = 0;    ///< a signal is on its way
    u32 non_maskable = 0; ///< a non-maskable interrupt is pending

    // The processor's own.
    alignas(64) VectorSet raised_here; ///< by itself
    VectorSet in_service;              ///< taken, not acknowledged
    VectorSet level; ///< pending or in service, and raised by a level; others set bits

    bool is_pending(hal::Vector vector) const {
        return raised.test(vector) || raised_here.test(vector);
    }
    bool any_vector() const { return raised.any() || raised_here.any(); }
    /// Whether there is something to wake up for.
    bool any() const {
        return any_vector() || __atomic_load_n(&non_maskable, __ATOMIC_SEQ_CST) != 0;
    }
    /// The vector is no longer pending.
    void take(hal::Vector vector) {
        raised_here.take_own(vector);
        if (raised.test(vector)) {
            raised.take(vector);
        }
    }
    void forget_pending() {
        raised = {};
        raised_here = {};
        non_maskable = 0;
    }
    /// Whether `vector` is the highest in service.
    bool is_last_served(hal::Vector vector) const {
        u32 const index = vector.value / 64;
        u64 const others = in_service.word[index] >> vector.value % 64;
        bool is_last = others == 1;
        for (u32 above = index + 1; above < VectorSet::words; ++above) {
            is_last = is_last && in_service.word[above] == 0;
        }
        return is_last;
    }
    bool has_non_maskable() const { return __atomic_load_n(&non_maskable, __ATOMIC_RELAXED) != 0; }
    bool take_non_maskable() {
        return has_non_maskable() && __atomic_exchange_n(&non_maskable, 0u, __ATOMIC_SEQ_CST) != 0;
    }

    /// The vector that may be taken now: the highest that is pending, if no other one of its class
    /// or a higher one is in service.
    std::optional<hal::Vector> next() const {
        for (u32 index = VectorSet::words; index-- > 0;) {
            u64 const wanted =
                __atomic_load_n(&raised.word[index], __ATOMIC_ACQUIRE) | raised_here.word[index];
            u64 const served = in_service.word[index];
            if ((wanted | served) == 0) {
                continue;
            }
            // The classes of a word are its four groups of sixteen bits.
            auto const top_class = [](u64 part) { return (63 - std::countl_zero(part)) / 16; };
            if (wanted == 0 || (served != 0 && top_class(served) >= top_class(wanted))) {
                return std::nullopt;
            }
            auto const top = static_cast<u32>(63 - std::countl_zero(wanted));
            return hal::Vector{static_cast<u8>(index * 64 + top)};
        }
        return std::nullopt;
    }
};

/// The vectors of the hosted machine. That of deadlines is the lowest, so what devices and other
/// processors have raised goes first: whoever is woken by a deadline may take the processor away.
inline constexpr hal::VectorRange vectors{.first = {48}, .count = 192};
inline constexpr hal::Vector deadline_vector = vectors.first;

/// What a device writes to, to raise a vector: the slot of the processor in bits 12 to 19 (SDM
/// volume 3A, section 11.11).
inline constexpr u64 message_address = 0xfee0'0000;

} // namespace hosted
