// See flush_batch.hpp.
#include "core/memory/space/flush_batch.hpp"

#include "core/memory/space/frame_view.hpp"
#include "hal/mmu.hpp"

#include <algorithm>

namespace twofold::memory {

void FlushBatch::note(VirtAddr address, Bytes size) {
    CHECK(size.value != 0);
    m_first = std::min(m_first, address.value);
    m_last = std::max(m_last, address.value + (size.value - 1));
}

void FlushBatch::release(PhysAddr block, unsigned order) {
    m_waiting.push_back({block, order}).value();
}

void FlushBatch::retire_table(PhysAddr table) {
    CHECK(table != PhysAddr{} && is_aligned(table, page_size));
    CHECK(!hal::Mmu::is_present(m_tables.value));
    frame_object<Atomic<u64>>(table)->store(m_tables.value, relaxed);
    m_tables = table;
}

void FlushBatch::flush() {
    if (m_first <= m_last && m_reach == Reach::cached) {
        VirtAddr const first{m_first};
        Bytes const size{m_last - m_first + 1};
        if (!mutant(Mutant::spaces_flush_missing)) {
            hal::Mmu::flush(first, size);
        }
        RemoteFlush const* const others = m_frames.remote_flush();
        if (others != nullptr && !mutant(Mutant::spaces_shootdown_missing)) {
            (*others)(first, size);
        }
        ++m_flushes;
    }
    m_first = ~u64{0};
    m_last = 0;
}

void FlushBatch::finish() {
    flush();
    while (m_tables != PhysAddr{}) {
        PhysAddr const table = m_tables;
        m_tables = {frame_object<Atomic<u64>>(table)->load(relaxed)};
        m_frames.release(table, 0);
    }
    for (Waiting const& waiting : m_waiting) {
        m_frames.release(waiting.block, waiting.order);
    }
    m_waiting.clear();
}

} // namespace twofold::memory
