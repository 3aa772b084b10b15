// The result records of a run as a file, one JSON object a line.
#pragma once

#include "apps/launch/records.hpp"

#include <cstdio>
#include <filesystem>
#include <memory>

namespace twofold::launch {

class ResultsFile {
public:
    /// Creates the file, and its folder where that is missing. Throws Failure (74) if it cannot.
    explicit ResultsFile(std::filesystem::path const& path);

    void write(Record const& record);

    /// Throws Failure (74) if anything written so far did not reach the file.
    void flush();

private:
    std::filesystem::path m_path;
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> m_file;
};

} // namespace twofold::launch
