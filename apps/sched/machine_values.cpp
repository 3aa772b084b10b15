// Takes values out of results. See machine_values.hpp.
#include "apps/sched/machine_values.hpp"

#include "apps/json/tree.hpp"
#include "apps/launch/status.hpp"

#include <charconv>
#include <fmt/format.h>

namespace twofold::lab {

namespace {

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

/// The members of a record that are texts, by their names.
Values members_of(std::string const& name, std::string_view line) {
    Values members;
    json::Value const root = json::parse(name, line);
    for (json::Value const& member : root.members) {
        if (member.kind == json::Kind::text) {
            members[member.key] = member.text;
        }
    }
    return members;
}

} // namespace

void Recorded::refuse(std::string const& reason) const {
    throw launch::Failure(
        launch::Status::io,
        fmt::format("the record of the run under '{}' is not whole: {}", m_policy, reason));
}

std::string const& Recorded::text(std::string const& name) const {
    auto const found = m_values.find(name);
    if (found == m_values.end()) {
        refuse(fmt::format("there is no value '{}'", name));
    }
    return found->second;
}

u64 Recorded::number(std::string const& name, u64 most) const {
    std::string const& digits = text(name);
    auto const value = parse_unsigned(digits);
    if (!value || value.value() > most) {
        refuse(fmt::format("the value '{}' is '{}'", name, digits));
    }
    return value.value();
}

std::vector<u64> Recorded::numbers(std::string const& name, usize count) const {
    std::string const& all = text(name);
    std::vector<u64> numbers;
    for (usize at = 0; at <= all.size();) {
        usize const end = std::min(all.find(' ', at), all.size());
        auto const value = parse_unsigned(std::string_view(all).substr(at, end - at));
        if (!value || value.value() > recorded_max) {
            break;
        }
        numbers.push_back(value.value());
        at = end + 1;
    }
    if (numbers.size() != count) {
        refuse(fmt::format("the value '{}' is '{}'", name, all));
    }
    return numbers;
}

std::optional<Refusal> Recorded::refusal(Workload const& workload) const {
    if (!has("refused thread")) {
        return std::nullopt;
    }
    auto const thread = static_cast<u32>(number("refused thread", workload.tasks.size() - 1));
    for (usize i = 0; i < error_count; ++i) {
        auto const error = static_cast<Error>(i);
        if (error_name(error) == text("refused error")) {
            return refusal_of(workload, thread, error);
        }
    }
    refuse(fmt::format("there is no error '{}'", text("refused error")));
}

std::map<std::string, Values>
read_values(std::string_view prefix, std::string const& name, std::string_view text) {
    std::map<std::string, Values> runs;
    while (!text.empty()) {
        std::string_view const line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        Values members = members_of(name, line);
        if (members["type"] == "value" && members["scenario"].starts_with(prefix)) {
            runs[members["scenario"].substr(prefix.size())][members["name"]] =
                bytes_of_hex(members["bytes"]);
        }
    }
    return runs;
}

} // namespace twofold::lab
