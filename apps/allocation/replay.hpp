// Replays a schedule on any allocator: the template that the replayer's workers and C++ benchmarks
// share. It allocates as the recorded program did, writes every block, and looks on release, on
// resize and after a zeroed allocation whether the contents are what they must be.
//
// It allocates nothing itself: the table of blocks is handed in, so that whatever is measured
// belongs to the allocator. Neighbours: schedule.hpp, which makes the operations.
#pragma once

#include "apps/allocation/operation.hpp"

#include <algorithm>
#include <concepts>
#include <cstring>
#include <span>

namespace twofold::allocation {

/// What is replayed on. A null pointer is a refusal; the replay goes on without the object and
/// counts it.
template<class Heap>
concept ReplayHeap = requires(Heap& heap, void* block, usize size, usize alignment) {
    { heap.allocate(size) } -> std::same_as<void*>;
    { heap.allocate_zeroed(size) } -> std::same_as<void*>;
    { heap.allocate_aligned(size, alignment) } -> std::same_as<void*>;
    { heap.resize(block, size, size) } -> std::same_as<void*>; // block, old size, new size
    heap.release(block, size);
};

/// What is done to the memory of a block.
enum class Touch : u8 {
    all,  ///< every byte is written, and verified before it goes
    none, ///< nothing: the cost of the allocator's calls alone
};

/// A place of the table: the block that is in it.
struct Block {
    void* address = nullptr;
    u64 size = 0;
    u64 stamp = 0; ///< what its words hold
};

struct ReplayOutcome {
    u64 refused = 0;       ///< requests that the allocator could not serve
    u64 wrong_content = 0; ///< blocks that did not hold what was written, or were not zero
    u64 misaligned = 0;    ///< blocks at an address of less alignment than was asked for
    u64 first_wrong_operation = 0;

    bool clean() const { return refused == 0 && wrong_content == 0 && misaligned == 0; }
    void note_wrong(u64 operation) {
        first_wrong_operation = wrong_content == 0 ? operation : first_wrong_operation;
        ++wrong_content;
    }
};

namespace detail {

inline constexpr usize word_bytes = sizeof(u64);
inline constexpr u64 stamp_multiplier = 0x9E37'79B9'7F4A'7C15; ///< 2^64 divided by the golden ratio
inline constexpr u8 malloc_alignment_log2 = 4;

/// A number that differs from allocation to allocation and is never zero.
inline u64 stamp_of(u64 operation) {
    return (operation + 1) * stamp_multiplier | 1;
}

/// Writes the words of `stamp` over [from, to) of a block; `from` is rounded down to a word.
inline void fill(void* block, u64 from, u64 to, u64 stamp) {
    auto* const bytes = static_cast<std::byte*>(block);
    u64 at = from / word_bytes * word_bytes;
    for (; at + word_bytes <= to; at += word_bytes) {
        std::memcpy(bytes + at, &stamp, word_bytes);
    }
    if (at < to) {
        std::memcpy(bytes + at, &stamp, to - at);
    }
}

/// Whether the first `size` bytes of a block hold the words of `stamp`.
inline bool holds(void const* block, u64 size, u64 stamp) {
    auto const* const bytes = static_cast<std::byte const*>(block);
    u64 difference = 0;
    u64 at = 0;
    for (; at + word_bytes <= size; at += word_bytes) {
        u64 word = 0;
        std::memcpy(&word, bytes + at, word_bytes);
        difference |= word ^ stamp;
    }
    return difference == 0 && (at == size || std::memcmp(bytes + at, &stamp, size - at) == 0);
}

/// The least alignment that malloc promises for a size: that of any object that fits.
inline u8 natural_alignment_log2(u64 size) {
    return size >= 16 ? malloc_alignment_log2 : size >= 8 ? u8{3} : u8{0};
}

inline bool is_aligned_to(void const* block, u8 alignment_log2) {
    return std::bit_cast<u64>(block) % (u64{1} << alignment_log2) == 0;
}

} // namespace detail

/// The state of one replay: the table of blocks, and what was found.
template<ReplayHeap Heap, Touch touch>
class Replay {
public:
    /// `blocks` has an entry for every place; both outlive the replay.
    Replay(Heap& heap, std::span<Block> blocks) : m_heap(heap), m_blocks(blocks) {}

