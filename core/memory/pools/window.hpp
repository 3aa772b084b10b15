// Where the kernel's pools lie: a range of the views window whose pages come and go one run at a
// time, between two guards, so that what runs past either end faults at once.
#pragma once

#include "core/memory/heap/backing.hpp"
#include "core/memory/space/kernel_space.hpp"

namespace twofold::memory {

/// Owns its range; moves. The space outlives it.
class PoolWindow {
public:
    struct Request {
        Bytes size;            ///< rounded up to whole pages of `level`
        unsigned level = 0;    ///< of the pages: 0 is 4 KiB, 1 is 2 MiB
        std::string_view name; ///< of the range in the command `vm`; lives as long as the kernel
    };

    /// Reserves the range; no page of it is there yet. The guards are a page of `level` each.
    /// Errors: invalid_argument (size 0, a level that no leaf has), no_space, out_of_memory.
    /// O(ranges in the window).
    static Result<PoolWindow> create(KernelSpace& space, Request const& request);

    PoolWindow(PoolWindow&& other)
        : m_space(std::exchange(other.m_space, nullptr)),
          m_base(other.m_base),
          m_size(other.m_size),
          m_page(other.m_page) {}
    PoolWindow& operator=(PoolWindow&&) = delete;
    /// Gives all frames and the range back. O(pages).
    ~PoolWindow();

    // The concept HeapBacking.
    HeapRange range() const { return {hal::kernel_pointer(m_base), m_size}; }
    Result<void> commit(Bytes offset, Bytes size);
    void decommit(Bytes offset, Bytes size);

    /// Whether a page of the window's own level, or a larger one, is there. O(levels).
    bool is_whole_at(Bytes offset) const;
    /// Whether any page is there. O(levels).
    bool is_committed_at(Bytes offset) const;

    VirtAddr base() const { return m_base; }
    Bytes size() const { return m_size; }
    Bytes page() const { return m_page; }
    KernelSpace& space() const { return *m_space; }

private:
    PoolWindow(KernelSpace& space, VirtAddr base, Bytes size, Bytes page)
        : m_space(&space), m_base(base), m_size(size), m_page(page) {}

    KernelSpace* m_space; ///< null once moved from
    VirtAddr m_base;
    Bytes m_size;
    Bytes m_page;
};
static_assert(HeapBacking<PoolWindow>);

} // namespace twofold::memory
