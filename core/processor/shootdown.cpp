// See shootdown.hpp.
#include "core/processor/shootdown.hpp"

#include "hal/cpu.hpp"
#include "hal/mmu.hpp"

#include <algorithm>

namespace twofold::processor {

namespace {

struct FlushedRange {
    VirtAddr first;
    Bytes size;
};

/// On each of the others, with interrupts off; takes no lock.
void flush_here(void* argument) {
    auto const& range = *static_cast<FlushedRange const*>(argument);
    hal::Mmu::flush(range.first, range.size);
    ++this_cpu().flush_counts.served;
}

} // namespace

void Shootdown::flush_others(VirtAddr first, Bytes size) {
    CHECK(size.value != 0);
    if (m_cpus.online() <= 1) {
        return;
    }
    u64 const before = hal::Cpu::cycle_counter();
    FlushedRange range{first, size};
    m_cpus.call_others_urgently(flush_here, &range);
    u64 const waited = hal::Cpu::cycle_counter() - before;
    sync::InterruptGuard const off;
    FlushCounts& counts = this_cpu().flush_counts;
    ++counts.requests;
    counts.pages += align_up(size, page_size) / page_size;
    counts.wait_cycles += waited;
    counts.wait_cycles_max = std::max(counts.wait_cycles_max, waited);
}

} // namespace twofold::processor
