// See requests.hpp.
#include "core/device/message/requests.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

namespace twofold::device {

namespace {

constexpr u32 few_times = 3; ///< of a mutant

/// The head of a frame, where it is one of this version.
std::optional<RequestHead> head_of(std::span<std::byte const> frame) {
    RequestHead head;
    if (frame.size() < sizeof(head)) {
        return std::nullopt;
    }
    std::memcpy(&head, frame.data(), sizeof(head));
    bool const is_ours = head.signature == RequestHead::signature_value &&
                         head.version == RequestHead::version_value;
    return is_ours ? std::optional(head) : std::nullopt;
}

} // namespace

Result<usize> Requester::ask(
    u32 to, std::span<std::byte const> request, std::span<std::byte> answer, Nanos deadline) {
    if (request.empty() || request.size() > request_max.value) {
        return Error::invalid_argument;
    }
    RequestHead const head{.kind = RequestHead::Kind::request, .number = ++m_number};
    std::memcpy(m_sent.data(), &head, sizeof(head));
    std::memcpy(m_sent.data() + sizeof(head), request.data(), request.size());
    std::span const frame = std::span(m_sent).first(sizeof(head) + request.size());
    Nanos pause = first_pause;
    for (u32 times = 1;; ++times) {
        TRY(m_port.send(to, frame));
        Nanos again = std::min(hal::Clock::now() + pause, deadline);
        if (mutant(Mutant::device_request_once) ||
            (mutant(Mutant::device_request_few) && times == few_times)) {
            again = deadline;
        }
        auto const answered = await_answer(to, answer, again);
        if (answered || answered.error() != Error::timed_out || again == deadline) {
            return answered;
        }
        pause = std::min(pause + pause, pause_max);
    }
}

/// The answer to the last request; what else comes is left out.
Result<usize> Requester::await_answer(u32 from, std::span<std::byte> answer, Nanos deadline) {
    while (true) {
        auto const received = TRY(m_port.receive(m_received, deadline));
        std::span<std::byte const> const frame = std::span(m_received).first(received.size.value);
        auto const head = head_of(frame);
        if (!head || head->kind != RequestHead::Kind::answer || received.from != from) {
            continue;
        }
        if (head->number != m_number && !mutant(Mutant::device_answer_unmatched)) {
            continue; // of an earlier request, which was answered twice
        }
        std::span const bytes = frame.subspan(sizeof(RequestHead));
        std::memcpy(answer.data(), bytes.data(), std::min(bytes.size(), answer.size()));
        return bytes.size();
    }
}

Result<void> Responder::serve(Perform perform, void* self, Nanos deadline) {
    auto const received = TRY(m_port.receive(m_received, deadline));
    std::span<std::byte const> const frame = std::span(m_received).first(received.size.value);
    auto const head = head_of(frame);
    if (!head || head->kind != RequestHead::Kind::request) {
        return {};
    }
    Client& client = *TRY(client_of(received.from));
    bool const is_new =
        head->number > client.number ||
        (head->number == client.number && mutant(Mutant::device_request_repeated)) ||
        (head->number < client.number && mutant(Mutant::device_request_stale));
    if (is_new) {
        client.number = head->number;
        client.answer_size =
            perform(self, received.from, frame.subspan(sizeof(RequestHead)), client.answer);
        CHECK(client.answer_size <= answer_max);
    } else if (head->number != client.number) {
        return {}; // whoever has asked has its answer, and has asked something else since
    }
    return send_answer(client);
}

Result<Responder::Client*> Responder::client_of(u32 address) {
    for (Client& client : m_clients) {
        if (client.address == address) {
            return &client;
        }
    }
    TRY(m_clients.push_back({.address = address}));
    return &m_clients.back();
}

Result<void> Responder::send_answer(Client const& client) {
    std::array<std::byte, sizeof(RequestHead) + answer_max> frame;
    RequestHead const head{.kind = RequestHead::Kind::answer, .number = client.number};
    std::memcpy(frame.data(), &head, sizeof(head));
    std::memcpy(frame.data() + sizeof(head), client.answer.data(), client.answer_size);
    return m_port.send(client.address, std::span(frame).first(sizeof(head) + client.answer_size));
}

} // namespace twofold::device
