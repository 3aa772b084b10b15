// Fuzzes what reads workloads. The first byte chooses: the rest is an rt-app file, or a recording.
// What is accepted must hold together, and everything else is refused in one line.
#include "apps/launch/status.hpp"
#include "apps/sched/recording.hpp"
#include "apps/sched/rt_app.hpp"

#include <cstdlib>

using namespace twofold;
using namespace twofold::lab;

namespace {

constexpr usize input_bytes_max = usize{1} << 14;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(u8 const* data, usize size);

extern "C" int LLVMFuzzerTestOneInput(u8 const* data, usize size) {
    if (size == 0 || size > input_bytes_max) {
        return 0;
    }
    std::string const text(data + 1, data + size);
    try {
        OwnedWorkload const made =
            data[0] % 2 == 0
                ? read_rt_app("f", text, {.cpus = equal_cpus(2, 1), .duration = {1'000'000}})
                      .workload
                : read_recording("f", text);
        require(check_workload(made.view()).has_value());
    } catch (launch::Failure const& failure) {
        require(std::string_view(failure.what()).find('\n') == std::string_view::npos);
    }
    return 0;
}
