// A tree from toml++'s. The one source that compiles toml++, which is all headers. See
// toml_tree.hpp.
#include "sim/plan/toml_tree.hpp"

#include "apps/launch/status.hpp"
#include "sim/words/words.hpp"

#include <algorithm>
#include <fmt/format.h>

#define TOML_MAX_NESTED_VALUES 64
#include <toml++/toml.h>

namespace twofold::sim {

namespace {

using json::Kind;
using json::Value;

/// Recursion is bounded by TOML_MAX_NESTED_VALUES.
Value tree_of(toml::node const& node) {
    Value value;
    value.line = node.source().begin.line;
    if (toml::table const* const table = node.as_table()) {
        value.kind = Kind::object;
        std::vector<std::pair<toml::source_position, Value>> members;
        for (auto const& [key, member] : *table) {
            members.emplace_back(key.source().begin, tree_of(member));
            members.back().second.key = key.str();
            // A table may have begun at another's header; its key is what messages are about.
            members.back().second.line = key.source().begin.line;
        }
        std::ranges::sort(members, {}, [](auto const& member) {
            return std::pair(member.first.line, member.first.column);
        });
        for (auto& member : members) {
            value.members.push_back(std::move(member.second));
        }
    } else if (toml::array const* const array = node.as_array()) {
        value.kind = Kind::array;
        for (toml::node const& element : *array) {
            value.members.push_back(tree_of(element));
        }
    } else if (auto const* const text = node.as_string()) {
        value.kind = Kind::text;
        value.text = text->get();
    } else if (auto const* const integer = node.as_integer()) {
        value.kind = Kind::integer;
        value.integer = integer->get();
        value.text = fmt::format("{}", integer->get());
    } else if (auto const* const real = node.as_floating_point()) {
        value.kind = Kind::real;
        value.text = fmt::format("{}", real->get());
    } else if (auto const* const boolean = node.as_boolean()) {
        value.kind = Kind::boolean;
        value.boolean = boolean->get();
    }
    return value;
}

/// toml++ 3.3 has no defined behaviour where a letter beyond ASCII stands outside of strings (its
/// is_non_ascii_horizontal_whitespace), so it gets to see none: they mean nothing to us.
std::string ascii_of(std::string_view text) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text.starts_with(byte_order_mark)) {
        text.remove_prefix(byte_order_mark.size());
    }
    std::string made(text);
    std::ranges::replace_if(made, [](char letter) { return (letter & 0x80) != 0; }, '?');
    return made;
}

} // namespace

Value parse_toml(std::string const& name, std::string_view text) {
    try {
        return tree_of(toml::parse(ascii_of(text)));
    } catch (toml::parse_error const& error) {
        throw launch::Failure(
            launch::Status::usage, fmt::format(
                                       "{}:{}: this is not TOML: {}", name,
                                       error.source().begin.line, one_line(error.description())));
    }
}

} // namespace twofold::sim
