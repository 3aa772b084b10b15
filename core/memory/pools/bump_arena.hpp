// BumpArena: memory for what ends together. Blocks are cut one behind the other from chunks of
// another allocator; nothing is freed by itself. A checkpoint remembers a place, and going back to
// it gives up everything that was made since.
//
// Checkpoints lie in the arena like everything else, each with a number and a link to the one
// before, so that going back to one that is gone already is noticed and changes nothing.
//
// Source: D. Hanson, "Fast allocation and deallocation of memory based on object lifetimes",
// Software: Practice and Experience 20(1), 1990.
#pragma once

#include "core/memory/allocator.hpp"
#include "core/memory/heap/raw.hpp"

#include <algorithm>
#include <span>
#include <type_traits>
#include <utility>

namespace twofold::memory {

struct ArenaStatistics {
    u64 chunks = 0;
    Bytes held{};        ///< in chunks
    Bytes used{};        ///< of them, alignment and checkpoints included
    Bytes used_max{};    ///< ever at once
    u64 allocations = 0; ///< ever
    u64 refused = 0;
};

/// The allocator outlives the arena. One context at a time.
template<Allocator A>
class BumpArena {
public:
    static constexpr Bytes default_chunk{16 << 10};

    /// Names a place. Of no use for another arena, or once the arena went back beyond it.
    struct Checkpoint {
        BumpArena const* arena;
        u64 number;
    };

    /// An arena whose chunks have `chunk` bytes, records included, or more where one block needs
    /// more. Takes no memory yet.
    explicit BumpArena(A& allocator, Bytes chunk = default_chunk)
        : m_allocator(&allocator), m_chunk_size(std::max(chunk.value, chunk_min)) {}
    BumpArena(BumpArena const&) = delete;
    BumpArena& operator=(BumpArena const&) = delete;
    ~BumpArena() { release_chunks(nullptr); }

    /// `size` bytes at a multiple of `alignment`; content undefined. Errors: invalid_argument (size
    /// 0, an alignment that is no power of two), those of the allocator. O(1) but for a new chunk.
    Result<std::byte*> allocate(Bytes size, Bytes alignment = default_alignment) {
        if (size.value == 0 || !is_power_of_two(alignment.value)) {
            return Error::invalid_argument;
        }
        std::byte* place = cut(size.value, alignment.value);
        if (place == nullptr) {
            Result<void> const grown = grow(size.value, alignment.value);
            if (!grown) {
                ++m_statistics.refused;
                return grown.error();
            }
            place = cut(size.value, alignment.value);
            CHECK(place != nullptr);
        }
        ++m_statistics.allocations;
        m_statistics.used_max = std::max(m_statistics.used_max, used());
        return place;
    }

    /// An object made of `arguments`. Nobody ends it. Errors: as allocate's.
    template<class T, class... Arguments>
    Result<T*> make(Arguments&&... arguments) {
        static_assert(std::is_trivially_destructible_v<T>, "an arena forgets, it does not destroy");
        std::byte* const place = TRY(allocate({sizeof(T)}, {alignof(T)}));
        return std::construct_at(room_for<T>(place), std::forward<Arguments>(arguments)...);
    }
    /// `count` objects, each made by its default constructor. Errors: as allocate's; out_of_memory,
    /// where the number of bytes does not fit in a word.
    template<class T>
    Result<std::span<T>> make_array(u64 count) {
        static_assert(std::is_trivially_destructible_v<T>, "an arena forgets, it does not destroy");
        if (count > ~u64{0} / sizeof(T)) {
            return Error::out_of_memory;
        }
        std::byte* const place = TRY(allocate({count * sizeof(T)}, {alignof(T)}));
        std::span<T> const made(room_for<T>(place), count);
        for (T& each : made) {
            std::construct_at(&each);
        }
        return made;
    }

    /// Remembers where the arena is. Errors: those of the allocator. O(1).
    Result<Checkpoint> checkpoint() {
        Mark const mark{m_mark, m_marks_ever + 1, m_chunk, m_chunk == nullptr ? 0 : m_chunk->used};
        std::byte* const place = TRY(allocate({sizeof(Mark)}, {alignof(Mark)}));
        m_mark = std::construct_at(room_for<Mark>(place), mark);
        return Checkpoint{this, ++m_marks_ever};
    }

    /// Gives up everything that was made since the checkpoint, and the checkpoint. Errors:
    /// invalid_argument (another arena's), invalid_state (it is gone). O(checkpoints and chunks
    /// given up).
    Result<void> rewind(Checkpoint const& to) {
        if (to.arena != this) {
            return Error::invalid_argument;
        }
        Mark const* mark = m_mark;
        while (mark != nullptr && mark->number > to.number) {
            mark = mark->before;
        }
        if (mark == nullptr || mark->number != to.number) {
            return Error::invalid_state;
        }
        Mark const found = *mark; // it lies in what is given up
        m_mark = found.before;
        release_chunks(found.chunk);
        if (m_chunk != nullptr) {
            m_chunk->used = found.used;
        }
        return {};
    }

