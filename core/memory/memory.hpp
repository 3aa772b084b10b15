// memory: physical frames and everything above them. So far the memory map and the frames taken
// from it during start-up.
#pragma once

#include "core/memory/early_frames.hpp"
#include "core/memory/memory_map.hpp"
