// See file_place.hpp.
#include "apps/launch/file_place.hpp"

#include "apps/launch/status.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace twofold::launch {

namespace fs = std::filesystem;

void fail_file(fs::path const& path, std::string_view option, std::string_view why) {
    throw Failure(Status::io, fmt::format("{}: cannot write '{}': {}", option, path.string(), why));
}

void check_file_place(fs::path const& path, std::string_view option) {
    std::error_code error;
    if (fs::is_directory(path, error)) {
        fail_file(path, option, std::strerror(EISDIR));
    }
    fs::path const folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    if (!fs::is_directory(folder, error)) {
        fs::create_directories(folder, error); // what is wrong, the next line says
    }
    if (access(folder.c_str(), W_OK | X_OK) != 0) {
        fail_file(path, option, std::strerror(errno));
    }
}

} // namespace twofold::launch
