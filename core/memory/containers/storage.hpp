// Typed memory of an allocator: where containers get room for objects that do not exist yet.
#pragma once

#include "core/memory/allocator.hpp"

namespace twofold::memory {

/// Room for `count` objects of T, none of which exists yet. Errors: those of allocate;
/// out_of_memory, where the number of bytes does not fit in a word.
template<class T, Allocator A>
Result<T*> allocate_room(A& allocator, u64 count) {
    constexpr u64 size = sizeof(T[1]); // sizeof a pointer looks like a slip
    if (count > ~u64{0} / size) {
        return Error::out_of_memory;
    }
    std::byte* const room = TRY(allocator.allocate({count * size}, {alignof(T)}));
    return room_for<T>(room);
}

/// Gives room back in which no object exists any more. It was this allocator's.
template<class T, Allocator A>
void free_room(A& allocator, T* room) {
    Result<void> const freed = allocator.free(room_for<std::byte>(static_cast<void*>(room)));
    CHECK(freed.has_value());
}

} // namespace twofold::memory
