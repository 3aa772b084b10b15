// The worker's files and processes. See worker_process.hpp.
#include "apps/allocation/worker_process.hpp"

#include "apps/allocation/companion.hpp"
#include "apps/launch/status.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <vector>

extern char** environ; // NOLINT(readability-redundant-declaration): unistd.h has it for GNU only

namespace twofold::allocation {

namespace {

namespace fs = std::filesystem;
using launch::Descriptor;
using launch::Failure;
using launch::Status;

constexpr u64 page_bytes = 4096;
constexpr u64 samples_wanted = 512;
constexpr char const* worker_program = "twofold-replay-worker";

/// The peers by the name that their library has on every Linux, so that the loader finds it.
struct KnownAllocator {
    std::string_view name;
    std::string_view library;
};
constexpr std::array<KnownAllocator, 4> known_allocators = {{
    {"glibc", ""},
    {"jemalloc", "libjemalloc.so.2"},
    {"mimalloc", "libmimalloc.so.2"},
    {"tcmalloc", "libtcmalloc_minimal.so.4"},
}};

[[noreturn]] void fail_io(char const* what) {
    throw Failure(Status::io, fmt::format("{}: {}", what, std::strerror(errno)));
}

u64 round_to_page(u64 bytes) {
    return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

void write_all(int file, u64 offset, void const* data, u64 bytes) {
    auto const* at = static_cast<char const*>(data);
    while (bytes > 0) {
        ssize_t const written = pwrite(file, at, bytes, static_cast<off_t>(offset));
        if (written <= 0) {
            fail_io("the schedule cannot be handed to a worker");
        }
        at += written;
        offset += static_cast<u64>(written);
        bytes -= static_cast<u64>(written);
    }
}

/// The environment of a worker: ours, without what would change an allocator, and with `library`
/// preloaded.
std::vector<std::string> worker_environment(std::string const& library) {
    std::vector<std::string> variables;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        std::string_view const variable = *entry;
        bool const changes = variable.starts_with("LD_PRELOAD=") ||
                             variable.starts_with("TWOFOLD_") || variable.starts_with("MALLOC_") ||
                             variable.starts_with("GLIBC_TUNABLES=");
        if (!changes) {
            variables.emplace_back(variable);
        }
    }
    if (!library.empty()) {
        variables.push_back("LD_PRELOAD=" + library);
    }
    return variables;
}

/// In the child: puts the two descriptors where the worker expects them, and becomes the worker.
[[noreturn]] void become_worker(
    char const* program, int order, int result, char* const* arguments, char* const* environment) {
    // First out of the way of both numbers, then onto them.
    int const order_away = fcntl(order, F_DUPFD, result_descriptor + 1);
    int const result_away = fcntl(result, F_DUPFD, result_descriptor + 1);
    if (order_away >= 0 && result_away >= 0 && dup2(order_away, order_descriptor) >= 0 &&
        dup2(result_away, result_descriptor) >= 0) {
        close(order_away);
        close(result_away);
        execve(program, arguments, environment);
    }
    _exit(static_cast<int>(Status::unavailable));
}

bool same_library(std::string const& asked, std::string const& found) {
    if (asked.empty()) {
        return fs::path(found).filename().native().starts_with("libc.so");
    }
    if (asked.find('/') == std::string::npos) {
        return fs::path(found).filename().native().starts_with(asked);
    }
    std::error_code error;
    return fs::equivalent(asked, found, error);
}

} // namespace

Allocator find_allocator(std::string const& given) {
    for (KnownAllocator const& known : known_allocators) {
        if (given == known.name) {
            return {given, std::string(known.library)};
        }
    }
    if (given == "twofold") {
        return {given, find_companion("libtwofold-malloc.so", "malloc").string()};
    }
    std::error_code error;
    if (given.find('/') != std::string::npos && fs::is_regular_file(given, error)) {
        return {fs::path(given).filename().string(), fs::absolute(given).string()};
    }
    throw Failure(
        Status::usage,
        fmt::format(
            "'{}' is neither an allocator (glibc, jemalloc, mimalloc, tcmalloc, twofold) nor the "
            "path of a library",
            given));
}

OrderFile::OrderFile(Schedule const& schedule)
    : m_file(memfd_create("twofold-replay", MFD_CLOEXEC)) {
    u64 const operation_bytes = schedule.operations.size() * sizeof(Operation);
    u64 const turn_bytes = schedule.turns.size() * sizeof(u32);
    m_order.operation_count = schedule.operations.size();
    m_order.operations_offset = page_bytes;
    m_order.turns_offset = page_bytes + round_to_page(operation_bytes);
    m_order.file_bytes = m_order.turns_offset + round_to_page(turn_bytes);
    m_order.live_bytes_peak_operation = schedule.live_bytes_peak_operation;
    m_order.sample_interval = std::max<u64>(schedule.operations.size() / samples_wanted, 1);
    m_order.place_count = schedule.places;
    m_order.thread_count = schedule.counts.threads;
    if (!m_file || ftruncate(m_file.number(), static_cast<off_t>(m_order.file_bytes)) != 0) {
        fail_io("the host has no memory for the schedule");
    }
    write_all(
        m_file.number(), m_order.operations_offset, schedule.operations.data(), operation_bytes);
    write_all(m_file.number(), m_order.turns_offset, schedule.turns.data(), turn_bytes);
}

void OrderFile::set(Measure measure, Touch touch) {
    m_order.measure = measure;
    m_order.touch = touch;
    write_all(m_file.number(), 0, &m_order, sizeof(m_order));
}

WorkResult run_worker(OrderFile const& order, Allocator const& allocator) {
    std::string const program = find_companion(worker_program, "allocation").string();
    std::vector<std::string> const variables = worker_environment(allocator.library);
    std::vector<char*> environment;
    for (std::string const& variable : variables) {
        environment.push_back(const_cast<char*>(variable.c_str()));
    }
    environment.push_back(nullptr);
    std::array<char*, 2> const arguments = {const_cast<char*>(program.c_str()), nullptr};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        fail_io("no pipe to a worker");
    }
    Descriptor const from_worker(ends[0]);
    Descriptor to_us(ends[1]);
    pid_t const process = fork();
    if (process < 0) {
        fail_io("no process for a worker");
    }
    if (process == 0) {
        become_worker(
            program.c_str(), order.descriptor(), to_us.number(), arguments.data(),
            environment.data());
    }
    to_us.close();
    WorkResult result;
    ssize_t got = 0;
    do {
        got = read(from_worker.number(), &result, sizeof(result));
    } while (got < 0 && errno == EINTR);
    int status = 0;
    while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    if (got != static_cast<ssize_t>(sizeof(result)) || status != 0) {
        std::string const how = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                                    : fmt::format("status {}", WEXITSTATUS(status));
        throw Failure(
            Status::crash, fmt::format("the replay on {} ended with {}", allocator.name, how));
    }
    if (!same_library(allocator.library, result.allocator.data())) {
        throw Failure(
            Status::unavailable,
            fmt::format(
                "{} cannot be loaded: malloc came from {} (install the allocator's package)",
                allocator.library, result.allocator.data()));
    }
    return result;
}

} // namespace twofold::allocation
