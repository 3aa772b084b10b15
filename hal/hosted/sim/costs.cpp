// See costs.hpp.
#include "hal/hosted/sim/costs.hpp"

#include <algorithm>
#include <iterator>

namespace hosted {

namespace {

constexpr std::string_view names[] = {"load",  "store",  "update",      "flag",        "pause",
                                      "clock", "device", "message",     "translation", "console",
                                      "edge",  "copy",   "copied-bytes"};
static_assert(std::size(names) == VirtualTime::operations);

/// From nanoseconds, in the order of SimOperation.
consteval std::array<u32, VirtualTime::operations>
costs(std::array<double, VirtualTime::operations> const& nanoseconds) {
    std::array<u32, VirtualTime::operations> parts{};
    for (usize i = 0; i < parts.size(); ++i) {
        parts[i] = static_cast<u32>(nanoseconds[i] * VirtualTime::parts_of_ns);
    }
    return parts;
}

// In the order of SimOperation.
constexpr CostTable tables[] = {
    {"xeon", costs({0.5, 0.4, 12, 0.4, 40, 29, 400, 200, 300, 2'000, 0.6, 5, 0.1}), 1'000, 100'000},
    {"steps",
     costs({1, 1, 6, 1, 40, 20, 400, 200, 300, 2'000, 1, 1, 1.0 / VirtualTime::parts_of_ns}), 1'000,
     100'000},
    {"flat", costs({10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10}), 10, 10},
    {"slow-memory", costs({80, 80, 160, 0.4, 40, 29, 800, 400, 1'200, 4'000, 0.6, 5, 10}), 2'000,
     200'000}};

static_assert(
    std::ranges::all_of(
        tables,
        [](CostTable const& table) {
            return std::ranges::all_of(table.costs, [](u32 cost) { return cost > 0; });
        }),
    "or a loop of such points would never end");

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

std::span<std::string_view const> operation_names() {
    return names;
}

} // namespace hosted
