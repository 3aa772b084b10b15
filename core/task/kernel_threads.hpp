// The kernel's threads as what threads sleep for knows them (sync/threads.hpp), and the names under
// which the kernel uses that.
#pragma once

#include "core/task/parameters.hpp"
#include "core/task/sync/waits.hpp"

namespace twofold::task {

class Thread;
class Threads;

/// Keeps the contract ThreadSystem.
class KernelThreads {
public:
    using Thread = task::Thread;
    using Parameters = task::Parameters;

    explicit KernelThreads(Threads& threads) : m_threads(threads) {}

    Thread& current();
    void park();
    bool park_until(Nanos deadline);
    void unpark(Thread& thread);
    Parameters own_parameters(Thread& thread);
    static bool stronger(Parameters const& a, Parameters const& b) {
        return Classes::stronger(a, b);
    }
    void lend(Thread& thread, std::optional<Parameters> const& lent);
    LockState<KernelThreads>& lock_state(Thread& thread);
    std::string_view name(Thread& thread);

private:
    Threads& m_threads;
};

} // namespace twofold::task
