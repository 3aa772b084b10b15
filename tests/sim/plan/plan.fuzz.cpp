// Fuzzes what reads plans of faults. The first byte chooses: the rest is a file in TOML, or a rule
// as text. What is accepted is printed and read again as the same; everything else is refused in
// one line.
#include "sim/plan/plan.hpp"
#include "apps/launch/status.hpp"

#include <cstdlib>

using namespace twofold;

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
    static hosted::FaultKinds const kinds;
    std::string const text(data + 1, data + size);
    try {
        if (data[0] % 2 == 0) {
            hosted::FaultPlan const plan = sim::parse_plan("f", text, kinds);
            require(sim::parse_plan("f", sim::plan_toml(plan, kinds), kinds) == plan);
            hosted::FaultInjector const injector(kinds, plan, 1);
            require(plan.swarm || injector.active_rules().size() == plan.rules.size());
        } else {
            hosted::FaultRule const rule = sim::parse_rule(text, kinds);
            require(sim::parse_rule(sim::rule_text(rule, kinds), kinds) == rule);
        }
    } catch (launch::Failure const& failure) {
        require(std::string_view(failure.what()).find('\n') == std::string_view::npos);
    }
    return 0;
}
