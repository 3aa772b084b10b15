// The values that kernels recorded, as the host takes them out of a file of results.
#pragma once

#include "apps/sched/run.hpp"

#include <map>
#include <string>
#include <string_view>

namespace twofold::lab {

/// The values of one scenario, each by its name.
using Values = std::map<std::string, std::string>;

/// Times and counts that a kernel records.
inline constexpr u64 recorded_max = ~u64{0} >> 1;

/// What one policy's run has recorded. Takes the values that are asked for; what is not as it is to
/// be is thrown as a launch::Failure.
class Recorded {
public:
    /// Both outlive it.
    Recorded(std::string const& policy, Values const& values)
        : m_policy(policy), m_values(values) {}

    [[noreturn]] void refuse(std::string const& reason) const;
    bool has(std::string const& name) const { return m_values.contains(name); }
    std::string const& text(std::string const& name) const;
    /// A decimal number.
    u64 number(std::string const& name, u64 most) const;
    /// `count` decimal numbers with a blank between each two, all below 2^63.
    std::vector<u64> numbers(std::string const& name, usize count) const;
    /// Why admission control refused a thread, if it did.
    std::optional<Refusal> refusal(Workload const& workload) const;

private:
    std::string const& m_policy;
    Values const& m_values;
};

/// The values of the scenarios whose names are `prefix` and a policy, by the policy. `name` is the
/// file's. Throws launch::Failure where the text is none of results. O(size).
std::map<std::string, Values>
read_values(std::string_view prefix, std::string const& name, std::string_view text);

} // namespace twofold::lab
