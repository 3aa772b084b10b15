// See gathering.hpp.
#include "core/device/block/gathering.hpp"

#include "hal/clock.hpp"

namespace twofold::block {

// NOLINTNEXTLINE(performance-unnecessary-value-param): the type of `done`
void Gathering::take(Request& request, Result<void> outcome) {
    auto& self = *static_cast<Gathering*>(request.context);
    if (!outcome) {
        u32 first = none;
        self.m_error.compare_exchange(first, static_cast<u32>(outcome.error()), relaxed, relaxed);
    }
    self.leave();
}

void Gathering::leave() {
    if (m_left.fetch_sub(1, acquire_release) == 1) {
        m_all.come(true);
    }
}

Result<void> Gathering::submit(Request& request) {
    request.done = take;
    request.context = this;
    m_left.fetch_add(1, relaxed);
    auto submitted = m_device.submit(request);
    if (!submitted) {
        m_left.fetch_sub(1, relaxed); // not the last: who waits is counted, too
    }
    return submitted;
}

/// The time is looked at where there is a time to poll for, beside the first look.
void Gathering::poll() {
    m_device.poll();
    Nanos const longest = m_device.poll_time();
    if (longest == Nanos{}) {
        return;
    }
    Nanos const begun = hal::Clock::now();
    while (m_left.load(acquire) != 1 && hal::Clock::now() - begun < longest) {
        if (m_device.poll() == 0) {
            sync::relax();
        }
    }
}

Result<void> Gathering::wait() {
    poll();
    leave();
    if (mutant(Mutant::device_wait_limited) && !m_all.comes_within(Nanos{10'000'000})) {
        return Error::timed_out;
    }
    static_cast<void>(m_all.wait());
    u32 const error = m_error.load(relaxed);
    return error == none ? Result<void>() : Result<void>(static_cast<Error>(error));
}

} // namespace twofold::block
