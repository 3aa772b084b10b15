// Ends of requests that no interrupt of a device brings about: of a disk in memory, and of what a
// layer cannot pass on. Whoever finds such an end inside of `submit` leaves it here, and `done` is
// called in context work, as if a device had interrupted.
//
// Each processor has a list of its own; a request ends on the processor where it was left.
#pragma once

#include "core/device/block/cpu_lanes.hpp"
#include "core/device/block/device.hpp"
#include "core/processor/processor.hpp"

namespace twofold::block {

class Completions {
public:
    /// Takes a vector. In memory of the heap, until it is closed. Context thread. Errors:
    /// out_of_memory, those of Interrupts::bind_any.
    static Result<Completions*> open(memory::KernelHeap& heap, processor::Interrupts& interrupts);
    Completions(Completions const&) = delete;
    Completions& operator=(Completions const&) = delete;
    /// Nothing is left in it. Context thread.
    void close();

    /// The request's `done` is called soon, with `outcome`; the request's room is this's meanwhile.
    /// Any context up to irq. O(1).
    void leave(Request& request, Result<void> outcome);
    /// Ends what was left on this processor, up to a number, and says how many there were. Context
    /// thread or work.
    u32 take();

private:
    /// Used on its own processor, with interrupts off.
    struct Lane {
        explicit Lane(Completions& of) : owner(of), timer(wake, this) {}

        Completions& owner;
        IntrusiveList<Request, RequestsTag> ended;
        bool is_timed = false; ///< the timer is queued
        processor::Timer timer;
    };
    struct Ended {
        Result<void> outcome;
    };

    static constexpr u32 batch_max = 64; ///< then threads get a moment, however many there are
    static constexpr Nanos moment{1'000};

    static void wake(void* lane);
    void wake_later(Lane& lane, Nanos when);

    Completions(memory::KernelHeap& heap, processor::Interrupts& interrupts)
        : m_heap(heap), m_interrupts(interrupts) {}
    ~Completions() = default;

    memory::KernelHeap& m_heap;
    processor::Interrupts& m_interrupts;
    Lanes<Lane> m_lanes;
    hal::Vector m_vector;
};

} // namespace twofold::block
