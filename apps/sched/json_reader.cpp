// Values that have to be what they should be. See json_reader.hpp.
#include "apps/sched/json_reader.hpp"

#include "apps/launch/status.hpp"
#include "apps/sched/workload.hpp"

#include <fmt/format.h>

namespace twofold::lab {

using launch::Failure;
using launch::Status;

void JsonReader::refuse(std::string const& reason) const {
    std::string const where = m_path.empty() ? "" : m_path + ": ";
    throw Failure(Status::usage, fmt::format("{}:{}: {}{}", m_file, m_value.line, where, reason));
}

void JsonReader::refuse_key() const {
    refuse(fmt::format("the key '{}' is unknown", m_value.key));
}

void JsonReader::require(JsonKind kind) const {
    if (m_value.kind != kind) {
        refuse(fmt::format(
            "this is {}, and has to be {}", json_kind_name(m_value.kind), json_kind_name(kind)));
    }
}

JsonReader JsonReader::member(usize index) const {
    JsonValue const& value = m_value.members[index];
    std::string const step =
        m_value.kind == JsonKind::array ? fmt::format("[{}]", index) : value.key;
    bool const has_dot = !m_path.empty() && m_value.kind == JsonKind::object;
    return {*this, value, m_path + (has_dot ? "." : "") + step};
}

i64 JsonReader::integer(i64 least, i64 most) const {
    bool const is_number = m_value.kind == JsonKind::integer || m_value.kind == JsonKind::real;
    if (!is_number) {
        require(JsonKind::integer);
    }
    if (m_value.kind == JsonKind::real || m_value.integer < least || m_value.integer > most) {
        refuse(fmt::format("{} is not a whole number from {} to {}", m_value.text, least, most));
    }
    return m_value.integer;
}

bool JsonReader::boolean() const {
    require(JsonKind::boolean);
    return m_value.boolean;
}

std::string const& JsonReader::text() const {
    require(JsonKind::text);
    return m_value.text;
}

Nanos JsonReader::microseconds(i64 least) const {
    constexpr i64 ns_per_us = 1000;
    return {integer(least, time_max.value / ns_per_us) * ns_per_us};
}

} // namespace twofold::lab
