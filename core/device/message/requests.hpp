// Requests from one kernel to another over message ports, whatever the links between them do: a
// frame may be lost, late, come twice or behind a later one, and nothing may pass for a while.
//
// Whoever asks numbers its requests, has one under way at a time, and sends it again until it is
// answered, each time after a longer pause. Whoever answers keeps, for each that asks, the number
// of its last request and the answer. So each request is performed once at most, in the order in
// which it was made, and an answer is taken by the request that it is of.
//
// A frame begins with 16 bytes, little-endian (docs/devices-simulated.md): signature, version,
// kind, number; what is asked or answered follows.
//
// Source: A. Birrell and B. Nelson, "Implementing remote procedure calls", ACM TOCS 2(1), 1984.
//
// Neighbours: message_port.hpp (frames). A port is used by one Requester or one Responder.
#pragma once

#include "core/device/message/message_port.hpp"

#include <array>

namespace twofold::device {

/// What a frame of a request or of an answer begins with.
struct RequestHead {
    static constexpr u32 signature_value = 0x5152'4632; ///< "2FRQ"
    static constexpr u16 version_value = 1;
    enum class Kind : u16 { request = 1, answer = 2 };

    u32 signature = signature_value;
    u16 version = version_value;
    Kind kind{};
    u64 number = 0;
};
static_assert(sizeof(RequestHead) == 16);

inline constexpr Bytes request_max{MessagePort::frame_max.value - sizeof(RequestHead)};

/// Asks. One thread at a time.
class Requester {
public:
    static constexpr Nanos first_pause{500'000}; ///< until a request is sent again
    static constexpr Nanos pause_max{8'000'000}; ///< each pause is twice the one before, up to this

    /// `port` must outlive this.
    explicit Requester(MessagePort& port) : m_port(port) {}
    Requester(Requester const&) = delete;
    Requester& operator=(Requester const&) = delete;

    /// Asks the kernel whose port has the address `to`, and waits until it has answered: how many
    /// bytes the answer has, its first ones in `answer`. Context thread, interrupts on. Errors:
    /// invalid_argument (nothing or more than request_max is asked); timed_out (it may have been
    /// performed, or not); those of MessagePort::send. O(bytes) for each time that it is sent.
    Result<usize>
    ask(u32 to, std::span<std::byte const> request, std::span<std::byte> answer, Nanos deadline);

private:
    Result<usize> await_answer(u32 from, std::span<std::byte> answer, Nanos deadline);

    MessagePort& m_port;
    u64 m_number = 0; ///< of the last request
    std::array<std::byte, MessagePort::frame_max.value> m_sent{};
    std::array<std::byte, MessagePort::frame_max.value> m_received{};
};

/// Answers. One thread.
class Responder {
public:
    static constexpr u32 clients_max = 16;
    static constexpr usize answer_max = 64;

    /// Performs a request of the kernel at `from`: writes the answer, and says how many bytes it
    /// has.
    using Perform = usize (*)(
        void* self, u32 from, std::span<std::byte const> request, std::span<std::byte> answer);

    /// `port` must outlive this.
    explicit Responder(MessagePort& port) : m_port(port) {}
    Responder(Responder const&) = delete;
    Responder& operator=(Responder const&) = delete;

    /// Waits for a frame until `deadline`, and answers it if it is a request: a new one by what
    /// `perform` does with `self`, the last one once more as it was answered, and older ones not at
    /// all. Context thread, interrupts on. Errors: timed_out (no frame has come); no_space (more
    /// than clients_max ask); those of MessagePort::receive and send. O(bytes + clients).
    Result<void> serve(Perform perform, void* self, Nanos deadline);

private:
    struct Client {
        u32 address = 0;
        u64 number = 0; ///< of its last request; 0: it has made none
        usize answer_size = 0;
        std::array<std::byte, answer_max> answer{};
    };

    Result<Client*> client_of(u32 address);
    Result<void> send_answer(Client const& client);

    MessagePort& m_port;
    FixedVector<Client, clients_max> m_clients;
    std::array<std::byte, MessagePort::frame_max.value> m_received{};
};

} // namespace twofold::device
