// pools: memory for objects that are made and ended often (LazyPool), for what ends together
// (BumpArena), for a moment (ScratchBuffers), and for large blocks of bytes (TensorPool). Templates
// that few need, so they are not a part of memory.hpp. See docs/pools.md.
#pragma once

#include "core/memory/pools/bump_arena.hpp"
#include "core/memory/pools/lazy_pool.hpp"
#include "core/memory/pools/scratch.hpp"
#include "core/memory/pools/tensor_pool.hpp"
#include "core/memory/pools/tensor_view.hpp"
#include "core/memory/pools/window.hpp"
