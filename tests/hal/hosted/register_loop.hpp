// A computation that keeps every register busy.
#pragma once

#include "core/base/base.hpp"

/// Fills the general registers and, from `pattern` (512 bytes), the vector registers, and looks for
/// `rounds` rounds whether they stay what they are; reads the word at `touched` in each round. 0 if
/// so. The processor has AVX2.
extern "C" twofold::u64
register_loop(twofold::u64 rounds, void const* pattern, void const* touched);

/// Writes below the stack pointer, as a function that calls nothing may, and looks whether it stays
/// there. 0 if so.
extern "C" twofold::u64 red_zone_loop(twofold::u64 rounds);
