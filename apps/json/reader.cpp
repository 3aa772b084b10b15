// Values that have to be what they should be. See reader.hpp.
#include "apps/json/reader.hpp"

#include "apps/launch/status.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace twofold::json {

using launch::Failure;
using launch::Status;

void Reader::refuse(std::string const& reason) const {
    std::string line = m_path.empty() ? reason : m_path + ": " + reason;
    // Keys and texts may hold anything.
    std::ranges::replace_if(line, [](char letter) { return letter < ' ' && letter >= 0; }, '?');
    throw Failure(Status::usage, fmt::format("{}:{}: {}", m_file, m_value.line, line));
}

void Reader::refuse_key() const {
    refuse(fmt::format("the key '{}' is unknown", m_value.key));
}

void Reader::require(Kind kind) const {
    if (m_value.kind != kind) {
        refuse(
            fmt::format("this is {}, and has to be {}", kind_name(m_value.kind), kind_name(kind)));
    }
}

Reader Reader::member(usize index) const {
    Value const& value = m_value.members[index];
    std::string const step = m_value.kind == Kind::array ? fmt::format("[{}]", index) : value.key;
    bool const has_dot = !m_path.empty() && m_value.kind == Kind::object;
    return {*this, value, m_path + (has_dot ? "." : "") + step};
}

i64 Reader::integer(i64 least, i64 most) const {
    bool const is_number = m_value.kind == Kind::integer || m_value.kind == Kind::real;
    if (!is_number) {
        require(Kind::integer);
    }
    if (m_value.kind == Kind::real || m_value.integer < least || m_value.integer > most) {
        refuse(fmt::format("{} is not a whole number from {} to {}", m_value.text, least, most));
    }
    return m_value.integer;
}

u64 Reader::whole(u64 least, u64 most) const {
    bool const has_text =
        m_value.kind == Kind::integer || m_value.kind == Kind::real || m_value.kind == Kind::text;
    if (!has_text) {
        require(Kind::integer);
    }
    u64 number = 0;
    char const* const end = m_value.text.data() + m_value.text.size();
    auto const [stop, error] = std::from_chars(m_value.text.data(), end, number);
    if (error != std::errc{} || stop != end || number < least || number > most) {
        refuse(fmt::format("{} is not a whole number from {} to {}", m_value.text, least, most));
    }
    return number;
}

bool Reader::boolean() const {
    require(Kind::boolean);
    return m_value.boolean;
}

std::string const& Reader::text() const {
    require(Kind::text);
    return m_value.text;
}

} // namespace twofold::json
