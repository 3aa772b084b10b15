// The little of JSON (RFC 8259) that the launchers speak: quoting a text, and finding a member of
// one object in text that another program wrote (QEMU's monitor). No tree is built.
#pragma once

#include "core/base/base.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace twofold::launch {

/// Appends `text` to `out` as a JSON string; each byte that is no UTF-8 becomes U+FFFD. O(n).
void append_json_string(std::string& out, std::string_view text);

/// The raw text of member `key` of the object that `json` is, without surrounding blanks; nothing
/// if `json` is no well-formed object or has no such member. `key` is compared as written. O(n).
std::optional<std::string_view> json_member(std::string_view json, std::string_view key);

/// The text that the JSON string `raw` (with its quotes) stands for, as UTF-8; nothing if it is
/// none. O(n).
std::optional<std::string> json_string(std::string_view raw);

} // namespace twofold::launch
