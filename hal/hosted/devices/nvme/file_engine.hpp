// Who makes the calls of jobs on one file: io_uring, or helper threads where that is not permitted;
// before them, where the file is in the host's page cache, who copies there.
#pragma once

#include "hal/hosted/devices/nvme/file_job.hpp"

#include <expected>
#include <functional>
#include <memory>
#include <string>

namespace hosted {

class FileEngine {
public:
    virtual ~FileEngine() = default; // nothing is in flight

    /// Takes a job; it is the engine's until it is reaped.
    virtual void submit(FileJob& job) = 0;
    /// Begins all that were taken. Does not wait, but for a write of the cached one, once in a
    /// while.
    virtual void start() = 0;
    /// Puts the jobs that have ended behind `ended`. Does not wait.
    virtual void reap(std::vector<FileJob*>& ended) = 0;
    /// The same, waiting until one has ended.
    virtual void wait(std::vector<FileJob*>& ended) = 0;
    /// `notice` is called from another thread, whenever jobs may have ended that `reap` did not
    /// say.
    virtual void listen(std::function<void()> notice) = 0;
    /// Readable then, too; -1: there is none.
    virtual int descriptor() const { return -1; }
    virtual char const* name() const = 0;
};

/// The error is one line. `file` outlives the engine.
std::expected<std::unique_ptr<FileEngine>, std::string> make_uring_engine(int file);
std::expected<std::unique_ptr<FileEngine>, std::string> make_thread_engine(int file);
/// For a file that is not open for direct access; `other` is on the same one.
std::unique_ptr<FileEngine> make_cached_engine(int file, std::unique_ptr<FileEngine> other);

} // namespace hosted
