// Takes schedules out of the results of a machine's run. See machines.hpp.
#include "apps/launch/status.hpp"
#include "apps/sched/json_reader.hpp"
#include "apps/sched/machines.hpp"

#include <charconv>
#include <fmt/format.h>

namespace twofold::lab {

namespace {

using launch::Failure;
using launch::Status;

constexpr std::string_view scenario_prefix = "sched ";

/// The values that a run under one policy recorded, each by its name.
using Values = std::map<std::string, std::string>;

std::string bytes_of_hex(std::string_view digits) {
    std::string bytes;
    for (usize at = 0; at + 2 <= digits.size(); at += 2) {
        u8 byte = 0;
        std::string_view const pair = digits.substr(at, 2);
        auto const [end, error] = std::from_chars(pair.begin(), pair.end(), byte, 16);
        if (error != std::errc{} || end != pair.end()) {
            break;
        }
        bytes += static_cast<char>(byte);
    }
    return bytes;
}

/// What one policy's run has left. Takes the values that are asked for, or throws.
class Recorded {
public:
    Recorded(std::string const& policy, Values const& values)
        : m_policy(policy), m_values(values) {}

    [[noreturn]] void refuse(std::string const& reason) const {
        throw Failure(
            Status::io,
            fmt::format(
                "the record of the schedule under '{}' is not whole: {}", m_policy, reason));
    }
    bool has(std::string const& name) const { return m_values.contains(name); }
    std::string const& text(std::string const& name) const {
        auto const found = m_values.find(name);
        if (found == m_values.end()) {
            refuse(fmt::format("there is no value '{}'", name));
        }
        return found->second;
    }
    u64 number(std::string const& name, u64 most) const {
        std::string const& digits = text(name);
        auto const value = parse_unsigned(digits);
        if (!value || value.value() > most) {
            refuse(fmt::format("the value '{}' is '{}'", name, digits));
        }
        return value.value();
    }

private:
    std::string const& m_policy;
    Values const& m_values;
};

Error error_named(Recorded const& recorded, std::string_view name) {
    for (usize i = 0; i < error_count; ++i) {
        if (error_name(static_cast<Error>(i)) == name) {
            return static_cast<Error>(i);
        }
    }
    recorded.refuse(fmt::format("there is no error '{}'", name));
}

Schedule schedule_of(Workload const& workload, Recorded const& recorded) {
    Schedule schedule;
    if (recorded.has("refused thread")) {
        auto const thread =
            static_cast<u32>(recorded.number("refused thread", workload.tasks.size() - 1));
        Error const error = error_named(recorded, recorded.text("refused error"));
        schedule.refusal = refusal_of(workload, thread, error);
        return schedule;
    }
    u64 const pieces = recorded.number("pieces", ~u64{0});
    for (u64 piece = 0; piece < pieces; ++piece) {
        std::string const& text = recorded.text(fmt::format("{}", piece));
        auto const bytes = std::as_bytes(std::span(text));
        schedule.happenings.insert(schedule.happenings.end(), bytes.begin(), bytes.end());
    }
    schedule.count = recorded.number("happenings", ~u64{0});
    if (recorded.number("checksum", ~u32{0}) != schedule.checksum()) {
        recorded.refuse("its checksum is another");
    }
    schedule.end = {static_cast<i64>(recorded.number("end", ~u64{0} >> 1))};
    for (usize cpu = 0; cpu < workload.cpus.size(); ++cpu) {
        u64 const overhead = recorded.number(fmt::format("overhead {}", cpu), ~u64{0} >> 1);
        schedule.overheads.push_back({static_cast<i64>(overhead)});
    }
    return schedule;
}

/// The members of a record that are texts, by their names.
Values members_of(std::string const& name, std::string_view line) {
    Values members;
    JsonValue const root = parse_json(name, line);
    for (JsonValue const& member : root.members) {
        if (member.kind == JsonKind::text) {
            members[member.key] = member.text;
        }
    }
    return members;
}

} // namespace

std::map<std::string, Schedule>
read_schedules(Workload const& workload, std::string const& name, std::string_view text) {
    std::map<std::string, Values> runs;
    while (!text.empty()) {
        std::string_view const line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        Values members = members_of(name, line);
        if (members["type"] == "value" && members["scenario"].starts_with(scenario_prefix)) {
            runs[members["scenario"].substr(scenario_prefix.size())][members["name"]] =
                bytes_of_hex(members["bytes"]);
        }
    }
    std::map<std::string, Schedule> schedules;
    for (auto const& [policy, values] : runs) {
        schedules.emplace(policy, schedule_of(workload, Recorded(policy, values)));
    }
    return schedules;
}

} // namespace twofold::lab
