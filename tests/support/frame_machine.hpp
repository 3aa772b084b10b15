// An allocator of frames on a machine of its own, for benchmarks: a host thread as processor,
// nothing else of the machine around it.
#pragma once

#include "core/memory/memory.hpp"
#include "tests/support/processor.hpp"
#include "tests/support/sparse_memory.hpp"

namespace twofold::bench {

/// An allocator over [1 MiB, end).
template<class F>
class FrameMachine {
public:
    explicit FrameMachine(Bytes end) : m_memory(end), m_processor(0, 1, m_memory.bytes()) {
        constexpr u64 first = 1u << 20;
        hal::MemoryRange const free[] = {{{first}, end - Bytes{first}, hal::MemoryKind::usable}};
        m_frames = F::create({.free = free}).value();
    }
    F& frames() { return *m_frames; }

private:
    test::SparseMemory m_memory;
    test::Processor m_processor;
    F* m_frames;
};

} // namespace twofold::bench
