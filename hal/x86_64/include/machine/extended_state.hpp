// The metal machine: what XSAVE keeps. See kernel/extended_state.cpp.
#pragma once

#include "core/base/base.hpp"

#include <span>

namespace hal {

struct ExtendedState {
    static constexpr twofold::usize area_alignment = 64;
    static twofold::Bytes area_bytes();
    static void prepare(std::span<std::byte> area);
    static void restore(std::span<std::byte> area);
    static void save(std::span<std::byte> area);
    static void save_control(std::span<std::byte> area);
    static void forbid();
};

} // namespace hal
