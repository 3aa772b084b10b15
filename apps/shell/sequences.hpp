// Control characters and sequences of ECMA-48 that the shell reads and writes.
#pragma once

#include <string_view>

namespace twofold::shell {

inline constexpr char escape_byte = '\x1B';
inline constexpr std::string_view bell = "\a";
inline constexpr std::string_view erase_row_end = "\x1B[K";
inline constexpr std::string_view erase_below = "\x1B[J";
inline constexpr std::string_view clear_all = "\x1B[H\x1B[2J";
inline constexpr std::string_view plain_sequence = "\x1B[0m";
inline constexpr std::string_view hint_sequence = "\x1B[0;2m"; ///< faint alone
inline constexpr std::string_view begin_bracketed_paste = "\x1B[?2004h";
inline constexpr std::string_view end_bracketed_paste = "\x1B[?2004l";
/// The terminal tells its size, at once and whenever that changes.
inline constexpr std::string_view begin_size_reports = "\x1B[?2048h";
inline constexpr std::string_view end_size_reports = "\x1B[?2048l";

} // namespace twofold::shell
