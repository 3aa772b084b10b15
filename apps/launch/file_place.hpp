// Whether a file that a run leaves at its end can be written, before the run.
#pragma once

#include <filesystem>
#include <string_view>

namespace twofold::launch {

/// Throws Failure (74), a line that begins with `option`, where a file at `path` could not be
/// written, as far as that can be known. Makes its folder where that is missing.
void check_file_place(std::filesystem::path const& path, std::string_view option);

/// The line's failure, for who writes the file.
[[noreturn]] void
fail_file(std::filesystem::path const& path, std::string_view option, std::string_view why);

} // namespace twofold::launch
