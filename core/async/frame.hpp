// Where the frames of coroutines come from: an allocator that is handed in, and that may fail.
#pragma once

#include "core/memory/allocator.hpp"

namespace twofold::async {

/// An allocator of any type, as frames know it. It outlives every frame.
struct FrameSource {
    Result<std::byte*> (*allocate)(void* object, Bytes size);
    void (*free)(void* object, std::byte* block);
    void* object;

    template<memory::Allocator A>
    static FrameSource of(A& allocator) {
        return {
            .allocate = [](void* object, Bytes size) -> Result<std::byte*> {
                return static_cast<A*>(object)->allocate(size, memory::default_alignment);
            },
            .free = [](void* object,
                       std::byte* block) { static_cast<A*>(object)->free(block).value(); },
            .object = &allocator};
    }
};

/// What lies before a frame.
struct alignas(memory::default_alignment.value) FrameNote {
    FrameSource const* source;
    void const* frame;

    static FrameNote* of(void* frame) { return room_for<FrameNote>(frame) - 1; }
};

/// A frame, behind a note of where it came from. Null where there is no memory. Nothing in a frame
/// is aligned to more than memory::default_alignment, which compilers do not see to.
inline void* allocate_frame(FrameSource const& source, usize size) {
    auto const block = source.allocate(source.object, {size + sizeof(FrameNote)});
    if (!block) {
        return nullptr;
    }
    auto* const note = room_for<FrameNote>(block.value());
    void* const frame = note + 1;
    std::construct_at(note, FrameNote{&source, frame});
    return frame;
}

inline void free_frame(void* frame) {
    FrameNote const& note = *FrameNote::of(frame);
    note.source->free(note.source->object, room_for<std::byte>(FrameNote::of(frame)));
}

/// Whether a handle leads to the beginning of a frame. Compilers have put what a condition awaits
/// before it (g++ 12; see task.hpp): such a coroutine is found when it is first called.
inline bool is_frame(void* address) {
    return FrameNote::of(address)->frame == address;
}

} // namespace twofold::async
