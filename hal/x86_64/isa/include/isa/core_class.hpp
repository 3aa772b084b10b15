// What kind of core a processor is, where a machine mixes them. Pure.
//
// Source: SDM volume 2A, CPUID leaf 7 (EDX bit 15: hybrid) and leaf 0x1A (EAX bits 31 to 24).
#pragma once

#include "hal/processors_types.hpp"
#include "isa/cpuid.hpp"

namespace isa {

/// From leaf 7, subleaf 0, and leaf 0x1A of the processor in question; a leaf that it does not have
/// is all zero. O(1).
constexpr hal::CoreClass core_class(CpuidLeaf const& structured, CpuidLeaf const& native_model) {
    constexpr u32 hybrid = u32{1} << 15;
    constexpr u32 atom = 0x20, core = 0x40;
    if ((structured.edx & hybrid) == 0) {
        return hal::CoreClass::uniform;
    }
    switch (native_model.eax >> 24) {
    case atom:
        return hal::CoreClass::efficiency;
    case core:
        return hal::CoreClass::performance;
    default:
        return hal::CoreClass::uniform;
    }
}

} // namespace isa
