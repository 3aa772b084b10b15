// ByteQueue: bytes from whoever has them to a thread that waits for some.
#pragma once

#include "core/base/base.hpp"
#include "core/sync/sync.hpp"
#include "core/task/task.hpp"

#include <optional>
#include <string_view>

namespace twofold::shell {

class ByteQueue {
public:
    static constexpr usize capacity = 4096;

    explicit ByteQueue(task::Threads& threads)
        : m_filled(threads.waiting(), 0), m_emptied(threads.waiting()) {}

    /// Adds all of `bytes`, or none where there is not so much room: false. Any context but nmi;
    /// O(bytes).
    bool push(std::string_view bytes);
    /// The same for one byte, once there is room; false: there was none until `deadline`, or it is
    /// closed. Context thread.
    bool push_until(char byte, Nanos deadline);
    /// Puts back what `pop` gave, so that it is the next one again. False: there is no room any
    /// more. Context thread; O(bytes).
    bool put_back(char byte);
    /// No byte comes any more; those that are there can still be taken. Any context but nmi.
    void close();
    /// Whether a byte is there, or none will come. Any context but nmi; O(1).
    bool is_ready();
    /// Takes the first byte that is one of `wanted`, wherever it is; the others stay. Nothing:
    /// there is none. Context thread; O(bytes).
    std::optional<char> extract(std::string_view wanted);
    /// The next byte, once there is one; nothing: there will be none. Context thread.
    std::optional<char> pop();
    /// The same, but no longer than until `deadline`; nothing then, too.
    std::optional<char> pop_until(Nanos deadline);

private:
    bool take(std::optional<char>& byte);

    sync::SpinLock m_lock{sync::LockRank::device};
    Ring<char, capacity> m_bytes GUARDED_BY(m_lock);
    bool m_is_closed GUARDED_BY(m_lock) = false;
    task::Semaphore<task::KernelThreads> m_filled; ///< one for each byte, and one that says the end
    task::Event<task::KernelThreads> m_emptied;    ///< a byte was taken
};

} // namespace twofold::shell
