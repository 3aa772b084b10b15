// See kernel_threads.hpp.
#include "core/task/threads.hpp"

namespace twofold::task {

static_assert(ThreadSystem<KernelThreads>);

void KernelThreads::park() {
    m_threads.park();
}

bool KernelThreads::park_until(Nanos deadline) {
    return m_threads.park_until(deadline);
}

void KernelThreads::unpark(Thread& thread) {
    m_threads.unpark(thread);
}

Parameters KernelThreads::own_parameters(Thread& thread) {
    return thread.m_own;
}

void KernelThreads::lend(Thread& thread, std::optional<Parameters> const& lent) {
    Parameters parameters = lent.value_or(thread.m_own);
    if (lent && parameters.is<sched::Edf>()) {
        parameters.get<sched::Edf>().is_lent = true; // who lends it sleeps, and its share rests
    }
    // Nothing of this is refused: its own was given to it before, and what is lent is not counted.
    m_threads.run_with(thread, parameters).value();
    m_threads.settle(hal::InterruptState::disabled);
}

std::string_view KernelThreads::name(Thread& thread) {
    return thread.name();
}

} // namespace twofold::task
