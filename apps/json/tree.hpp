// JSON as rt-app's files have it: comments, commas behind the last member, and objects in which a
// key may come several times and the order of the members counts. Every value knows its line.
#pragma once

#include "core/base/base.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace twofold::json {

enum class Kind : u8 { null, boolean, integer, real, text, array, object };

struct Value {
    Kind kind = Kind::null;
    u32 line = 0;
    bool boolean = false;
    i64 integer = 0;
    std::string key;  ///< of a member
    std::string text; ///< of a text, and of every number as it is written
    std::vector<Value> members;
};

/// What a kind is called in a sentence.
std::string_view kind_name(Kind kind);

/// The value that `text` is. Throws launch::Failure with `name`, line and reason. An integer that
/// does not fit into 64 bits with a sign counts as a real number. O(n); values lie at most 64 deep.
Value parse(std::string const& name, std::string_view text);

} // namespace twofold::json
