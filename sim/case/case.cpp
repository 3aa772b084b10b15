// Cases as JSON, and what a program can run. See case.hpp.
#include "sim/case/case.hpp"

#include "apps/json/reader.hpp"
#include "apps/json/writer.hpp"
#include "apps/launch/status.hpp"
#include "sim/plan/plan.hpp"
#include "sim/words/words.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace twofold::sim {

using launch::Failure;
using launch::Status;

namespace {

constexpr std::string_view case_keys[] = {"id",         "workload", "seed",  "cpus",     "threads",
                                          "operations", "machines", "keep",  "schedule", "faults",
                                          "fault_seed", "swarm",    "costs", "mutant"};
constexpr std::string_view point_prefix = "points.";
constexpr std::string_view link_prefix = "link.";

struct ScheduleName {
    std::string_view name;
    Schedule::Kind kind;
    u32 bound_min;
    u32 bound_max; ///< 0: it has none
};
constexpr ScheduleName schedule_names[] = {
    {"random", Schedule::Kind::random, 0, 0},
    {"pct", Schedule::Kind::pct, 1, 64},
    {"exhaustive", Schedule::Kind::exhaustive, 0, 16}};

std::string_view unit_name(hosted::FaultUnit unit) {
    constexpr std::string_view names[] = {"none", "ns", "count", "factor"};
    return names[static_cast<usize>(unit)];
}

[[noreturn]] void refuse(std::string const& reason) {
    throw Failure(Status::usage, reason);
}

void require_name(
    std::string_view what, std::string_view name, std::span<std::string_view const> names) {
    if (std::ranges::find(names, name) == names.end()) {
        refuse(unknown(what, name, names));
    }
}

void require_number(std::string_view what, u64 number, u64 most) {
    if (number == 0 || number > most) {
        refuse(fmt::format("{} is {}, and has to be from 1 to {}", what, number, most));
    }
}

WorkloadKind const& workload_of(std::string_view name, Catalogue const& catalogue) {
    auto const found = std::ranges::find(catalogue.workloads, name, &WorkloadKind::name);
    if (found == catalogue.workloads.end()) {
        std::vector<std::string_view> names;
        names.reserve(catalogue.workloads.size());
        for (WorkloadKind const& workload : catalogue.workloads) {
            names.push_back(workload.name);
        }
        refuse(unknown("workload", name, names));
    }
    return *found;
}

/// Takes the members of a case.
class CaseReader {
public:
    CaseReader(Case& made, std::optional<u64>& id, Catalogue const& catalogue)
        : m_made(made), m_id(id), m_catalogue(catalogue) {}

    void read(json::Reader const& root) {
        root.for_each(json::Kind::object, [&](json::Reader const& member) {
            if (std::ranges::find(m_taken, member.key()) != m_taken.end()) {
                member.refuse("this is given twice; leave one out");
            }
            m_taken.push_back(member.key());
            take(member);
        });
        for (std::string_view const needed : {"id", "workload", "seed"}) {
            if (std::ranges::find(m_taken, needed) == m_taken.end()) {
                root.refuse(fmt::format("a case needs the key {}", needed));
            }
        }
        m_made.faults.rules = parse_rules(m_faults, m_catalogue.faults);
        complete(m_made, m_catalogue);
    }

private:
    void take(json::Reader const& member) {
        std::string const& key = member.key();
        if (key == "id") {
            m_made.id = member.whole(0, ~u64{0});
            m_id = m_made.id;
        } else if (key == "workload") {
            m_made.workload = member.text();
        } else if (key == "seed") {
            m_made.seed = member.whole(0, ~u64{0});
        } else if (key == "cpus") {
            m_made.cpus = static_cast<u32>(member.whole(1, Case::cpus_max));
        } else if (key == "threads") {
            m_made.threads = static_cast<u32>(member.whole(1, Case::threads_max));
        } else if (key == "operations") {
            m_made.operations = static_cast<u32>(member.whole(1, Case::operations_max));
        } else if (key == "machines") {
            m_made.machines = static_cast<u32>(member.whole(1, Case::machines_max));
        } else if (key == "keep") {
            m_made.keep = Ranges::parse(member.text());
            if (!m_made.keep) {
                member.refuse(fmt::format(
                    "{} names no operations; write numbers and ranges, as in 0-5,9",
                    shown(member.text())));
            }
        } else if (key == "schedule") {
            m_made.schedule = parse_schedule(member.text());
        } else if (key == "faults") {
            member.for_each(json::Kind::array, [&](json::Reader const& rule) {
                m_faults.push_back(rule.text());
            });
        } else if (key == "fault_seed") {
            m_made.faults.seed = member.whole(0, ~u64{0});
        } else if (key == "swarm") {
            m_made.faults.swarm = member.boolean();
        } else if (key == "costs") {
            m_made.costs = member.text();
        } else if (key == "mutant") {
            m_made.mutant = member.text();
        } else {
            member.refuse(unknown("key", key, case_keys));
        }
    }

