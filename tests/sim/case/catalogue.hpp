// What the program of the tests can run.
#pragma once

#include "sim/case/case.hpp"

namespace twofold::sim {

inline Catalogue test_catalogue() {
    return {
        .build = "5eed",
        .workloads =
            {{"heap", "allocates and frees", 64, 2, 4}, {"pools", "takes \"objects\"", 32, 1, 1}},
        .faults = hosted::FaultKinds(),
        .mutants = {"base_align_up", "heap_double_free"},
        .costs = {"xeon", "flat"}};
}

} // namespace twofold::sim
