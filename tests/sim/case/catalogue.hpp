// What the program of the tests can run.
#pragma once

#include "hal/hosted/sim/device_fault_kinds.hpp"
#include "sim/case/case.hpp"

namespace twofold::sim {

inline Catalogue test_catalogue() {
    return {
        .build = "5eed",
        .workloads =
            {{"heap", "allocates and frees", 64, 2, 4},
             {"pools", "takes \"objects\"", 32, 1, 1},
             {"register", "of several", 30, 2, 1, 3}},
        .faults = hosted::FaultKinds(hosted::device_fault_kinds()),
        .mutants = {"base_align_up", "heap_double_free"},
        .costs = {"xeon", "flat"}};
}

} // namespace twofold::sim
