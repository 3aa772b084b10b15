// A host thread as a processor of the hosted machine, with nothing of the machine around it: kernel
// code that needs a number, an interrupt flag and physical memory runs on it as shipped. For tests
// and benchmarks on many real threads; there are no page tables, faults or interrupts.
#pragma once

#include "core/sync/sync.hpp"
#include "hal/hosted/cpu_block.hpp"
#include "hal/hosted/gs_base.hpp"

namespace twofold::test {

/// The calling thread is processor `id` of `count` while this lives. Physical address 0 lies at
/// `memory`. `has_clzero`: what the thread's processor has, where that is to be used.
class Processor {
public:
    Processor(u32 id, u32 count, std::byte* memory, bool has_clzero = false) : m_base(&m_block) {
        m_block.self = &m_block;
        m_block.core = &m_state;
        m_block.linear_base = reinterpret_cast<u64>(memory);
        m_block.id = id;
        m_block.count = count;
        m_block.interrupts_enabled = true;
        m_block.has_clzero = has_clzero;
    }

private:
    hosted::CpuBlock m_block;
    sync::CpuState m_state;
    hosted::GsBase m_base;
};

} // namespace twofold::test
