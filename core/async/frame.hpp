// Where the frames of coroutines come from: an allocator that is handed in, and that may fail.
#pragma once

#include "core/memory/allocator.hpp"

#include <bit>
#include <span>

namespace twofold::async {

/// An allocator of any type, as frames know it. It outlives every frame.
struct FrameSource {
    /// Null where there is no memory.
    std::byte* (*allocate)(void* object, Bytes size);
    /// A block of that size, or of no more than was asked for.
    void (*free)(void* object, std::byte* block, Bytes size);
    void* object;

    template<memory::Allocator A>
    static FrameSource of(A& allocator) {
        return {
            .allocate = [](void* object, Bytes size) -> std::byte* {
                auto const block =
                    static_cast<A*>(object)->allocate(size, memory::default_alignment);
                return block ? block.value() : nullptr;
            },
            .free = [](void* object, std::byte* block,
                       Bytes) { static_cast<A*>(object)->free(block).value(); },
            .object = &allocator};
    }
};

/// A frame of `size` bytes, and behind it a note of where it came from.
class FrameBlock {
public:
    explicit FrameBlock(usize size)
        : m_note_at(align_up(size, alignof(FrameSource const*))),
          m_bytes(m_note_at + sizeof(FrameSource const*)) {}

    Bytes bytes() const { return {m_bytes}; }
    /// The note of a frame that lies at `block`.
    FrameSource const*& note(std::byte* block) const {
        return *room_for<FrameSource const*>(std::span(block, m_bytes).subspan(m_note_at).data());
    }

private:
    usize m_note_at;
    usize m_bytes;
};

/// Null where there is no memory. Nothing in a frame is aligned to more than
/// memory::default_alignment, which compilers do not see to.
inline void* allocate_frame(FrameSource const& source, usize size) {
    FrameBlock const room(size);
    std::byte* const block = source.allocate(source.object, room.bytes());
    if (block != nullptr) [[likely]] {
        std::construct_at(&room.note(block), &source);
    }
    return block;
}

inline void free_frame(void* frame, usize size) {
    auto* const block = room_for<std::byte>(frame);
    FrameBlock const room(size);
    FrameSource const& source = *room.note(block);
    source.free(source.object, block, room.bytes());
}

/// Whether a frame can begin there. Compilers have put what a condition awaits before it (g++ 12;
/// see task.hpp), and made handles that lead a word past its beginning.
inline bool is_frame(void* address) {
    return is_aligned(std::bit_cast<u64>(address), memory::default_alignment.value);
}

} // namespace twofold::async
