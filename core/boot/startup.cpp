// The order of the start-up graph: Kahn's algorithm (Comm. ACM 5(11), 1962), stable in declaration
// order. What never becomes ready lies in a cycle or behind one.
#include "core/boot/startup.hpp"

namespace twofold::boot {

namespace {

template<class Visit>
void for_each_requirement(Step const& step, Visit&& visit) {
    for (usize i = 0; i < Step::requirements_max && !step.requirements[i].empty(); ++i) {
        bool const forgotten = i == 1 && mutant(Mutant::boot_requires);
        if (!forgotten) {
            visit(step.requirements[i]);
        }
    }
}

} // namespace

std::string_view step_state_name(StepState state) {
    constexpr std::string_view names[] = {"waiting",    "running",       "done",
                                          "failed",     "blocked",       "requires an unknown step",
                                          "in a cycle", "declared twice"};
    auto const index = static_cast<usize>(state);
    CHECK(index < std::size(names));
    return names[index];
}

Result<StartupPlan> StartupPlan::create(std::span<Step const> steps) {
    if (steps.size() > steps_max) {
        return Error::no_space;
    }
    StartupPlan plan(steps);
    plan.mark_malformed();
    plan.compute_order();
    plan.mark_unreachable();
    CHECK(plan.m_order.size() <= steps.size());
    return plan;
}

usize StartupPlan::find(std::string_view name) const {
    for (usize i = 0; i < m_steps.size(); ++i) {
        if (m_steps[i].name == name) {
            return i;
        }
    }
    return not_found;
}

void StartupPlan::mark_malformed() {
    for (usize i = 0; i < m_steps.size(); ++i) {
        if (find(m_steps[i].name) < i) {
            m_states[i] = StepState::duplicate;
        }
        for_each_requirement(m_steps[i], [&](std::string_view name) {
            if (find(name) == not_found) {
                m_states[i] = StepState::unknown_requirement;
            }
        });
    }
}

void StartupPlan::compute_order() {
    bool placed[steps_max]{};
    bool progress = true;
    while (progress) {
        progress = false;
        for (usize i = 0; i < m_steps.size(); ++i) {
            bool can_run = !placed[i] && m_states[i] == StepState::waiting;
            for_each_requirement(m_steps[i], [&](std::string_view name) {
                usize const required = find(name);
                can_run = can_run && required != not_found && placed[required];
            });
            if (can_run) {
                placed[i] = true;
                progress = true;
                m_order.push_back(static_cast<u8>(i)).value();
                break; // start again, so that declaration order decides among the ready
            }
        }
    }
}

void StartupPlan::mark_unreachable() {
    bool reachable[steps_max]{};
    for (u8 const index : m_order) {
        reachable[index] = true;
    }
    // Behind a malformed step everything is blocked; what is left without such a cause is a cycle.
    bool progress = true;
    while (progress) {
        progress = false;
        for (usize i = 0; i < m_steps.size(); ++i) {
            if (reachable[i] || m_states[i] != StepState::waiting) {
                continue;
            }
            for_each_requirement(m_steps[i], [&](std::string_view name) {
                usize const required = find(name);
                if (required != not_found && m_states[required] != StepState::waiting) {
                    m_states[i] = StepState::blocked;
                    progress = true;
                }
            });
        }
    }
    for (usize i = 0; i < m_steps.size(); ++i) {
        if (!reachable[i] && m_states[i] == StepState::waiting) {
            m_states[i] = StepState::in_cycle;
        }
    }
}

bool StartupPlan::is_ready(usize step) const {
    return missing_requirement(step).empty();
}

std::string_view StartupPlan::missing_requirement(usize step) const {
    CHECK(step < m_steps.size());
    std::string_view missing;
    for_each_requirement(m_steps[step], [&](std::string_view name) {
        usize const required = find(name);
        if (missing.empty() && (required == not_found || m_states[required] != StepState::done)) {
            missing = name;
        }
    });
    return missing;
}

bool StartupPlan::is_complete() const {
    for (usize i = 0; i < m_steps.size(); ++i) {
        if (m_states[i] != StepState::done) {
            return false;
        }
    }
    return true;
}

} // namespace twofold::boot