    /// Gives up everything. One chunk of the ordinary size is kept for what comes next. O(chunks).
    void reset() {
        m_mark = nullptr;
        Chunk* first = m_chunk;
        while (first != nullptr && first->before != nullptr) {
            first = first->before;
        }
        release_chunks(first != nullptr && first->size == m_chunk_size ? first : nullptr);
        if (m_chunk != nullptr) {
            m_chunk->used = sizeof(Chunk);
        }
    }

    /// Whether `pointer` lies in memory that is handed out. O(chunks).
    bool holds(void const* pointer) const {
        for (Chunk* chunk = m_chunk; chunk != nullptr; chunk = chunk->before) {
            u64 const offset = heap::address_of(pointer) - heap::address_of(chunk);
            if (offset >= sizeof(Chunk) && offset < chunk->used) {
                return true;
            }
        }
        return false;
    }
    /// The byte `before` ahead of `pointer`, where both lie in one chunk, handed out or not; else
    /// null. O(chunks).
    std::byte* locate(void const* pointer, u64 before) const {
        for (Chunk* chunk = m_chunk; chunk != nullptr; chunk = chunk->before) {
            u64 const offset = heap::address_of(pointer) - heap::address_of(chunk);
            if (offset >= sizeof(Chunk) && offset < chunk->size) {
                bool const reaches = offset - sizeof(Chunk) >= before;
                return reaches ? heap::byte_at(room_for<std::byte>(chunk), offset - before)
                               : nullptr;
            }
        }
        return nullptr;
    }

    ArenaStatistics statistics() const {
        ArenaStatistics seen = m_statistics;
        seen.used = used();
        return seen;
    }

    /// Walks chunks and checkpoints. Errors: corrupted. O(both).
    Result<void> verify() const {
        u64 chunks = 0;
        u64 held = 0;
        u64 full = 0;
        for (Chunk* chunk = m_chunk; chunk != nullptr; chunk = chunk->before) {
            if (chunk->used < sizeof(Chunk) || chunk->used > chunk->size) {
                return Error::corrupted;
            }
            held += chunk->size;
            full += chunk == m_chunk ? 0 : chunk->used;
            if (++chunks > m_statistics.chunks) {
                return Error::corrupted;
            }
        }
        u64 number = m_marks_ever + 1;
        for (Mark const* mark = m_mark; mark != nullptr; mark = mark->before) {
            if (!holds(mark) || mark->number >= number) {
                return Error::corrupted;
            }
            number = mark->number;
        }
        bool const sound =
            chunks == m_statistics.chunks && held == m_statistics.held.value && full == m_full;
        return sound ? Result<void>() : Result<void>(Error::corrupted);
    }

private:
    /// Lies at the beginning of a chunk.
    struct Chunk {
        Chunk* before;
        u64 size; ///< all of it
        u64 used; ///< from its beginning on
    };
    /// What a checkpoint goes back to.
    struct Mark {
        Mark* before;
        u64 number;
        Chunk* chunk; ///< null: nothing had been taken
        u64 used;
    };
    static constexpr u64 chunk_min = 256;

    Bytes used() const { return {m_full + (m_chunk == nullptr ? 0 : m_chunk->used)}; }

    /// A block at the end of what is used of the last chunk, or null. No sum here wraps: the chunk
    /// lies in memory.
    std::byte* cut(u64 size, u64 alignment) {
        if (m_chunk == nullptr) {
            return nullptr;
        }
        std::byte* const base = room_for<std::byte>(m_chunk);
        u64 const next = heap::address_of(base) + m_chunk->used;
        u64 const padding = (alignment - 1) & (0 - next);
        u64 const left = m_chunk->size - m_chunk->used;
        if (padding > left || size > left - padding) {
            return nullptr;
        }
        std::byte* const place = heap::byte_at(base, m_chunk->used + padding);
        m_chunk->used += padding + size;
        return place;
    }

    Result<void> grow(u64 size, u64 alignment) {
        u64 const slack = alignment > default_alignment.value ? alignment : 0;
        u64 const around = sizeof(Chunk) + default_alignment.value + slack;
        if (size > ~u64{0} / 2 || slack > ~u64{0} / 4) {
            return Error::out_of_memory;
        }
        u64 const whole = std::max(m_chunk_size, size + around);
        std::byte* const place = TRY(m_allocator->allocate({whole}, default_alignment));
        m_full += m_chunk == nullptr ? 0 : m_chunk->used;
        m_chunk = std::construct_at(room_for<Chunk>(place), Chunk{m_chunk, whole, sizeof(Chunk)});
        ++m_statistics.chunks;
        m_statistics.held += Bytes{whole};
        return {};
    }

