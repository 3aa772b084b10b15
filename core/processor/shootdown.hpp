// Telling the other processors that translations have changed, and waiting until each has dropped
// what it had of them: the TLB shootdown. What is told is one range for a whole operation on a
// space (memory's FlushBatch gathers it); here it goes to all processors at once.
#pragma once

#include "core/processor/cpu_set.hpp"

namespace twofold::processor {

class Shootdown {
public:
    explicit Shootdown(CpuSet& cpus) : m_cpus(cpus) {}

    /// Returns once no other processor uses a translation of [first, first + size) from before the
    /// call. Interrupts on or off, locks held or not: a processor that spins serves the request.
    /// Any context but nmi. O(processors), and the wait for the slowest.
    void flush_others(VirtAddr first, Bytes size);
    /// The same for whoever knows it as a function with an object (memory's RemoteFlush).
    static void flush(void* shootdown, VirtAddr first, Bytes size) {
        static_cast<Shootdown*>(shootdown)->flush_others(first, size);
    }

private:
    CpuSet& m_cpus;
};

} // namespace twofold::processor
