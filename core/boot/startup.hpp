// The start-up graph: named steps, each with the steps it requires. The order is computed, not
// written down; a step that cannot be reached is reported by name with the reason (after Managarm's
// initgraph).
#pragma once

#include "core/base/base.hpp"

#include <span>
#include <string_view>

namespace twofold::boot {

class Kernel;

/// One step of the start-up. `run` is called once, after everything in `requirements` has
/// succeeded.
struct Step {
    static constexpr usize requirements_max = 6;

    std::string_view name;
    std::string_view summary;
    std::string_view requirements[requirements_max]; ///< names; empty ones end the list
    Result<void> (*run)(Kernel&);
};

/// What became of a step, or why it has no place in the order.
enum class StepState : u8 {
    waiting, ///< not reached yet
    running,
    done,
    failed,  ///< its function returned an error
    blocked, ///< a step it requires failed or is itself unreachable
    unknown_requirement,
    in_cycle,
    duplicate,
};

std::string_view step_state_name(StepState state);

/// The order in which steps can run, and the state of those that cannot. Pure; no allocation.
class StartupPlan {
public:
    static constexpr usize steps_max = 64;

    /// A plan without steps; complete.
    StartupPlan() = default;

    /// Computes the order: declaration order where requirements leave a choice. O(steps^2).
    /// Errors: no_space with more than steps_max steps.
    static Result<StartupPlan> create(std::span<Step const> steps);

    /// Indexes of the steps that can run, in order.
    std::span<u8 const> order() const { return m_order.items(); }
    StepState state(usize step) const { return m_states[step]; }
    void set_state(usize step, StepState state) { m_states[step] = state; }
    usize size() const { return m_steps.size(); }
    Step const& step(usize index) const { return m_steps[index]; }

    /// Whether everything `step` requires is done.
    bool is_ready(usize step) const;
    /// The first requirement of `step` that is not done; empty if there is none.
    std::string_view missing_requirement(usize step) const;
    /// Whether every step is done.
    bool is_complete() const;

private:
    explicit StartupPlan(std::span<Step const> steps) : m_steps(steps) {}

    static constexpr usize not_found = steps_max;
    usize find(std::string_view name) const;
    void mark_malformed();
    void compute_order();
    void mark_unreachable();

    std::span<Step const> m_steps;
    FixedVector<u8, steps_max> m_order;
    StepState m_states[steps_max]{};
};

} // namespace twofold::boot
