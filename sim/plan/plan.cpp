// Plans of what goes wrong. See plan.hpp.
#include "sim/plan/plan.hpp"

#include "apps/json/reader.hpp"
#include "apps/launch/status.hpp"
#include "sim/plan/rule.hpp"
#include "sim/plan/toml_tree.hpp"
#include "sim/words/words.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>

namespace twofold::sim {

using hosted::FaultKinds;
using hosted::FaultPlan;
using hosted::FaultRule;
using launch::Failure;
using launch::Status;

namespace {

constexpr std::streamoff file_bytes_max = std::streamoff{1} << 20;
constexpr std::string_view plan_keys[] = {"fault", "swarm", "seed"};

/// The least occurrence that both rules name and could both be about; 0 if there is none.
u64 shared_occurrence(FaultRule const& left, FaultRule const& right) {
    bool const is_elsewhere = left.cpu && right.cpu && left.cpu != right.cpu;
    bool const is_apart =
        left.until_ns <= right.from_ns || right.until_ns <= left.from_ns || is_elsewhere;
    if (is_apart) {
        return 0;
    }
    for (u64 const number : left.at) {
        if (std::ranges::binary_search(right.at, number)) {
            return number;
        }
    }
    return 0;
}

/// Why the two contradict each other; empty if they do not.
std::string contradiction(FaultRule const& left, FaultRule const& right) {
    if (left.kind != right.kind) {
        return "";
    }
    if (u64 const number = shared_occurrence(left, right)) {
        return fmt::format("both name the occurrence {}; leave it out of one", number);
    }
    bool const is_power = left.kind == hosted::fault_id(hosted::EngineFault::power_cut);
    if (is_power && left.at.empty() != right.at.empty()) {
        return "one by probability and one at exact occurrences; leave one of them out";
    }
    return "";
}

/// Refuses rules that contradict each other. `where(i)` says of rule i where it stands.
void require_harmony(std::span<FaultRule const> rules, auto const& where) {
    for (usize i = 0; i < rules.size(); ++i) {
        for (usize j = 0; j < i; ++j) {
            std::string const reason = contradiction(rules[j], rules[i]);
            if (!reason.empty()) {
                throw Failure(
                    Status::usage, fmt::format("{} and {}: {}", where(i), where(j), reason));
            }
        }
    }
}

void require_harmony(std::span<FaultRule const> rules, FaultKinds const& kinds) {
    require_harmony(rules, [&](usize i) { return "fault " + shown(rule_text(rules[i], kinds)); });
}

/// A number or text, or an array of these, as it stands in the text of a rule.
std::string text_of(json::Value const& value, RuleMaker const& maker) {
    switch (value.kind) {
    case json::Kind::text:
    case json::Kind::integer:
    case json::Kind::real:
        return value.text;
    case json::Kind::array:
        break;
    default:
        maker.refuse(fmt::format(
            "{} is {}, and has to be a number or a text", shown(value.key),
            json::kind_name(value.kind)));
    }
    std::string list;
    for (json::Value const& element : value.members) {
        if (element.kind != json::Kind::integer) {
            maker.refuse(fmt::format("{} has to be of whole numbers", shown(value.key)));
        }
        list += (list.empty() ? "" : ",") + element.text;
    }
    return list;
}

FaultRule rule_of(json::Value const& table, std::string const& where, FaultKinds const& kinds) {
    RuleMaker unnamed(kinds, where);
    auto const name = std::ranges::find(table.members, "name", &json::Value::key);
    if (name == table.members.end()) {
        unnamed.refuse("nothing says which fault; add name = \"...\"");
    }
    if (name->kind != json::Kind::text) {
        unnamed.refuse("name has to be a text");
    }
    unnamed.name(name->text);
    RuleMaker maker(kinds, fmt::format("{} ({})", where, name->text));
    maker.name(name->text);
    for (json::Value const& member : table.members) {
        if (member.key != "name") {
            maker.take(member.key, text_of(member, maker));
        }
    }
    return maker.finish();
}

/// Takes the tables of a plan's file.
class PlanReader {
public:
    PlanReader(std::string const& name, FaultKinds const& kinds) : m_name(name), m_kinds(kinds) {}

    FaultPlan read(json::Value const& root) {
        json::Reader(m_name, root).for_each(json::Kind::object, [&](json::Reader const& member) {
            if (member.key() == "fault") {
                take_faults(member);
            } else if (member.key() == "swarm") {
                m_plan.swarm = member.boolean();
            } else if (member.key() == "seed") {
                m_plan.seed = member.whole(0, ~u64{0});
            } else {
                member.refuse(unknown("key", member.key(), plan_keys));
            }
        });
        if (m_plan.rules.empty() && !m_plan.swarm) {
            throw Failure(
                Status::usage,
                m_name + ": nothing can fail under it; add a [[fault]], or swarm = true");
        }
        require_harmony(m_plan.rules, [&](usize i) { return m_places[i]; });
        return std::move(m_plan);
    }

private:
    void take_faults(json::Reader const& faults) {
        if (faults.value().kind != json::Kind::array) {
            faults.refuse("each fault is a table of its own; write [[fault]]");
        }
        faults.for_each(json::Kind::array, [&](json::Reader const& fault) {
            if (fault.value().kind != json::Kind::object) {
                fault.refuse("each fault is a table; write [[fault]]");
            }
            m_places.push_back(
                fmt::format("{}:{}: fault {}", m_name, fault.value().line, m_places.size() + 1));
            m_plan.rules.push_back(rule_of(fault.value(), m_places.back(), m_kinds));
        });
    }

