// What is typed at a seat while commands run: a thread reads it, so that ctrl-C is heard at once.
// All else waits in a queue for whoever reads lines or keys.
#pragma once

#include "apps/shell/kernel/byte_queue.hpp"
#include "apps/shell/kernel/seat.hpp"

namespace twofold::shell {

class TypedKeys {
public:
    /// Whoever hears of what is not for the queue, on the thread of the keys.
    class Listener {
    public:
        /// ctrl-C or ctrl-Z. False: no command runs, it is for whoever reads lines.
        virtual bool take_signal(char control) = 0;
        /// One has gone into the queue, and a command may have begun meanwhile (extract_signal).
        virtual void note_queued_signal() = 0;
        virtual void take_size(text::ScreenSize size) = 0;
        /// Whether lines or keys are read just now, so that those which wait will be taken.
        virtual bool is_reading() = 0;

    protected:
        ~Listener() = default;
    };

    TypedKeys(task::Threads& threads, Seat& seat, Listener& listener)
        : m_threads(threads), m_seat(seat), m_listener(listener), m_queue(threads) {}

    /// Errors: those of Threads::spawn.
    Result<void> begin();
    /// The thread has ended when this returns. After `begin`.
    void end();

    ByteQueue& queue() { return m_queue; }
    /// Takes the first ctrl-C or ctrl-Z that waits in the queue. Context thread; O(bytes).
    std::optional<char> extract_signal();
    /// Whether the seat gives no byte any more; those before may still be in the queue.
    bool has_ended() const { return m_has_ended.load(acquire) != 0; }
    /// How many bytes were dropped, because nobody read those before. O(1).
    u64 dropped() const { return m_dropped.load(relaxed); }

private:
    static constexpr usize sequence_max = 40; ///< of a size report

    void run();
    void take(char byte);
    bool take_report(char byte);
    void release_report();
    void push(char byte);

    task::Threads& m_threads;
    Seat& m_seat;
    Listener& m_listener;
    ByteQueue m_queue;
    task::Thread* m_thread = nullptr;
    FixedString<sequence_max> m_report; ///< what may become a size report, as far as it has come
    bool m_is_dropping = false;         ///< the last byte was
    Atomic<u64> m_dropped{0};
    Atomic<u32> m_has_ended{0};
};

} // namespace twofold::shell
