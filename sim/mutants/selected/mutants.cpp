// Builds whose operations can be flipped.
#include "sim/mutants/mutants.hpp"

#include "apps/host/mutants/selected/mutant_table.hpp"

namespace twofold::sim {

std::vector<std::string_view> mutant_names() {
    std::vector<std::string_view> names;
    for (host::NamedMutant const& each : host::named_mutants()) {
        names.push_back(each.name);
    }
    return names;
}

void flip(std::string_view name) {
    auto const found = name.empty() ? std::optional(Mutant::none) : host::find_mutant(name);
    CHECK(found.has_value());
    select_mutant(*found);
}

} // namespace twofold::sim
