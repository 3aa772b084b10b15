// A channel: values pass through it in order, from tasks and threads to tasks and threads. It has
// room for a few; who sends more waits, and who receives from an empty one does. In the order of
// arrival; a value goes to who waits and not to who has just come.
#pragma once

#include "core/async/wait_list.hpp"

namespace twofold::async {

/// `capacity` values at most lie in it. T moves, without failing. O(1) but for the spin lock.
///
/// Invariants, under the lock: somebody waits to receive only if it is empty, and to send only if
/// it is full; nobody waits once it is closed.
template<class T, usize capacity>
class Channel {
public:
    static_assert(capacity > 0);

    Channel() = default;
    Channel(Channel const&) = delete;
    Channel& operator=(Channel const&) = delete;

private:
    /// One side, as what a task or a thread takes from (wait_list.hpp).
    class Senders {
    public:
        explicit Senders(Channel& channel) : m_channel(channel) {}
        bool take_or_wait(Wait& wait) { return m_channel.send_or_wait(wait); }
        bool withdraw(Wait& wait) { return m_channel.withdraw(wait); }

    private:
        Channel& m_channel;
    };
    class Receivers {
    public:
        explicit Receivers(Channel& channel) : m_channel(channel) {}
        bool take_or_wait(Wait& wait) { return m_channel.receive_or_wait(wait); }
        bool withdraw(Wait& wait) { return m_channel.withdraw(wait); }

    private:
        Channel& m_channel;
    };

public:
    class [[nodiscard]] Send : public Taking<Senders> {
    public:
        Send(Channel& channel, T value)
            : Taking<Senders>(channel.m_senders, &m_value), m_value(std::move(value)) {}

    private:
        std::optional<T> m_value;
    };
    class [[nodiscard]] Receive : public Taking<Receivers> {
    public:
        explicit Receive(Channel& channel) : Taking<Receivers>(channel.m_receivers, &m_value) {}
        Result<T> await_resume() { return value_of(this->outcome(), m_value); }

    private:
        std::optional<T> m_value;
    };

    /// `co_await channel.send(value)`. Errors, and the value is lost: cancelled; invalid_state (it
    /// is closed).
    Send send(T value) { return Send(*this, std::move(value)); }
    /// `co_await channel.receive()`: a Result<T>. Errors: cancelled; invalid_state (it is closed,
    /// and nothing is left in it).
    Receive receive() { return Receive(*this); }

    /// The same for threads. Errors beside: timed_out.
    template<task::ThreadSystem S>
    Result<void> send_blocking(S& threads, T value, std::optional<Nanos> deadline = std::nullopt) {
        std::optional<T> item(std::move(value));
        return take_blocking(threads, m_senders, deadline, &item);
    }
    template<task::ThreadSystem S>
    Result<T> receive_blocking(S& threads, std::optional<Nanos> deadline = std::nullopt) {
        std::optional<T> item;
        return value_of(take_blocking(threads, m_receivers, deadline, &item), item);
    }

    /// Without waiting: any context up to irq, with no lock of rank `task` or above. Errors: busy
    /// (it is full, or empty); invalid_state.
    Result<void> try_send(T value) {
        std::optional<T> item(std::move(value));
        return exchange_now([&](Result<void>& outcome) { return send_now(item, outcome); });
    }
    Result<T> try_receive() {
        std::optional<T> item;
        auto const outcome =
            exchange_now([&](Result<void>& now) { return receive_now(item, now); });
        return value_of(outcome, item);
    }

    /// Nothing is sent any more; what lies in it is still received. Who waits is told. Any context
    /// up to irq; O(waiting), interrupts off for one at a time.
    void close() {
        m_list.grant_all([this] { m_is_closed = true; }, Error::invalid_state);
    }
    /// How many values lie in it.
    usize size() {
        sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
        return m_size;
    }

private:
    using Item = std::optional<T>;

    /// What an attempt came to: whether it is over, and who is to be granted behind the lock.
    struct Attempt {
        bool is_over;
        Wait* partner = nullptr;
    };

    static Item& item_of(Wait& wait) { return *static_cast<Item*>(wait.item()); }
    static Result<T> value_of(Result<void> outcome, Item& item) {
        if (!outcome) {
            return outcome.error();
        }
        return std::move(*item);
    }

    /// Under the lock.
    Attempt send_now(Item& item, Result<void>& outcome) {
        m_list.lock().assert_held();
        if (m_is_closed) {
            outcome = Error::invalid_state;
            return {.is_over = true};
        }
        if (m_size == 0) {
            if (Wait* const receiver = m_list.pop()) {
                item_of(*receiver) = std::move(item);
                return {.is_over = true, .partner = receiver};
            }
        }
        if (m_size == capacity) {
            return {.is_over = false};
        }
        put(item);
        return {.is_over = true};
    }
    Attempt receive_now(Item& item, Result<void>& outcome) {
        m_list.lock().assert_held();
        if (m_size == 0) {
            outcome = m_is_closed ? Result<void>(Error::invalid_state) : Result<void>();
            return {.is_over = m_is_closed};
        }
        bool const was_full = m_size == capacity;
        item = std::move(m_items[m_first]);
        m_items[m_first].reset();
        m_first = (m_first + 1) % capacity;
        --m_size;
        Wait* const sender = was_full ? m_list.pop() : nullptr;
        if (sender != nullptr) {
            put(item_of(*sender));
        }
        return {.is_over = true, .partner = sender};
    }
    void put(Item& item) {
        m_items[(m_first + m_size) % capacity] = std::move(item);
        ++m_size;
    }

    template<class Try>
    Result<void> exchange_now(Try const& attempt) {
        Result<void> outcome;
        Attempt done{};
        {
            sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
            done = attempt(outcome);
        }
        if (done.partner != nullptr) {
            done.partner->grant();
        }
        return done.is_over ? outcome : Result<void>(Error::busy);
    }

    /// True where it is over, with its outcome; else it waits.
    template<class Try>
    bool exchange_or_wait(Wait& wait, Try const& attempt) {
        Result<void> outcome;
        Attempt done{};
        {
            sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
            done = attempt(outcome);
            if (!done.is_over) {
                m_list.push(wait); // and from then on it is not ours
            }
        }
        if (done.is_over) {
            wait.set_outcome(outcome);
        }
        if (done.partner != nullptr) {
            done.partner->grant();
        }
        return done.is_over;
    }
    bool send_or_wait(Wait& wait) {
        return exchange_or_wait(
            wait, [&](Result<void>& outcome) { return send_now(item_of(wait), outcome); });
    }
    bool receive_or_wait(Wait& wait) {
        return exchange_or_wait(
            wait, [&](Result<void>& outcome) { return receive_now(item_of(wait), outcome); });
    }
    bool withdraw(Wait& wait) { return m_list.withdraw(wait); }

    WaitList m_list; ///< of one side at a time
    Senders m_senders{*this};
    Receivers m_receivers{*this};
    Item m_items[capacity]; ///< guarded by the list's lock, and the next
    usize m_first = 0;
    usize m_size = 0;
    bool m_is_closed = false;
};

} // namespace twofold::async
