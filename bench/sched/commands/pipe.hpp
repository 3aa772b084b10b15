// A bounded pipe of messages of 100 bytes, which are copied in and out: many threads write, one
// reads, and they sleep on words of a WaitTable. Built like D. Vyukov's bounded queue: each slot
// carries a number that says whose turn it is.
#pragma once

#include "core/task/task.hpp"

#include <span>

namespace twofold::bench {

class Pipe {
public:
    static constexpr usize message_bytes = 100;
    using Message = std::array<std::byte, message_bytes>;
    using Table = task::WaitTable<task::KernelThreads, 512>;

    explicit Pipe(Table& table) : m_table(table) {
        for (u32 index = 0; index < slots; ++index) {
            m_slots[index].turn.store(index, relaxed);
        }
    }

    void write(Message const& message) {
        u32 turn = m_next.load(relaxed);
        while (true) {
            u32 const seen = slot(turn).turn.load(acquire);
            if (seen == turn) {
                if (m_next.compare_exchange(turn, turn + 1, relaxed, relaxed)) {
                    break;
                }
            } else if (static_cast<i32>(seen - turn) < 0) {
                wait_for_room(turn);
                turn = m_next.load(relaxed);
            } else {
                turn = m_next.load(relaxed);
            }
        }
        Slot& mine = slot(turn);
        mine.message = message;
        mine.turn.exchange(turn + 1, sequential); // and who waits is seen behind it
        if (m_reader_waits.load(relaxed) != 0) {
            m_table.wake(mine.turn, 1);
        }
    }

    void read(Message& message) {
        Slot& mine = slot(m_read);
        while (mine.turn.load(acquire) != m_read + 1) {
            wait_for_message(mine);
        }
        message = mine.message;
        mine.turn.store(m_read + slots, release);
        if (++m_read % (slots / 2) == 0) { // who waits for room finds half of it free
            m_room.fetch_add(1, sequential);
            if (m_writers_waiting.load(relaxed) != 0) {
                m_table.wake(m_room, ~u32{0});
            }
        }
    }

private:
    static constexpr u32 slots = 64;

    struct Slot {
        Atomic<u32> turn{0};
        Message message;
    };

    Slot& slot(u32 turn) { return m_slots[turn % slots]; }

    [[gnu::noinline]] void wait_for_room(u32 turn) {
        u32 const room = m_room.load(acquire);
        m_writers_waiting.fetch_add(1, sequential);
        if (static_cast<i32>(slot(turn).turn.load(acquire) - turn) < 0) {
            m_table.wait(m_room, room);
        }
        m_writers_waiting.fetch_sub(1, relaxed);
    }
    [[gnu::noinline]] void wait_for_message(Slot& mine) {
        m_reader_waits.exchange(1, sequential);
        m_table.wait(mine.turn, m_read);
        m_reader_waits.store(0, relaxed);
    }

    Table& m_table;
    alignas(sync::cache_line_bytes) Atomic<u32> m_next{0};
    Atomic<u32> m_writers_waiting{0};
    alignas(sync::cache_line_bytes) Atomic<u32> m_room{0}; ///< how often there was room again
    Atomic<u32> m_reader_waits{0};
    u32 m_read = 0;
    Slot m_slots[slots];
};

} // namespace twofold::bench
