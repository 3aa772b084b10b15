// See costs.hpp.
#include "hal/hosted/sim/costs.hpp"

namespace hosted {

namespace {

// In the order of SimOperation: loads, stores and updates of atomics, the interrupt flag, a pause,
// the clock, a device's register, a message, a change of translations, the console, an edge.
constexpr CostTable tables[] = {
    {"xeon", {1, 1, 6, 1, 40, 20, 400, 200, 300, 2'000, 1}, 1'000, 100'000},
    {"flat", {10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10}, 10, 10},
    {"slow-memory", {80, 80, 160, 1, 40, 20, 800, 400, 1'200, 4'000, 1}, 2'000, 200'000}};

} // namespace

std::span<CostTable const> cost_tables() {
    return tables;
}

std::optional<CostTable> find_cost_table(std::string_view name) {
    for (CostTable const& table : tables) {
        if (table.name == name) {
            return table;
        }
    }
    return std::nullopt;
}

} // namespace hosted
