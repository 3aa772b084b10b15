// See window_display.hpp; how the program is started is in window_start.cpp.
#include "apps/display/window_display.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <iterator>

namespace twofold::display {

namespace {

using namespace std::chrono_literals;

/// How long the window may hold the lock before it is tried again.
constexpr auto lock_patience = 50ms;
constexpr int look_again_ms = 20;
/// How long the program may take to end once its socket is closed.
constexpr auto end_patience = 1s;

} // namespace

WindowDisplay::WindowDisplay(
    SharedMemory memory, launch::Descriptor socket, launch::Descriptor wake)
    : m_memory(std::move(memory)), m_socket(std::move(socket)), m_wake(std::move(wake)) {}

WindowDisplay::~WindowDisplay() {
    stop();
    m_socket.close();
    auto const end = std::chrono::steady_clock::now() + end_patience;
    int status = 0;
    while (m_process > 0 && waitpid(m_process, &status, WNOHANG) == 0) {
        if (std::chrono::steady_clock::now() > end) {
            kill(m_process, SIGKILL);
            waitpid(m_process, &status, 0);
            break;
        }
        poll(nullptr, 0, look_again_ms);
    }
}

void WindowDisplay::start(WindowListener& listener) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); // the thread is born so
    m_thread = std::jthread(
        [this, &listener](std::stop_token const& stopped) { serve(stopped, listener); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void WindowDisplay::stop() {
    if (m_thread.joinable()) {
        m_thread.request_stop();
        wake();
        m_thread.join();
    }
}

void WindowDisplay::wake() const {
    eventfd_write(m_wake.number(), 1);
}

void WindowDisplay::note_damage(FrameArea const& area) {
    bool const was_empty = m_damage.width == 0;
    m_damage = united(m_damage, area);
    if (was_empty) {
        wake();
    }
}

void WindowDisplay::resize(FrameSize size) {
    std::lock_guard const lock(m_mutex);
    m_frame.resize(size);
    m_damage = {};
    note_damage(m_frame.whole());
}

void WindowDisplay::present(FrameArea const& area, std::span<u32 const> pixels, u32 stride) {
    std::lock_guard const lock(m_mutex);
    m_frame.take(area, pixels, stride);
    note_damage(area);
}

/// The life of the thread.
void WindowDisplay::serve(std::stop_token const& stopped, WindowListener& listener) {
    bool is_open = true;
    bool is_late = false; // damage waits for the lock
    while (!stopped.stop_requested()) {
        pollfd polled[] = {
            {m_wake.number(), POLLIN, 0}, {is_open ? m_socket.number() : -1, POLLIN, 0}};
        poll(polled, std::size(polled), is_late || m_is_closed ? look_again_ms : -1);
        if (polled[0].revents != 0) {
            eventfd_t count = 0;
            eventfd_read(m_wake.number(), &count);
        }
        is_late = is_open && !bring();
        if (is_open && polled[1].revents != 0) {
            is_open = receive(listener);
        }
        if (m_is_closed) {
            listener.still_closed();
        }
    }
    if (is_open) {
        bring(); // the last frame, if the window takes it in time
    }
}

/// Takes one message. False: there will be no more.
bool WindowDisplay::receive(WindowListener& listener) {
    WindowMessage message;
    ssize_t const got = recv(m_socket.number(), &message, sizeof(message), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (got != sizeof(message)) {
        listener.lost();
        return false;
    }
    auto const& values = message.values;
    switch (message.kind) {
    case WindowMessage::Kind::key:
        listener.key(static_cast<u8>(values[0]), values[1] != 0);
        return true;
    case WindowMessage::Kind::mouse:
        listener.mouse(values[0], values[1], values[2], static_cast<u8>(values[3]));
        return true;
    case WindowMessage::Kind::size:
        if (values[0] > 0 && values[1] > 0) {
            listener.resized({static_cast<u32>(values[0]), static_cast<u32>(values[1])});
        }
        return true;
    case WindowMessage::Kind::closed:
        m_is_closed = true;
        listener.closed();
        return false;
    default:
        return true; // of a later version
    }
}

/// Brings damage to the window's memory. False: the lock was not to be had.
bool WindowDisplay::bring() {
    {
        std::lock_guard const lock(m_mutex);
        if (m_damage.width == 0) {
            return true;
        }
    }
    if (!m_memory.lock(lock_patience)) {
        return false;
    }
    SharedFrame& shared = m_memory.frame();
    bool was_taken = false;
    {
        std::lock_guard const lock(m_mutex);
        FrameArea const area = std::exchange(m_damage, {});
        was_taken = shared.damage.width == 0 || shared.damage.height == 0;
        FrameSize const size = m_frame.size();
        // Damage of another size means nothing any more: all of this one is.
        shared.damage = shared.size == size ? united(shared.damage, area) : m_frame.whole();
        shared.size = size;
        for (u32 y = area.y; y < area.y + area.height; ++y) {
            std::ranges::copy(
                m_frame.row(y).subspan(area.x, area.width),
                m_memory.pixels().subspan(u64{y} * size.width + area.x, area.width).begin());
        }
    }
    m_memory.unlock();
    if (was_taken) { // else it has been told, and has not looked yet
        WindowMessage const message{.kind = WindowMessage::Kind::frame};
        send(m_socket.number(), &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    return true;
}

} // namespace twofold::display
