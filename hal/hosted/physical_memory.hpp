// The physical memory of one machine: one memory file of the host, the window that all views of it
// lie in, and the machine's own view. See windows.hpp for the window. Behind the memory the file
// has the tables of what devices may reach (dma_tables.hpp), which are zero in a memory that is
// clear, and are copied with it.
#pragma once

#include "hal/hosted/dma_tables.hpp"
#include "hal/hosted/page_walk.hpp"
#include "hal/hosted/windows.hpp"

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hosted {

/// A copy of what memory holds; ranges that were never written are left out.
struct MemoryCopy {
    struct Extent {
        u64 offset;
        std::vector<std::byte> bytes;
    };
    u64 size = 0;
    std::vector<Extent> extents;
};

class PhysicalMemory {
public:
    /// The least that firmware, stacks and a kernel fit into.
    static constexpr u64 size_min = u64{4} << 20;

    /// Reserves window `window` and makes `size` bytes of zeroed memory. The error is one line that
    /// says what is wrong and what to do.
    static std::expected<std::unique_ptr<PhysicalMemory>, std::string>
    create(u64 size, unsigned window);

    PhysicalMemory(PhysicalMemory const&) = delete;
    PhysicalMemory& operator=(PhysicalMemory const&) = delete;
    ~PhysicalMemory();

    u64 size() const { return m_size; }
    int file() const { return m_file; }
    WindowPlan const& plan() const { return m_plan; }

    /// The machine's own view, always accessible.
    PhysicalSpan span() const;
    /// What devices may reach.
    DmaTables dma() const { return {span().base + m_size, m_size}; }

    /// Where the virtual CPUs lie: ordinary memory, not part of the file.
    std::span<std::byte> cpu_area() const;

    /// Copies what has been written. O(memory in use).
    MemoryCopy copy() const;
    /// Makes the memory equal to `copy`, whose size is the same. O(memory in use).
    void assign(MemoryCopy const& copy);
    /// Makes each byte of memory `fill`, as it was after the last call but for what was reached
    /// since. O(memory reached).
    void clear(std::byte fill = {});
    /// Somebody may write there from now on. Signal-safe.
    void note_reach(u64 offset, u64 size) const;

private:
    static constexpr u64 reach_bytes = u64{2} << 20;

    PhysicalMemory(u64 size, WindowPlan const& plan)
        : m_size(size), m_reached(size / reach_bytes + 1, u8{1}), m_plan(plan) {}

    /// Memory and tables.
    u64 file_bytes() const { return m_size + dma_table_bytes(m_size); }
    void give_back(u64 from);

    u64 m_size;
    /// Since it was last cleared, by blocks of 2 MiB.
    mutable std::vector<u8> m_reached;
    WindowPlan m_plan;
    int m_file = -1;
    bool m_reserved = false;
};

} // namespace hosted
