// memory: physical frames and everything above them: the memory map, the frames taken from it
// during start-up, the allocators of frames, address spaces, the heap.
#pragma once

#include "core/memory/allocator.hpp"
#include "core/memory/bump_heap.hpp"
#include "core/memory/containers/box.hpp"
#include "core/memory/containers/string.hpp"
#include "core/memory/containers/vector.hpp"
#include "core/memory/debug/debug_allocator.hpp"
#include "core/memory/debug/no_alloc.hpp"
#include "core/memory/early_frames.hpp"
#include "core/memory/frames/bitmap_frames.hpp"
#include "core/memory/frames/buddy_frames.hpp"
#include "core/memory/frames/failing_frames.hpp"
#include "core/memory/heap/heap.hpp"
#include "core/memory/kernel_heap.hpp"
#include "core/memory/list_heap.hpp"
#include "core/memory/memory_map.hpp"
#include "core/memory/space/kernel_heap_backing.hpp"
#include "core/memory/space/kernel_space.hpp"