    /// Executes operation number `number`. The cost is the allocator's and that of touching the
    /// block.
    void execute(Operation const& operation, u64 number) {
        CHECK(operation.place < m_blocks.size());
        Block& block = m_blocks[operation.place];
        switch (operation.kind) {
        case EventKind::allocate:
        case EventKind::allocate_zeroed:
        case EventKind::allocate_aligned:
            return allocate(operation, number, block);
        case EventKind::resize:
            return resize(operation, number, block);
        case EventKind::release:
            return release(number, block);
        case EventKind::thread:
            break;
        }
        CHECK(operation.kind != EventKind::thread);
    }

    /// Releases what is still alive, so that its contents are verified too. O(places).
    void release_rest(u64 number) {
        for (Block& block : m_blocks) {
            release(number, block);
        }
    }

    ReplayOutcome const& outcome() const { return m_outcome; }

private:
    void allocate(Operation const& operation, u64 number, Block& block) {
        bool const zeroed = operation.kind == EventKind::allocate_zeroed;
        bool const aligned = operation.kind == EventKind::allocate_aligned;
        void* const address =
            aligned  ? m_heap.allocate_aligned(operation.size, usize{1} << operation.alignment_log2)
            : zeroed ? m_heap.allocate_zeroed(operation.size)
                     : m_heap.allocate(operation.size);
        block = {.address = address, .size = operation.size, .stamp = detail::stamp_of(number)};
        if (address == nullptr) {
            m_outcome.refused += operation.size != 0 ? 1 : 0;
            return;
        }
        u8 const alignment =
            aligned ? operation.alignment_log2 : detail::natural_alignment_log2(operation.size);
        m_outcome.misaligned += detail::is_aligned_to(address, alignment) ? 0 : 1;
        if constexpr (touch == Touch::all) {
            if (zeroed && !detail::holds(address, operation.size, 0)) {
                m_outcome.note_wrong(number);
            }
            detail::fill(address, 0, operation.size, block.stamp);
        }
    }

    void resize(Operation const& operation, u64 number, Block& block) {
        if (block.address == nullptr) {
            return;
        }
        void* const address = m_heap.resize(block.address, block.size, operation.size);
        if (address == nullptr) {
            m_outcome.refused += 1;
            return;
        }
        u64 const kept = std::min(block.size, operation.size);
        block.address = address;
        block.size = operation.size;
        if constexpr (touch == Touch::all) {
            if (!detail::holds(address, kept, block.stamp)) {
                m_outcome.note_wrong(number);
            }
            detail::fill(address, kept, operation.size, block.stamp);
        }
    }

    void release(u64 number, Block& block) {
        if (block.address == nullptr) {
            return;
        }
        if constexpr (touch == Touch::all) {
            if (!detail::holds(block.address, block.size, block.stamp)) {
                m_outcome.note_wrong(number);
            }
        }
        m_heap.release(block.address, block.size);
        block.address = nullptr;
    }

    Heap& m_heap;
    std::span<Block> m_blocks;
    ReplayOutcome m_outcome;
};

/// Replays all operations in recorded order on one thread. `after(n)` is called after operation n;
/// an empty function costs nothing. What is still alive at the end stays alive: release_rest of the
/// returned replay gives it back.
template<Touch touch, ReplayHeap Heap, std::invocable<u64> After>
Replay<Heap, touch>
replay(std::span<Operation const> operations, std::span<Block> blocks, Heap& heap, After&& after) {
    Replay<Heap, touch> run(heap, blocks);
    for (u64 number = 0; number < operations.size(); ++number) {
        run.execute(operations[number], number);
        after(number);
    }
    return run;
}

} // namespace twofold::allocation
