// What the modes of malloc_subject share.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace malloc_subject {

/// Ends the process with a line that names what did not hold. Allocates nothing: a child of fork
/// uses it too.
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            dprintf(2, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                             \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (false)

constexpr std::size_t page_bytes = 4096;

template<class T>
T hidden(T value) { // from the compiler, which knows malloc
    T volatile seen = value;
    return seen;
}

inline bool aligned(void const* block, std::size_t alignment) {
    return std::bit_cast<std::uintptr_t>(block) % alignment == 0;
}

inline void fill(void* block, std::size_t size, unsigned char stamp) {
    std::memset(block, stamp, size);
}

inline bool holds(void const* block, std::size_t size, unsigned char stamp) {
    auto const* const bytes = static_cast<unsigned char const*>(block);
    return std::all_of(bytes, bytes + size, [&](unsigned char byte) { return byte == stamp; });
}

// Threads and forks; each returns the status of the process (subject_processes.cpp).
int forks();
int forks_and_execs(char const* program);
int short_lives();
int many_threads();
int orphans();
int ends();

/// Allocates, and writes and frees what it got, where a thread or the program ends. `value` is
/// freed too.
void allocate_late(void* value);

} // namespace malloc_subject
