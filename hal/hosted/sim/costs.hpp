// What the operations of a simulated processor take. docs/simulation.md says where the figures come
// from.
#pragma once

#include "hal/hosted/sim/virtual_time.hpp"

#include <array>
#include <optional>
#include <span>
#include <string_view>

namespace hosted {

struct CostTable {
    std::string_view name;
    std::array<u32, VirtualTime::operations> costs_ns; ///< by SimOperation; at least 1 each
    u32 message_delay_ns;                              ///< until it reaches the other processor
    u32 start_delay_ns; ///< until a processor that is started runs its first instruction

    u32 of(SimOperation operation) const { return costs_ns[static_cast<usize>(operation)]; }
};

/// All tables; the first is the default.
std::span<CostTable const> cost_tables();
std::optional<CostTable> find_cost_table(std::string_view name);

} // namespace hosted
