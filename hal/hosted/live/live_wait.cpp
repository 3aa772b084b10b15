// How a live machine waits while its boot processor rests. See live_engine.hpp.
//
// A device whose events a helper thread hears, too, has this thread hear them instead while it
// waits: its descriptors are watched with EPOLLEXCLUSIVE, from before that thread exists, and of
// exclusive waiters the first one that waits is woken (epoll_ctl(2)). So an interrupt needs one
// thread to wake and not two.
#include "hal/hosted/live/live_engine.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <optional>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <utility>

namespace hosted {

namespace {

constexpr i64 second_ns = 1'000'000'000;
constexpr u32 own_wake = ~u32{0}; ///< among devices
constexpr usize events_max = 16;

} // namespace

void LiveEngine::forget_devices() {
    if (m_watch >= 0) {
        close(m_watch);
        m_watch = -1;
    }
    m_watched.clear();
}

/// Of the machine's devices as they are now. Where the host refuses, their threads hear all.
void LiveEngine::watch_devices() {
    std::vector<Watched> wanted;
    std::vector<int> events;
    for (u32 number = 0; number < m_board.devices().size(); ++number) {
        if (auto const device = m_board.devices()[number]) {
            device->add_events(events);
        }
        while (wanted.size() < events.size()) {
            wanted.push_back({events[wanted.size()], number});
        }
    }
    if (wanted == m_watched) {
        return; // a machine that starts over: it stays the first to be woken
    }
    forget_devices();
    m_watched = std::move(wanted);
    m_watch = epoll_create1(EPOLL_CLOEXEC);
    auto const add = [&](int descriptor, u32 mode, u32 number) {
        epoll_event event{.events = EPOLLIN | mode, .data = {.u32 = number}};
        return m_watch >= 0 && epoll_ctl(m_watch, EPOLL_CTL_ADD, descriptor, &event) == 0;
    };
    bool is_watched = add(boot().wake_descriptor(), 0, own_wake);
    for (u32 i = 0; i < m_watched.size(); ++i) {
        is_watched = is_watched && add(m_watched[i].descriptor, EPOLLEXCLUSIVE, i);
    }
    if (!is_watched) {
        forget_devices();
    }
}

void LiveEngine::wait(int input_descriptor) {
    // The deadline is read before the look at what is pending: if its signal comes in between, the
    // wait is as long as it would have been.
    i64 const wanted_ns = boot().cpu().deadline.wanted_ns;
    i64 const left_ns = std::max(wanted_ns - static_cast<i64>(time_ns()), i64{0});
    timespec const left{left_ns / second_ns, left_ns % second_ns};
    if (boot().cpu().interrupts.any() || boot().signals().stop_requested) {
        return;
    }
    timespec const* const limit = wanted_ns == Deadline::never ? nullptr : &left;
    if (input_descriptor < 0 && m_watch >= 0 && wait_for_devices(limit)) {
        return;
    }
    pollfd polled[] = {{boot().wake_descriptor(), POLLIN, 0}, {input_descriptor, POLLIN, 0}};
    int const ready = ppoll(polled, std::size(polled), limit, nullptr);
    if (ready > 0 && polled[0].revents != 0) {
        boot().forget_wake();
    }
    if (ready > 0 && polled[1].revents != 0) {
        note_input();
    }
}

/// False: the host cannot wait so.
bool LiveEngine::wait_for_devices(timespec const* limit) {
    std::array<epoll_event, events_max> events;
    constexpr int most = events_max;
    int ready = epoll_pwait2(m_watch, events.data(), most, limit, nullptr);
    if (ready < 0 && errno == ENOSYS) {
        return false;
    }
    if (ready <= 0) {
        // What has come since was for this thread alone, and nobody else was woken.
        ready = epoll_wait(m_watch, events.data(), most, 0);
    }
    for (int i = 0; i < ready; ++i) {
        u32 const number = events[static_cast<usize>(i)].data.u32;
        if (number == own_wake) {
            boot().forget_wake();
            continue;
        }
        u64 count = 0;
        [[maybe_unused]] auto const got = read(m_watched[number].descriptor, &count, sizeof(count));
        m_board.notice_device(m_watched[number].device);
    }
    return true;
}

} // namespace hosted
