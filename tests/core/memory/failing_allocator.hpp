// Any allocator, with allocations that fail when the test says so.
#pragma once

#include "core/memory/allocator.hpp"

namespace twofold::memory::testing {

/// Refuses its n-th allocation, or that and all later ones, and knows what is still out. A resize
/// counts as an allocation.
template<Allocator A>
class FailingAllocator {
public:
    explicit FailingAllocator(A& allocator) : m_allocator(allocator) {}

    Result<std::byte*> allocate(Bytes size, Bytes alignment) {
        if (is_refused()) {
            return Error::out_of_memory;
        }
        std::byte* const block = TRY(m_allocator.allocate(size, alignment));
        ++m_out;
        return block;
    }
    Result<void> free(std::byte* block) {
        TRY(m_allocator.free(block));
        --m_out;
        return {};
    }
    Result<std::byte*> resize(std::byte* block, Bytes size, Bytes alignment) {
        if (is_refused()) {
            return Error::out_of_memory;
        }
        return m_allocator.resize(block, size, alignment);
    }
    Result<Bytes> usable_size(std::byte* block) { return m_allocator.usable_size(block); }
    AllocatorStatistics statistics() const { return m_allocator.statistics(); }
    Result<void> verify() { return m_allocator.verify(); }

    /// The n-th from now on fails, or it and every later one; 0: none.
    void fail_at(u64 number, bool for_ever) {
        m_asked = 0;
        m_fail_at = number;
        m_for_ever = for_ever;
    }
    u64 asked() const { return m_asked; }
    u64 refused() const { return m_refused; }
    i64 out() const { return m_out; }

private:
    bool is_refused() {
        ++m_asked;
        bool const refused =
            m_fail_at != 0 && (m_asked == m_fail_at || (m_for_ever && m_asked > m_fail_at));
        m_refused += refused ? 1 : 0;
        return refused;
    }

    A& m_allocator;
    u64 m_asked = 0;
    u64 m_refused = 0;
    u64 m_fail_at = 0;
    bool m_for_ever = false;
    i64 m_out = 0;
};

} // namespace twofold::memory::testing
