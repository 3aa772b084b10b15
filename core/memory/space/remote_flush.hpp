// How the other processors are told that translations have changed. The room above, which knows
// processors and how to call them, hands one in (SharedFrames::use_remote_flush); until then there
// is one processor, and nobody to tell.
//
// What an implementation may rely on: the page tables say already what they will say. What it must
// be prepared for: interrupts may be off, the lock of a space is held, and those of outer ranks may
// be (the heap gives pages back under its own); several processors call at once. So it takes no
// lock, and a processor that waits here, or for a lock, serves the requests of others meanwhile
// (sync::relax): then no two of them wait for each other.
#pragma once

#include "core/base/base.hpp"

namespace twofold::memory {

/// A function with the object that it works on, which outlives every use.
class RemoteFlush {
public:
    /// Returns once no other processor uses a translation of [first, first + size) from before the
    /// call, whichever space is active there. The size is not 0.
    using Function = void (*)(void* object, VirtAddr first, Bytes size);

    constexpr RemoteFlush(void* object, Function function)
        : m_object(object), m_function(function) {}

    /// O(processors), and the wait for the slowest.
    void operator()(VirtAddr first, Bytes size) const {
        CHECK(size.value != 0);
        m_function(m_object, first, size);
    }

private:
    void* m_object;
    Function m_function;
};

} // namespace twofold::memory
