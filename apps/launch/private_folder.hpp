// A folder of a program's own, gone when it ends.
#pragma once

#include "apps/launch/status.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>

namespace twofold::launch {

class PrivateFolder {
public:
    /// Throws Failure (74) if there can be none.
    PrivateFolder() {
        std::error_code error;
        std::filesystem::path const base = std::filesystem::temp_directory_path(error);
        std::string name =
            ((error ? std::filesystem::path("/tmp") : base) / "twofold-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) {
            throw Failure(
                Status::io,
                fmt::format(
                    "cannot create a folder in '{}': {}", base.string(), std::strerror(errno)));
        }
        m_path = name;
    }
    ~PrivateFolder() {
        std::error_code error;
        std::filesystem::remove_all(m_path, error);
    }
    PrivateFolder(PrivateFolder const&) = delete;
    PrivateFolder& operator=(PrivateFolder const&) = delete;

    std::filesystem::path const& path() const { return m_path; }

private:
    std::filesystem::path m_path;
};

} // namespace twofold::launch
