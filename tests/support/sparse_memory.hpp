// Physical memory of any size for host tests and benchmarks: addresses from 0, backed by the host
// only where something is written.
#pragma once

#include "core/base/base.hpp"

#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

namespace twofold::test {

/// Zeroed bytes; ends the program where the host refuses.
class SparseMemory {
public:
    explicit SparseMemory(Bytes size) : m_size(size) {
        void* const place = mmap(
            nullptr, size.value, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (place == MAP_FAILED) {
            std::perror("no address space for simulated memory");
            std::abort();
        }
        m_bytes = static_cast<std::byte*>(place);
    }
    ~SparseMemory() { munmap(m_bytes, m_size.value); }
    SparseMemory(SparseMemory const&) = delete;
    SparseMemory& operator=(SparseMemory const&) = delete;

    std::byte* bytes() const { return m_bytes; }
    Bytes size() const { return m_size; }

private:
    std::byte* m_bytes;
    Bytes m_size;
};

} // namespace twofold::test
