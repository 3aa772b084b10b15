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
    /// By SimOperation, in 256ths of a nanosecond; at least 1 each.
    std::array<u32, VirtualTime::operations> costs;
    u32 message_delay_ns; ///< until it reaches the other processor
    u32 start_delay_ns;   ///< until a processor that is started runs its first instruction

    /// In whole nanoseconds, rounded up.
    u32 ns_of(SimOperation operation) const {
        u32 const parts = VirtualTime::parts_of_ns;
        return (costs[static_cast<usize>(operation)] + parts - 1) / parts;
    }
};

/// All tables; the first is the default.
std::span<CostTable const> cost_tables();
std::optional<CostTable> find_cost_table(std::string_view name);
/// What the operations are called, by SimOperation.
std::span<std::string_view const> operation_names();

} // namespace hosted
