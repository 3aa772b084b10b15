// See host_counters.hpp.
#include "hal/hosted/live/host_counters.hpp"

#include <cerrno>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hosted {

namespace {

constexpr std::array<u64, hal::counter_event_count> host_events{
    PERF_COUNT_HW_CPU_CYCLES,   PERF_COUNT_HW_INSTRUCTIONS,        PERF_COUNT_HW_CACHE_REFERENCES,
    PERF_COUNT_HW_CACHE_MISSES, PERF_COUNT_HW_BRANCH_INSTRUCTIONS, PERF_COUNT_HW_BRANCH_MISSES};

/// A counter of the calling thread that runs; negative where the host refuses.
int open_counter(hal::CounterEvent event) {
    perf_event_attr wanted{};
    wanted.size = sizeof(wanted);
    wanted.type = PERF_TYPE_HARDWARE;
    wanted.config = host_events[static_cast<usize>(event)];
    wanted.exclude_kernel = 1;
    wanted.exclude_hv = 1;
    return static_cast<int>(syscall(SYS_perf_event_open, &wanted, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

} // namespace

bool HostCounters::has(hal::CounterEvent event) {
    int const file = open_counter(event);
    if (file >= 0) {
        close(file);
    }
    return file >= 0;
}

Result<void> HostCounters::start(hal::CounterEvent event) {
    int& file = m_files[static_cast<usize>(event)];
    if (file >= 0) {
        return Error::already_exists;
    }
    file = open_counter(event);
    if (file >= 0) {
        return {};
    }
    bool const taken = errno == EBUSY || errno == ENOSPC || errno == EMFILE || errno == ENFILE;
    return taken ? Error::no_space : Error::not_supported;
}

Result<u64> HostCounters::read(hal::CounterEvent event) const {
    int const file = m_files[static_cast<usize>(event)];
    if (file < 0) {
        return Error::not_found;
    }
    u64 count = 0;
    ssize_t const got = ::read(file, &count, sizeof(count));
    CHECK(got == static_cast<ssize_t>(sizeof(count)));
    return count;
}

Result<void> HostCounters::stop(hal::CounterEvent event) {
    int& file = m_files[static_cast<usize>(event)];
    if (file < 0) {
        return Error::not_found;
    }
    close(file);
    file = -1;
    return {};
}

void HostCounters::stop_all() {
    for (int& file : m_files) {
        if (file >= 0) {
            close(file);
            file = -1;
        }
    }
}

} // namespace hosted
