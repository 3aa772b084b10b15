// Threads beside a machine's, which run no kernel: all signals are blocked there.
#pragma once

#include "hal/hosted/devices/nvme/file_job.hpp"

#include <csignal>
#include <fcntl.h>
#include <linux/falloc.h>
#include <thread>
#include <utility>

namespace hosted {

/// Throws std::system_error where the host has no thread left.
template<class Body>
std::thread make_helper_thread(Body&& body) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread made(std::forward<Body>(body));
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return made;
}

inline int fallocate_mode(FileCall::Kind kind) {
    int const what =
        kind == FileCall::Kind::zero_range ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE;
    return what | FALLOC_FL_KEEP_SIZE;
}

} // namespace hosted
