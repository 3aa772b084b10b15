// JSON that is written member by member.
#pragma once

#include "apps/launch/json_text.hpp"
#include "core/base/base.hpp"

#include <fmt/format.h>
#include <string>
#include <string_view>

namespace twofold::json {

/// An object or array that is being written: opened where it is made, closed where it ends.
class Writer {
public:
    /// `opening` is { or [. `out` must outlive it.
    explicit Writer(std::string& out, char opening)
        : m_out(out), m_closing(opening == '{' ? '}' : ']') {
        m_out += opening;
    }
    Writer(Writer const&) = delete;
    Writer& operator=(Writer const&) = delete;
    ~Writer() { m_out += m_closing; }

    /// Before a member whose value is written by another Writer.
    void key(std::string_view name) {
        separate();
        launch::append_json_string(m_out, name);
        m_out += ':';
    }
    void number(std::string_view name, auto value) {
        key(name);
        m_out += fmt::format("{}", value);
    }
    void text(std::string_view name, std::string_view value) {
        key(name);
        launch::append_json_string(m_out, value);
    }
    void truth(std::string_view name, bool value) {
        key(name);
        m_out += value ? "true" : "false";
    }
    void null(std::string_view name) {
        key(name);
        m_out += "null";
    }
    /// Before an element of an array.
    void separate() {
        m_out += m_is_empty ? "" : ",";
        m_is_empty = false;
    }

private:
    std::string& m_out;
    char m_closing;
    bool m_is_empty = true;
};

} // namespace twofold::json
