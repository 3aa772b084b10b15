// See results_file.hpp.
#include "apps/launch/results_file.hpp"

#include "apps/launch/status.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace twofold::launch {

namespace {

std::FILE* create(std::filesystem::path const& path) {
    if (path.has_parent_path()) {
        std::error_code error; // opening the file tells
        std::filesystem::create_directories(path.parent_path(), error);
    }
    return std::fopen(path.c_str(), "we");
}

} // namespace

ResultsFile::ResultsFile(std::filesystem::path const& path)
    : m_path(path), m_file(create(path), std::fclose) {
    if (!m_file) {
        throw Failure(
            Status::io,
            fmt::format("--results: cannot create '{}': {}", path.string(), std::strerror(errno)));
    }
}

void ResultsFile::write(Record const& record) {
    std::string const line = to_json(record) + '\n';
    std::fwrite(line.data(), 1, line.size(), m_file.get());
}

void ResultsFile::flush() {
    if (std::fflush(m_file.get()) != 0 || std::ferror(m_file.get()) != 0) {
        throw Failure(
            Status::io,
            fmt::format("--results: cannot write '{}': {}", m_path.string(), std::strerror(errno)));
    }
}

} // namespace twofold::launch
