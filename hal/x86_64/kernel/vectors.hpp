// The vectors of the metal machine: which the kernel may give out, and which the machine keeps.
//
// 0 to 31 are the processor's exceptions. The legacy controllers were moved to the 16 after them
// and masked; what they still raise is spurious. The more urgent a vector, the higher (SDM 3A,
// section 11.8.3.1).
#pragma once

#include "hal/interrupt_types.hpp"

#include <cstddef>

namespace metal::vectors {

// What interrupts.S builds on the stack.
static_assert(offsetof(hal::Interruption, vector) == 0);
static_assert(offsetof(hal::Interruption, frame.frame_pointer) == 8);
static_assert(offsetof(hal::Interruption, frame.instruction) == 16);

inline constexpr unsigned exception_count = 32;
inline constexpr unsigned count = 256;

inline constexpr unsigned legacy_first = 0x20;
inline constexpr unsigned legacy_spurious = legacy_first + 7;         ///< of the first controller
inline constexpr unsigned legacy_spurious_second = legacy_first + 15; ///< and of the second

inline constexpr hal::Vector deadline{0xfb};  ///< the last that belongs to the kernel
inline constexpr hal::Vector console{0xfc};   ///< input on the serial port
inline constexpr hal::Vector broadcast{0xfd}; ///< the HPET, on behalf of all processors
inline constexpr hal::Vector error{0xfe};     ///< of a local APIC
inline constexpr hal::Vector spurious{0xff};

inline constexpr hal::VectorRange kernel{{0x30}, deadline.value - 0x30u + 1};

} // namespace metal::vectors
