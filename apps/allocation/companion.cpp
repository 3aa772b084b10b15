// See companion.hpp.
#include "apps/allocation/companion.hpp"

#include "apps/launch/status.hpp"

#include <fmt/format.h>

namespace twofold::allocation {

namespace fs = std::filesystem;

fs::path find_companion(std::string const& file, std::string const& build_folder) {
    std::error_code error;
    fs::path const folder = fs::read_symlink("/proc/self/exe", error).parent_path();
    for (fs::path const& place :
         {folder, folder / ".." / build_folder, folder / ".." / TWOFOLD_LIBRARY_FOLDER}) {
        if (fs::exists(place / file, error)) {
            return fs::weakly_canonical(place / file);
        }
    }
    throw launch::Failure(
        launch::Status::unavailable,
        fmt::format("{} is missing; build it, or install the project", file));
}

} // namespace twofold::allocation