    std::string const& m_name;
    FaultKinds const& m_kinds;
    FaultPlan m_plan;
    std::vector<std::string> m_places; ///< of the rules
};

/// That `cpu` of each rule is one of so many.
void require_below(
    FaultPlan const& plan, std::string_view what, u32 count, FaultKinds const& kinds) {
    for (FaultRule const& rule : plan.rules) {
        if (rule.cpu.value_or(0) >= count) {
            throw Failure(
                Status::usage,
                fmt::format(
                    "fault {}: there is no {} {}, as the run has {}; let cpu be at most {}",
                    shown(rule_text(rule, kinds)), what, *rule.cpu, count, count - 1));
        }
    }
}

} // namespace

FaultRule parse_rule(std::string_view text, FaultKinds const& kinds) {
    RuleMaker maker(kinds, "fault " + shown(text));
    usize end = std::min(text.find(':'), text.size());
    maker.name(text.substr(0, end));
    while (end < text.size()) {
        usize const begin = end + 1;
        end = std::min(text.find(':', begin), text.size());
        std::string_view const part = text.substr(begin, end - begin);
        usize const sign = part.find('=');
        if (sign == std::string_view::npos) {
            maker.refuse(fmt::format("{} is no key=value", shown(part)));
        }
        maker.take(part.substr(0, sign), part.substr(sign + 1));
    }
    return maker.finish();
}

std::vector<FaultRule> parse_rules(std::span<std::string const> texts, FaultKinds const& kinds) {
    std::vector<FaultRule> rules;
    rules.reserve(texts.size());
    for (std::string const& text : texts) {
        rules.push_back(parse_rule(text, kinds));
    }
    require_harmony(rules, kinds);
    return rules;
}

FaultPlan parse_plan(std::string const& name, std::string_view text, FaultKinds const& kinds) {
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
        throw Failure(
            Status::usage, name + ": the file is empty; a plan has [[fault]] tables, or swarm = "
                                  "true");
    }
    return PlanReader(name, kinds).read(parse_toml(name, text));
}

FaultPlan read_plan(std::filesystem::path const& path, FaultKinds const& kinds) {
    std::string const name = path.string();
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) {
        throw Failure(Status::usage, name + ": this is a folder; name a file");
    }
    std::ifstream stream(path, std::ios::binary);
    std::string text(static_cast<usize>(file_bytes_max) + 1, '\0');
    stream.read(text.data(), file_bytes_max + 1);
    if (!stream.is_open() || stream.bad()) {
        throw Failure(Status::io, fmt::format("cannot read '{}': {}", name, std::strerror(errno)));
    }
    text.resize(static_cast<usize>(stream.gcount()));
    if (stream.gcount() > file_bytes_max) {
        throw Failure(Status::usage, fmt::format("{}: more than {} bytes", name, file_bytes_max));
    }
    return parse_plan(name, text, kinds);
}

FaultPlan merge_plans(FaultPlan file, FaultPlan const& flags, FaultKinds const& kinds) {
    file.rules.insert(file.rules.end(), flags.rules.begin(), flags.rules.end());
    file.swarm = file.swarm || flags.swarm;
    file.seed = flags.seed ? flags.seed : file.seed;
    require_harmony(file.rules, kinds);
    return file;
}

void require_processors(FaultPlan const& plan, u32 cpus, FaultKinds const& kinds) {
    require_below(plan, "processor", cpus, kinds);
}

void require_senders(FaultPlan const& plan, u32 machines, FaultKinds const& kinds) {
    require_below(plan, "machine", machines, kinds);
}

std::string rule_text(FaultRule const& rule, FaultKinds const& kinds) {
    std::string text(kinds[rule.kind].name);
    for (RuleKey const& key : keys_of(rule, kinds)) {
        text += fmt::format(":{}={}", key.key, key.value);
    }
    return text;
}

std::string plan_toml(FaultPlan const& plan, FaultKinds const& kinds) {
    std::string text;
    if (plan.swarm) {
        text += "swarm = true\n";
    }
    if (plan.seed) {
        // TOML's integers have a sign.
        bool const fits = *plan.seed <= static_cast<u64>(std::numeric_limits<i64>::max());
        text += fmt::format("seed = {1}{0}{1}\n", *plan.seed, fits ? "" : "\"");
    }
    for (FaultRule const& rule : plan.rules) {
        text += fmt::format(
            "{}[[fault]]\nname = \"{}\"\n", text.empty() ? "" : "\n", kinds[rule.kind].name);
        for (RuleKey const& key : keys_of(rule, kinds)) {
            text += fmt::format("{0} = {2}{1}{2}\n", key.key, key.value, key.is_text ? "\"" : "");
        }
    }
    return text;
}

} // namespace twofold::sim
