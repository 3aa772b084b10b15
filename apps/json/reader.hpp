// Reader: takes values of a JSON tree as what they have to be. It knows the path that led to
// each, so that a refusal can name it.
#pragma once

#include "apps/json/tree.hpp"

#include "core/base/base.hpp"

#include <string>
#include <string_view>

namespace twofold::json {

class Reader {
public:
    /// `file` and `root` must outlive the reader and all that it hands out.
    Reader(std::string const& file, Value const& root) : m_file(file), m_value(root) {}

    Value const& value() const { return m_value; }
    std::string const& key() const { return m_value.key; }
    std::string const& path() const { return m_path; }

    /// Throws launch::Failure: "FILE:LINE: PATH: reason".
    [[noreturn]] void refuse(std::string const& reason) const;
    /// The refusal of a member that nobody knows.
    [[noreturn]] void refuse_key() const;

    i64 integer(i64 least, i64 most) const;
    /// The same without a sign. A text of digits counts as well: TOML's integers end at 2^63.
    u64 whole(u64 least, u64 most) const;
    bool boolean() const;
    std::string const& text() const;
    /// Calls visit(Reader) for each member or element, in their order. They must be of an
    /// object, or of an array.
    template<class Visit>
    void for_each(Kind kind, Visit const& visit) const {
        require(kind);
        for (usize i = 0; i < m_value.members.size(); ++i) {
            visit(member(i));
        }
    }

private:
    Reader(Reader const& parent, Value const& value, std::string path)
        : m_file(parent.m_file), m_value(value), m_path(std::move(path)) {}

    void require(Kind kind) const;
    Reader member(usize index) const;

    std::string const& m_file;
    Value const& m_value;
    std::string m_path;
};

} // namespace twofold::json