    /// Gives the chunks behind `last` back.
    void release_chunks(Chunk* last) {
        while (m_chunk != last) {
            Chunk const chunk = *m_chunk;
            Result<void> const freed = m_allocator->free(room_for<std::byte>(m_chunk));
            CHECK(freed.has_value());
            --m_statistics.chunks;
            m_statistics.held = m_statistics.held - Bytes{chunk.size};
            m_chunk = chunk.before;
            m_full -= m_chunk == nullptr ? 0 : m_chunk->used;
        }
    }

    A* m_allocator;
    u64 m_chunk_size;
    Chunk* m_chunk = nullptr; ///< the last one
    u64 m_full = 0;           ///< used in the chunks before it
    Mark* m_mark = nullptr;
    u64 m_marks_ever = 0;
    ArenaStatistics m_statistics{};
};

/// An arena as an Allocator, for containers: they live at most as long as what the arena holds. A
/// block that is freed is only noted; the arena gives it up with the rest. Each is preceded by a
/// header with its size and a seal that ties it to its place. O(chunks) an operation on a block,
/// making one also O(size).
template<Allocator A>
class ArenaAllocator {
public:
    explicit ArenaAllocator(BumpArena<A>& arena) : m_arena(&arena) {}

    Result<std::byte*> allocate(Bytes size, Bytes alignment) {
        if (size.value == 0 || !is_power_of_two(alignment.value)) {
            return Error::invalid_argument;
        }
        u64 const step = std::max<u64>(alignment.value, sizeof(Header));
        u64 const kept = align_up(size.value, default_alignment.value);
        if (kept < size.value || kept > ~u64{0} - step) {
            return Error::out_of_memory;
        }
        std::byte* const front = TRY(m_arena->allocate({step + kept}, {step}));
        std::byte* const block = heap::byte_at(front, step);
        // A seal that an earlier block left behind would make a pointer into this one a block.
        for (u64 at = 0; at < step + kept; at += sizeof(Header)) {
            std::construct_at(room_for<Header>(heap::byte_at(front, at)), Header{});
        }
        std::construct_at(
            room_for<Header>(heap::byte_at(front, step - sizeof(Header))),
            Header{kept, seal_of(block)});
        m_statistics.requested_ever += size;
        m_statistics.reserved_ever += Bytes{kept};
        m_statistics.reserved += Bytes{kept};
        return block;
    }
    Result<void> free(std::byte* block) {
        Header& header = *TRY(find(block));
        header.seal = ~seal_of(block);
        m_statistics.reserved = m_statistics.reserved - Bytes{header.size};
        return {};
    }
    Result<std::byte*> resize(std::byte* block, Bytes size, Bytes alignment) {
        Header& header = *TRY(find(block));
        if (size.value == 0 || !is_power_of_two(alignment.value)) {
            return Error::invalid_argument;
        }
        if (size.value <= header.size && is_aligned(heap::address_of(block), alignment.value)) {
            return block;
        }
        std::byte* const moved = TRY(allocate(size, alignment));
        std::ranges::copy(std::span(block, std::min(size.value, header.size)), moved);
        free(block).value();
        return moved;
    }
    Result<Bytes> usable_size(std::byte* block) { return Bytes{TRY(find(block))->size}; }
    AllocatorStatistics statistics() const {
        AllocatorStatistics seen = m_statistics;
        seen.committed = m_arena->statistics().held;
        return seen;
    }
    Result<void> verify() { return m_arena->verify(); }

private:
    struct Header {
        u64 size;
        u64 seal; ///< the complement of it: freed
    };
    static_assert(sizeof(Header) == default_alignment.value);
    static u64 seal_of(std::byte const* block) {
        return (heap::address_of(block) ^ 0x5ea1'ed) * 0x9E37'79B9'7F4A'7C15;
    }

    Result<Header*> find(std::byte* block) const {
        if (m_arena->locate(block, 0) == nullptr) {
            return Error::out_of_range;
        }
        bool const aligned = is_aligned(heap::address_of(block), default_alignment.value);
        std::byte* const front = aligned ? m_arena->locate(block, sizeof(Header)) : nullptr;
        if (front == nullptr) {
            return Error::invalid_argument;
        }
        Header* const header = room_for<Header>(front);
        if (header->seal == ~seal_of(block)) {
            return Error::invalid_state;
        }
        bool const lives = header->seal == seal_of(block) && m_arena->holds(block);
        return lives ? Result<Header*>(header) : Result<Header*>(Error::invalid_argument);
    }

    BumpArena<A>* m_arena;
    AllocatorStatistics m_statistics{};
};

} // namespace twofold::memory
