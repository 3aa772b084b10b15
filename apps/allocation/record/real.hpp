// The functions behind the interposed ones, as the loader finds them next in its order: the C
// library's, or those of another library that is preloaded behind the recorder.
#pragma once

#include "core/base/base.hpp"

#include <sys/types.h>

namespace twofold::allocation {

struct RealAllocator {
    void* (*malloc)(usize);
    void* (*calloc)(usize, usize);
    void* (*realloc)(void*, usize);
    void* (*memalign)(usize, usize);
    void (*free)(void*);
};

struct RealEndings {
    int (*execve)(char const*, char* const*, char* const*);
    int (*execvpe)(char const*, char* const*, char* const*);
    int (*fexecve)(int, char* const*, char* const*);
    void (*exit_now)(int); ///< _exit
};

/// The allocator, or null while the calling thread looks it up: the loader allocates meanwhile.
/// Looked up at the first call.
RealAllocator const* real_allocator();

/// The functions that end a process or its program.
RealEndings const& real_endings();

} // namespace twofold::allocation
