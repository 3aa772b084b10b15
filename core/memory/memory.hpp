// memory: physical frames and everything above them. So far the memory map, the frames taken from
// it during start-up, and the allocators of frames.
#pragma once

#include "core/memory/early_frames.hpp"
#include "core/memory/frames/buddy_frames.hpp"
#include "core/memory/memory_map.hpp"
