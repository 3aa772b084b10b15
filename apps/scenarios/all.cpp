// The list of scenarios.
#include "apps/scenarios/scenarios.hpp"

namespace twofold::scenarios {

namespace {

constexpr twofold::boot::Scenario scenarios_in_order[] = {
    {"base", base},           {"trace", trace},   {"memory", memory},
    {"frames", frames},       {"spaces", spaces}, {"heap", heap},
    {"pools", pools},         {"acpi", acpi},     {"interrupts", interrupts},
    {"timers", timers},       {"calls", calls},   {"schedule", schedule},
    {"inversion", inversion}, {"async", async},   {"pci", pci},
    {"nvme", nvme},           {"screen", screen}, {"boot", boot}};

} // namespace

std::span<twofold::boot::Scenario const> all() {
    return scenarios_in_order;
}

} // namespace twofold::scenarios
