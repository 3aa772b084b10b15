// One rule about a fault. See rule.hpp.
#include "sim/plan/rule.hpp"

#include "apps/launch/status.hpp"
#include "sim/words/words.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace twofold::sim {

using hosted::FaultKind;
using hosted::FaultKinds;
using hosted::FaultRule;
using hosted::FaultUnit;

namespace {

constexpr std::string_view key_names[] = {"probability", "at",  "from", "until",
                                          "amount",      "cpu", "limit"};
/// The least is still a draw out of 2^64.
constexpr double probability_min = 1e-18;
/// TOML's integers have a sign.
constexpr u64 occurrence_max = u64{1} << 62;
constexpr u32 cpu_max = 63; ///< the last that a hosted machine can have

struct TimeUnit {
    std::string_view name;
    i64 ns;
};
/// The longest first.
constexpr TimeUnit time_units[] = {
    {"s", 1'000'000'000}, {"ms", 1'000'000}, {"us", 1'000}, {"ns", 1}};

struct AmountBounds {
    u64 least;
    u64 most;
};

AmountBounds bounds_of(FaultUnit unit) {
    switch (unit) {
    case FaultUnit::nanoseconds:
        return {1, 1'000'000'000'000'000};
    case FaultUnit::factor:
        return {2, 1'000'000};
    default: // each of a storm is an event that has to be kept
        return {1, 100'000};
    }
}

template<class T>
bool parse_whole(std::string_view text, T& value) {
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

std::string moment_text(i64 ns) {
    for (TimeUnit const& unit : time_units) {
        if (ns % unit.ns == 0 && ns != 0) {
            return fmt::format("{}{}", ns / unit.ns, unit.name);
        }
    }
    return "0ns";
}

} // namespace

RuleMaker::RuleMaker(FaultKinds const& kinds, std::string where)
    : m_kinds(kinds), m_where(std::move(where)) {}

void RuleMaker::refuse(std::string const& reason) const {
    throw launch::Failure(launch::Status::usage, m_where + ": " + reason);
}

void RuleMaker::refuse_value(
    std::string_view key, std::string_view value, std::string const& wanted) const {
    refuse(fmt::format("{} is {}, and has to be {}", key, shown(value), wanted));
}

void RuleMaker::name(std::string_view name) {
    std::optional<hosted::FaultId> const id = m_kinds.find(name);
    if (!id) {
        std::vector<std::string_view> names;
        for (FaultKind const& kind : m_kinds.all()) {
            names.push_back(kind.name);
        }
        refuse(unknown("fault", name, names));
    }
    m_rule = m_kinds.rule(*id);
}

u64 RuleMaker::whole(std::string_view key, std::string_view value, u64 least, u64 most) const {
    u64 number = 0;
    if (!parse_whole(value, number) || number < least || number > most) {
        refuse_value(key, value, fmt::format("a whole number from {} to {}", least, most));
    }
    return number;
}

double RuleMaker::probability(std::string_view value) const {
    double number = 0;
    if (!parse_whole(value, number) || !(number >= probability_min && number <= 1)) {
        refuse_value("probability", value, "above 0 and at most 1, as in 0.01");
    }
    return number;
}

std::vector<u64> RuleMaker::occurrences(std::string_view value) const {
    std::vector<u64> numbers;
    usize begin = 0;
    while (begin <= value.size()) {
        usize const end = std::min(value.find(',', begin), value.size());
        numbers.push_back(whole("at", value.substr(begin, end - begin), 1, occurrence_max));
        begin = end + 1;
    }
    std::ranges::sort(numbers);
    auto const twice = std::ranges::adjacent_find(numbers);
    if (twice != numbers.end()) {
        refuse(fmt::format("at names the occurrence {} twice; name it once", *twice));
    }
    return numbers;
}

i64 RuleMaker::moment(std::string_view key, std::string_view value) const {
    usize const digits = std::min(value.find_first_not_of("0123456789"), value.size());
    std::string_view const unit_name = value.substr(digits);
    auto const* const unit = std::ranges::find(time_units, unit_name, &TimeUnit::name);
    i64 number = 0;
    i64 ns = 0;
    if (unit == std::end(time_units) || !parse_whole(value.substr(0, digits), number) ||
        __builtin_mul_overflow(number, unit->ns, &ns) || ns == FaultRule::forever) {
        refuse_value(key, value, "a moment of virtual time in ns, us, ms or s, as in 5ms");
    }
    return ns;
}

void RuleMaker::take_amount(std::string_view value) {
    FaultKind const& kind = m_kinds[m_rule.kind];
    if (kind.unit == FaultUnit::none) {
        refuse(fmt::format("{} has no amount; leave 'amount' out", kind.name));
    }
    AmountBounds const bounds = bounds_of(kind.unit);
    usize const dash = std::min(value.find('-'), value.size());
    m_rule.amount_low = whole("amount", value.substr(0, dash), bounds.least, bounds.most);
    m_rule.amount_high = m_rule.amount_low;
    if (dash < value.size()) {
        m_rule.amount_high = whole("amount", value.substr(dash + 1), bounds.least, bounds.most);
    }
    if (m_rule.amount_low > m_rule.amount_high) {
        refuse(fmt::format(
            "amount is {}, from more to less; write {}-{}", shown(value), m_rule.amount_high,
            m_rule.amount_low));
    }
}

void RuleMaker::take(std::string_view key, std::string_view value) {
    if (std::ranges::find(m_taken, key) != m_taken.end()) {
        refuse(fmt::format("{} is given twice; leave one out", key));
    }
    if (key == "probability") {
        m_rule.probability = probability(value);
    } else if (key == "at") {
        m_rule.at = occurrences(value);
    } else if (key == "from") {
        m_rule.from_ns = moment(key, value);
    } else if (key == "until") {
        m_rule.until_ns = moment(key, value);
    } else if (key == "amount") {
        take_amount(value);
    } else if (key == "cpu") {
        m_rule.cpu = static_cast<u32>(whole(key, value, 0, cpu_max));
    } else if (key == "limit") {
        m_rule.limit = whole(key, value, 1, occurrence_max);
    } else {
        refuse(unknown("key", key, key_names));
    }
    m_taken.emplace_back(key);
}

FaultRule RuleMaker::finish() {
    if (m_rule.probability > 0 && !m_rule.at.empty()) {
        refuse("probability and at contradict each other; leave one of them out");
    }
    if (m_rule.probability == 0 && m_rule.at.empty()) {
        refuse("nothing says when it happens; add probability=P or at=N,N");
    }
    if (m_rule.until_ns <= m_rule.from_ns) {
        refuse(fmt::format(
            "until ({}) is not behind from ({}), so it would never happen; let it be later",
            moment_text(m_rule.until_ns), moment_text(m_rule.from_ns)));
    }
    return m_rule;
}

std::vector<RuleKey> keys_of(FaultRule const& rule, FaultKinds const& kinds) {
    std::vector<RuleKey> keys;
    if (rule.at.empty()) {
        keys.push_back({"probability", fmt::format("{}", rule.probability), false});
    } else {
        keys.push_back({"at", fmt::format("{}", fmt::join(rule.at, ",")), true});
    }
    if (rule.from_ns != 0) {
        keys.push_back({"from", moment_text(rule.from_ns), true});
    }
    if (rule.until_ns != FaultRule::forever) {
        keys.push_back({"until", moment_text(rule.until_ns), true});
    }
    FaultRule const usual = kinds.rule(rule.kind);
    if (rule.amount_low != rule.amount_high) {
        keys.push_back({"amount", fmt::format("{}-{}", rule.amount_low, rule.amount_high), true});
    } else if (rule.amount_low != usual.amount_low) {
        keys.push_back({"amount", fmt::format("{}", rule.amount_low), false});
    }
    if (rule.cpu) {
        keys.push_back({"cpu", fmt::format("{}", *rule.cpu), false});
    }
    if (rule.limit != FaultRule::unlimited) {
        keys.push_back({"limit", fmt::format("{}", rule.limit), false});
    }
    return keys;
}

} // namespace twofold::sim
