// Builds whose operations can be flipped: --mutant NAME, or its number, flips one of this run;
// --list-mutants names them.
#include "apps/host/mutant_option.hpp"

#include "apps/host/mutants/selected/mutant_table.hpp"

#include <fmt/format.h>

namespace twofold {

namespace {

using host::NamedMutant;

std::string take_mutant(std::string const& text) {
    if (auto const found = host::find_mutant(text)) {
        select_mutant(*found);
        return {};
    }
    std::string names;
    for (NamedMutant const& each : host::named_mutants()) {
        names += fmt::format("{}{}", names.empty() ? "" : ", ", each.name);
    }
    return fmt::format("'{}' is no mutant; there are {}", text, names);
}

/// A line for each: its room, its name, and who notices it.
void list_mutants() {
    for (NamedMutant const& each : host::named_mutants()) {
        bool const by_scenario = each.notices == host::Notices::scenario;
        fmt::print("{} {} {}\n", each.room(), each.name, by_scenario ? "scenario" : "workload");
    }
}

} // namespace

void host::add_mutant_option(Arguments& arguments) {
    arguments.add(
        {.name = "--mutant",
         .value_name = "NAME",
         .help = "flip one operation of the kernel",
         .take = take_mutant});
    arguments.add_action(
        "--list-mutants", list_mutants,
        "list the operations that can be flipped: room, name, and what notices it");
}

} // namespace twofold
