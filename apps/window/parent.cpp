// See parent.hpp.
#include "apps/window/parent.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace twofold::window {

std::expected<Parent, std::string> Parent::connect() {
    launch::Descriptor socket(fcntl(display::window_socket_descriptor, F_DUPFD_CLOEXEC, 0));
    int kind = 0;
    socklen_t bytes = sizeof(kind);
    bool const is_socket =
        socket && getsockopt(socket.number(), SOL_SOCKET, SO_TYPE, &kind, &bytes) == 0;
    if (!is_socket || kind != SOCK_SEQPACKET) {
        return std::unexpected(
            "this is the window of a machine, which starts it: ./twofold run --display sdl");
    }
    auto memory = display::SharedMemory::open(display::window_memory_descriptor);
    if (!memory) {
        return std::unexpected(memory.error());
    }
    // Nothing that is started from here keeps the parent waiting.
    close(display::window_socket_descriptor);
    close(display::window_memory_descriptor);
    return Parent(std::move(socket), std::move(*memory));
}

void Parent::tell(WindowMessage const& message) const {
    send(m_socket.number(), &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Parent::fail(std::string_view why) const {
    WindowMessage message{.kind = WindowMessage::Kind::failed};
    std::ranges::copy(why.substr(0, WindowMessage::text_bytes - 1), message.text);
    tell(message);
}

bool Parent::wait() const {
    WindowMessage message;
    ssize_t got = 0;
    do {
        got = recv(m_socket.number(), &message, sizeof(message), 0);
    } while (got < 0 && errno == EINTR);
    return got > 0;
}

} // namespace twofold::window