    Case& m_made;
    std::optional<u64>& m_id;
    Catalogue const& m_catalogue;
    std::vector<std::string> m_taken;
    std::vector<std::string> m_faults;
};

void write_names(
    std::string& out,
    json::Writer& owner,
    std::string_view key,
    std::span<std::string_view const> names) {
    owner.key(key);
    json::Writer list(out, '[');
    for (std::string_view const name : names) {
        list.separate();
        launch::append_json_string(out, name);
    }
}

void write_faults(std::string& out, json::Writer& owner, hosted::FaultKinds const& kinds) {
    owner.key("faults");
    json::Writer list(out, '[');
    for (hosted::FaultKind const& kind : kinds.all()) {
        if (kind.name.starts_with(point_prefix)) {
            continue;
        }
        list.separate();
        json::Writer made(out, '{');
        made.text("name", kind.name);
        made.text("about", kind.about);
        made.text("unit", unit_name(kind.unit));
        made.number("amount", kind.amount);
    }
}

} // namespace

std::string describe(Catalogue const& catalogue) {
    std::string out;
    {
        json::Writer made(out, '{');
        made.text("build", catalogue.build);
        made.key("workloads");
        {
            json::Writer list(out, '[');
            for (WorkloadKind const& workload : catalogue.workloads) {
                list.separate();
                json::Writer each(out, '{');
                each.text("name", workload.name);
                each.text("about", workload.about);
                each.number("operations", workload.operations);
                each.number("cpus", workload.cpus);
                each.number("threads", workload.threads);
                each.number("machines", workload.machines);
            }
        }
        write_faults(out, made, catalogue.faults);
        write_names(out, made, "points", fault_point_names);
        write_names(out, made, "mutants", catalogue.mutants);
        write_names(out, made, "costs", catalogue.costs);
    }
    return out;
}

Schedule parse_schedule(std::string_view text) {
    usize const colon = std::min(text.find(':'), text.size());
    auto const* const found =
        std::ranges::find(schedule_names, text.substr(0, colon), &ScheduleName::name);
    if (found == std::end(schedule_names)) {
        refuse(
            fmt::format("the schedule {} is none of random, pct:N and exhaustive:N", shown(text)));
    }
    Schedule schedule{.kind = found->kind};
    if (found->bound_max == 0) {
        if (colon != text.size()) {
            refuse(fmt::format("the schedule {} has no number; write random", shown(text)));
        }
        return schedule;
    }
    std::string_view const number = text.substr(std::min(colon + 1, text.size()));
    auto const [stop, error] = std::from_chars(number.begin(), number.end(), schedule.bound);
    bool const is_whole = error == std::errc{} && stop == number.end();
    if (!is_whole || schedule.bound < found->bound_min || schedule.bound > found->bound_max) {
        refuse(fmt::format(
            "the schedule {} needs a number from {} to {}, as in {}:2", shown(text),
            found->bound_min, found->bound_max, found->name));
    }
    return schedule;
}

std::string text_of(Schedule schedule) {
    ScheduleName const& name = schedule_names[static_cast<usize>(schedule.kind)];
    CHECK(name.kind == schedule.kind);
    return name.bound_max == 0 ? std::string(name.name)
                               : fmt::format("{}:{}", name.name, schedule.bound);
}

