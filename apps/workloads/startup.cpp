// The start-up graph: steps with random requirements. The order holds them all, and what can never
// be reached is named.
#include "apps/workloads/rooms.hpp"

namespace twofold::workloads {

namespace {

class StartupWorkload {
public:
    explicit StartupWorkload(Run&) {}
    StartupWorkload(StartupWorkload const&) = delete;
    StartupWorkload& operator=(StartupWorkload const&) = delete;

    static Result<void> begin(Check&) { return {}; }

    static void perform(Step& step) {
        u64 const count = 2 + step.random.below(steps_max - 1);
        boot::Step steps[steps_max]{};
        u32 requires_bits[steps_max]{};
        for (u64 i = 0; i < count; ++i) {
            steps[i].name = names[i];
            u64 const most = step.random.below(4);
            for (u64 each = 0; each < most; ++each) {
                // Mostly of those before it: a graph without cycles.
                u64 const other =
                    step.chance(90) ? step.random.below(i + 1) : step.random.below(count);
                if (other != i) {
                    steps[i].requirements[each_of(requires_bits[i])] = names[other];
                    requires_bits[i] |= 1u << other;
                }
            }
            fill_up(steps[i], requires_bits[i]);
        }
        auto const plan = boot::StartupPlan::create(std::span(steps).first(count));
        if (step.equal("a plan", answer_ok, plan)) {
            compare(step, plan.value(), requires_bits, count);
        }
    }

    static void end(Check&) {}

private:
    static constexpr u64 steps_max = 12;
    static constexpr std::string_view names[steps_max] = {"a", "b", "c", "d", "e", "f",
                                                          "g", "h", "i", "j", "k", "l"};

    static usize each_of(u32 bits) { return static_cast<usize>(std::popcount(bits)); }
    /// One name for each bit: a requirement that was drawn twice stands there once.
    static void fill_up(boot::Step& step, u32 bits) {
        usize next = 0;
        for (u64 i = 0; i < steps_max; ++i) {
            if ((bits >> i & 1) != 0) {
                step.requirements[next++] = names[i];
            }
        }
        while (next < boot::Step::requirements_max) {
            step.requirements[next++] = {};
        }
    }
    static void compare(
        Step& step, boot::StartupPlan const& plan, std::span<u32 const> requires_bits, u64 count) {
        u32 reachable = 0;
        for (u64 round = 0; round < count; ++round) {
            for (u64 i = 0; i < count; ++i) {
                bool const is_ready = (requires_bits[i] & ~reachable) == 0;
                reachable |= is_ready ? 1u << i : 0;
            }
        }
        u32 done = 0;
        for (u8 const index : plan.order()) {
            step.equal("requirements that are not done", 0, requires_bits[index] & ~done);
            step.equal("a step comes again", 0, done >> index & 1);
            done |= 1u << index;
        }
        step.equal("steps that are reached", reachable, done);
        for (u64 i = 0; i < count; ++i) {
            bool const waits = plan.state(i) == boot::StepState::waiting;
            step.equal("a step has a place in the order", reachable >> i & 1, u64{waits});
        }
    }
};

} // namespace

constinit Workload const startup_workload = workload_of<StartupWorkload>(
    {.name = "startup",
     .about = "graphs of steps that require each other",
     .cpus = 1,
     .threads = 1});

} // namespace twofold::workloads
