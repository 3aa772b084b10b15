// pools: memory for objects that are made and ended often, and for large blocks of bytes. Templates
// that few need, so they are not a part of memory.hpp.
#pragma once

#include "core/memory/pools/lazy_pool.hpp"
#include "core/memory/pools/window.hpp"