namespace {

/// What is done to one machine alone is refused.
void require_of_several(Case const& made, WorkloadKind const& workload, Catalogue const& known) {
    if (workload.machines == 1) {
        refuse(fmt::format(
            "the workload {} is of one machine, and not of {}", made.workload, made.machines));
    }
    if (made.schedule.kind != Schedule::Kind::random) {
        refuse(fmt::format(
            "the schedule {} is of one machine, and the case has {}; write random",
            text_of(made.schedule), made.machines));
    }
    for (hosted::FaultRule const& rule : made.faults.rules) {
        if (!known.faults[rule.kind].name.starts_with(link_prefix)) {
            refuse(fmt::format(
                "fault {}: between {} machines there are faults of links alone, link.lost and "
                "others",
                shown(rule_text(rule, known.faults)), made.machines));
        }
    }
}

} // namespace

void complete(Case& made, Catalogue const& catalogue) {
    WorkloadKind const& workload = workload_of(made.workload, catalogue);
    made.cpus = made.cpus == 0 ? workload.cpus : made.cpus;
    made.threads = made.threads == 0 ? workload.threads : made.threads;
    made.operations = made.operations == 0 ? workload.operations : made.operations;
    made.machines = made.machines == 0 ? workload.machines : made.machines;
    require_number("cpus", made.cpus, Case::cpus_max);
    require_number("threads", made.threads, Case::threads_max);
    require_number("operations", made.operations, Case::operations_max);
    require_number("machines", made.machines, Case::machines_max);
    if (!made.keep) {
        made.keep = Ranges::below(made.operations);
    } else if (!made.keep->is_empty() && made.keep->all().back().last >= made.operations) {
        refuse(fmt::format(
            "keep names the operation {}, and the last is {}; name others, or let operations be "
            "more",
            made.keep->all().back().last, made.operations - 1));
    }
    if (made.costs.empty()) {
        made.costs = catalogue.costs.front();
    }
    require_name("table of costs", made.costs, catalogue.costs);
    if (!made.mutant.empty()) {
        if (catalogue.mutants.empty()) {
            refuse(fmt::format(
                "the mutant {} is not in this build, which has none; build the preset bugs",
                shown(made.mutant)));
        }
        require_name("mutant", made.mutant, catalogue.mutants);
    }
    if (made.machines > 1) {
        require_of_several(made, workload, catalogue);
        require_senders(made.faults, made.machines, catalogue.faults);
    } else {
        require_processors(made.faults, made.cpus, catalogue.faults);
    }
}

std::expected<Case, CaseError> parse_case(std::string_view line, Catalogue const& catalogue) {
    Case made;
    std::optional<u64> id;
    std::string const name = "case";
    try {
        json::Value const root = json::parse(name, line);
        CaseReader(made, id, catalogue).read(json::Reader(name, root));
    } catch (Failure const& failure) {
        return std::unexpected(CaseError{id, failure.what()});
    }
    return made;
}

std::string to_json(Case const& made, Catalogue const& catalogue) {
    std::string out;
    {
        json::Writer object(out, '{');
        object.number("id", made.id);
        object.text("workload", made.workload);
        object.number("seed", made.seed);
        object.number("cpus", made.cpus);
        object.number("threads", made.threads);
        object.number("operations", made.operations);
        object.number("machines", made.machines);
        if (made.keep) {
            object.text("keep", made.keep->text());
        }
        object.text("schedule", text_of(made.schedule));
        std::vector<std::string> rules;
        rules.reserve(made.faults.rules.size());
        for (hosted::FaultRule const& rule : made.faults.rules) {
            rules.push_back(rule_text(rule, catalogue.faults));
        }
        write_names(
            out, object, "faults", std::vector<std::string_view>(rules.begin(), rules.end()));
        if (made.faults.seed) {
            object.number("fault_seed", *made.faults.seed);
        }
        object.truth("swarm", made.faults.swarm);
        object.text("costs", made.costs);
        if (!made.mutant.empty()) {
            object.text("mutant", made.mutant);
        }
    }
    return out;
}

} // namespace twofold::sim
