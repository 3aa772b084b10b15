// What every program for the model checker does: `--list` names the memory orders of its
// structure, one a line; without arguments it explores the source as it is, with one of these names
// it explores the source without that order. Status 0: nothing wrong was found; 1: something was.
#pragma once

#include <core/base/atomic.hpp>

#include <cstdio>
#include <initializer_list>
#include <string_view>

namespace twofold::relacy {

struct NamedSite {
    std::string_view name;
    OrderSite site;
};

/// An iteration begins without atomics, whatever became of the one before.
struct FreshAtomics {
    FreshAtomics() { ModelledAtomics::forget_all(); }
};
template<class Suite>
struct Iteration : FreshAtomics, Suite {
    void after() {
        Suite::after();
        ModelledAtomics::destroy_all();
    }
};

/// Runs `Suite`, a Relacy test suite, as `arguments` ask. Status 64 for wrong use.
template<class Suite>
int explore(
    std::initializer_list<NamedSite> sites,
    int count,
    char const* const* arguments,
    unsigned iterations = 20000) {
    std::string_view const asked = count > 1 ? arguments[1] : "";
    if (asked == "--list") {
        for (NamedSite const& site : sites) {
            std::printf("%.*s\n", static_cast<int>(site.name.size()), site.name.data());
        }
        return 0;
    }
    for (NamedSite const& site : sites) {
        weakened = site.name == asked ? site.site : weakened;
    }
    if (!asked.empty() && weakened == OrderSite::none) {
        return 64;
    }
    rl::test_params parameters;
    parameters.iteration_count = iterations;
    parameters.search_type = rl::random_scheduler_type;
    return rl::simulate<Iteration<Suite>>(parameters) ? 0 : 1;
}

} // namespace twofold::relacy
