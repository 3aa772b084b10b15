// Workloads that are made up: each from a seed, the same every time.
#pragma once

#include "apps/sched/workload_builder.hpp"

#include <span>
#include <string_view>

namespace twofold::lab {

struct GeneratorOptions {
    u32 cpus = 2;
    u32 nodes = 1;
    u64 seed = 1;
    Nanos duration{};
};

struct Generator {
    std::string_view name;
    std::string_view about; ///< one line
    void (*make)(WorkloadBuilder& builder, GeneratorOptions const& options);
};

/// All there are, by name.
std::span<Generator const> generators();

/// The workload of a generator; null for a name that nobody has.
Generator const* find_generator(std::string_view name);
OwnedWorkload generate(Generator const& generator, GeneratorOptions const& options);

} // namespace twofold::lab
