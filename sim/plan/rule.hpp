// One rule about a fault, made from keys and values in text, wherever these were read.
#pragma once

#include "hal/hosted/sim/faults.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twofold::sim {

/// Makes a rule, and refuses what makes no sense: every refusal is a launch::Failure of one line
/// with the place, the fault and what to do.
class RuleMaker {
public:
    /// `where` opens each refusal. `kinds` must outlive the maker.
    RuleMaker(hosted::FaultKinds const& kinds, std::string where);

    /// The fault's name; before all keys.
    void name(std::string_view name);
    /// Each key at most once. Lists and ranges are text: "3,7" and "1000-5000".
    void take(std::string_view key, std::string_view value);
    /// The rule, after all keys.
    hosted::FaultRule finish();

    [[noreturn]] void refuse(std::string const& reason) const;

private:
    [[noreturn]] void
    refuse_value(std::string_view key, std::string_view value, std::string const& wanted) const;
    u64 whole(std::string_view key, std::string_view value, u64 least, u64 most) const;
    double probability(std::string_view value) const;
    std::vector<u64> occurrences(std::string_view value) const;
    i64 moment(std::string_view key, std::string_view value) const;
    void take_amount(std::string_view value);

    hosted::FaultKinds const& m_kinds;
    std::string m_where;
    hosted::FaultRule m_rule;
    std::vector<std::string> m_taken;
};

/// The keys and values of a rule that differ from what a rule without them says, in their order.
/// RuleMaker makes the same rule of them.
struct RuleKey {
    std::string_view key;
    std::string value;
    bool is_text; ///< in TOML it needs quotes
};
std::vector<RuleKey> keys_of(hosted::FaultRule const& rule, hosted::FaultKinds const& kinds);

} // namespace twofold::sim
