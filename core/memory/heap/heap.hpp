// The heap: caches of exact sizes in front, best fit with coalescing behind them, and nothing that
// it steers by within reach of an overflow. docs/heap.md says why it is built so and
// what else was tried.
//
//     allocate    the caller's stack of that length  ->  a batch of holes from the space
//     free        the caller's stack of that length  ->  its older half back to the space
//
// From 1 KiB on, quick lists take the place of stacks, and from 32 KiB on nothing does.
//
// A block belongs to nobody: whoever frees it keeps it in the own cache, so a block that was
// allocated elsewhere costs no more than any other. Every free is checked against the block map:
// double frees, interior, misaligned and foreign pointers are errors in every build.
//
// The heap object, its tables and its caches lie at the beginning of its own range.
#pragma once

#include "core/memory/heap/audit.hpp"
#include "core/memory/heap/heap_object.hpp"
#include "core/memory/heap/medium_paths.hpp"
#include "core/memory/heap/resize_paths.hpp"
#include "core/memory/heap/slow_paths.hpp"
