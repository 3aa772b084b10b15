// See case_parts.hpp.
#include "sim/run/case_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace twofold::sim {

std::string command_line_of(Case const& made, u32 machine) {
    std::string const keep = made.keep ? " keep=" + made.keep->text() : std::string();
    std::string const place = made.machines == 1
                                  ? std::string()
                                  : fmt::format(" machine={} machines={}", machine, made.machines);
    return fmt::format(
        "console=pipe command=\"workload {} seed={} operations={} threads={}{}{}\"", made.workload,
        made.seed, made.operations, made.threads, place, keep);
}

hosted::MachineConfig machine_of(Case const& made, Place const& place) {
    hosted::MachineConfig config;
    config.memory_bytes = memory_bytes;
    config.memory_fill = place.fill;
    config.cpus = made.cpus;
    config.window = place.window;
    return config;
}

hosted::CostTable costs_of(Case const& made) {
    return hosted::find_cost_table(made.costs).value_or(hosted::cost_tables().front());
}

void note_reached(Outcome& out, hosted::Machine const& machine) {
    for (u32 i = 0; i < fault_points; ++i) {
        u64 const reached = machine.point_reached(static_cast<FaultPoint>(i));
        auto const known = std::ranges::find(out.points, fault_point_names[i], &PointCounts::name);
        if (known != out.points.end()) {
            known->reached = std::max(known->reached, reached);
        } else if (reached != 0) {
            out.points.push_back({fault_point_names[i], reached, 0});
        }
    }
}

u64 host_ns() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}

} // namespace twofold::sim
