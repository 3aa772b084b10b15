// Variables: a sorted vector of names and values.
#include "apps/shell/variables.hpp"

namespace twofold::shell {

usize Variables::place_of(std::string_view name) const {
    usize place = 0;
    while (place < size() && m_variables[place].name.view() < name) {
        ++place;
    }
    return place;
}

Result<void> Variables::set(std::string_view name, std::string_view value) {
    if (!is_variable_name(name)) {
        return Error::invalid_argument;
    }
    usize const place = place_of(name);
    bool const is_new = !is_at(place, name);
    if (value.size() > value_bytes_max || (is_new && size() == count_max)) {
        return Error::no_space;
    }
    if (!is_new) {
        return m_variables[place].value.assign(value);
    }
    Variable variable{Letters(*m_allocator), Letters(*m_allocator)};
    TRY(variable.name.assign(name));
    TRY(variable.value.assign(value));
    TRY(m_variables.push(std::move(variable)));
    for (usize i = size() - 1; i > place; --i) {
        std::swap(m_variables[i], m_variables[i - 1]);
    }
    return {};
}

Result<void> Variables::unset(std::string_view name) {
    usize const place = place_of(name);
    if (!is_at(place, name)) {
        return Error::not_found;
    }
    for (usize i = place; i + 1 < size(); ++i) {
        std::swap(m_variables[i], m_variables[i + 1]);
    }
    m_variables.pop();
    return {};
}

std::optional<std::string_view> Variables::get(std::string_view name) const {
    usize const place = place_of(name);
    return is_at(place, name) ? std::optional(m_variables[place].value.view()) : std::nullopt;
}

Result<void> expand(
    ParsedLine const& line, Word const& word, Variables const& variables, u8 status, Letters& to) {
    usize const size_before = to.size();
    for (Part const& part : line.parts(word)) {
        char digits[4];
        std::string_view text = line.text(part);
        if (part.is_variable) {
            text = text == "?" ? format_to(std::span(digits), "{}", status).text
                               : variables.get(text).value_or(std::string_view());
        }
        if (to.size() - size_before + text.size() > Variables::value_bytes_max) {
            return Error::no_space;
        }
        TRY(to.append(text));
    }
    return {};
}

} // namespace twofold::shell
