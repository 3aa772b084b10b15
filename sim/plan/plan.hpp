// Plans of what goes wrong, as people write them: files in TOML, and rules as text for the command
// line and for cases. docs/fault-plans.md says what both look like.
//
// All refusals are a launch::Failure (64) of one line: where, which fault, what is wrong, and what
// to do.
#pragma once

#include "hal/hosted/sim/faults.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace twofold::sim {

/// The rule that NAME:key=value:... describes. O(size).
hosted::FaultRule parse_rule(std::string_view text, hosted::FaultKinds const& kinds);

/// The same for several, which do not contradict each other.
std::vector<hosted::FaultRule>
parse_rules(std::span<std::string const> texts, hosted::FaultKinds const& kinds);

/// The plan that `text` is, in TOML; `name` is the file's.
hosted::FaultPlan
parse_plan(std::string const& name, std::string_view text, hosted::FaultKinds const& kinds);

/// The plan in a file of at most a mebibyte. Throws a Failure (74) where it cannot be read.
hosted::FaultPlan read_plan(std::filesystem::path const& path, hosted::FaultKinds const& kinds);

/// A plan with the rules of both, in force as a swarm if one is; the seed of `flags` goes before
/// that of `file`. O(rules^2 + occurrences).
hosted::FaultPlan merge_plans(
    hosted::FaultPlan file, hosted::FaultPlan const& flags, hosted::FaultKinds const& kinds);

/// Refuses rules that are about a processor that a run with `cpus` of them does not have.
void require_processors(hosted::FaultPlan const& plan, u32 cpus, hosted::FaultKinds const& kinds);

/// Refuses rules about links from a machine that a run with `machines` of them does not have.
void require_senders(hosted::FaultPlan const& plan, u32 machines, hosted::FaultKinds const& kinds);

/// What parse_rule and parse_plan make the same rule and plan of.
std::string rule_text(hosted::FaultRule const& rule, hosted::FaultKinds const& kinds);
std::string plan_toml(hosted::FaultPlan const& plan, hosted::FaultKinds const& kinds);

} // namespace twofold::sim
