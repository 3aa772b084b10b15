/* What Zstandard's sources find instead of a C library: it is included before them (CMakeLists.txt).
 * Functions of memory become the compiler's; nothing is allocated or printed. */
#pragma once

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

void* memcpy(void* target, void const* source, size_t size);
void* memmove(void* target, void const* source, size_t size);
void* memset(void* target, int byte, size_t size);

#define ZSTD_DEPS_COMMON
#define ZSTD_memcpy(target, source, size) __builtin_memcpy((target), (source), (size))
#define ZSTD_memmove(target, source, size) __builtin_memmove((target), (source), (size))
#define ZSTD_memset(target, byte, size) __builtin_memset((target), (byte), (size))
#define ZSTD_DEPS_MALLOC
#define ZSTD_malloc(size) ((void)(size), (void*)0)
#define ZSTD_calloc(count, size) ((void)(count), (void)(size), (void*)0)
#define ZSTD_free(memory) ((void)(memory))
#define ZSTD_DEPS_ASSERT
#define assert(condition) ((void)0)
