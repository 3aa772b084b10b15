// Frames on real host threads, each a processor: no frame is handed out twice, frames that are
// freed elsewhere return, and ThreadSanitizer finds no race.
#include "core/memory/memory.hpp"
#include "tests/support/processor.hpp"
#include "tests/support/sparse_memory.hpp"

#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace twofold::memory {
namespace {

using test::Processor;
using test::SparseMemory;
using namespace literals;

constexpr u32 threads = 3;
constexpr int operations = 4000;

struct Piece {
    PhysAddr address;
    unsigned order;
    u64 tag;
};

/// Pieces on their way from one thread to another.
class Mailbox {
public:
    void put(Piece const& piece) {
        std::scoped_lock const lock(m_mutex);
        m_pieces.push_back(piece);
    }
    std::optional<Piece> take() {
        std::scoped_lock const lock(m_mutex);
        if (m_pieces.empty()) {
            return std::nullopt;
        }
        Piece const piece = m_pieces.back();
        m_pieces.pop_back();
        return piece;
    }

private:
    std::mutex m_mutex;
    std::vector<Piece> m_pieces;
};

/// What one thread does: allocates, writes a tag into each frame, and frees what it or others took.
class Worker {
public:
    Worker(BuddyFrames& frames, Mailbox& mailbox, SparseMemory const& memory, u32 cpu)
        : m_frames(frames), m_mailbox(mailbox), m_memory(memory), m_cpu(cpu), m_random(cpu + 1) {}

    void run() {
        Processor const processor(m_cpu, threads, m_memory.bytes());
        std::vector<Piece> own;
        for (int i = 0; i < operations; ++i) {
            u64 const choice = m_random.below(8);
            if (choice < 4) {
                if (auto const piece = allocate()) {
                    own.push_back(*piece);
                }
            } else if (choice < 6 && !own.empty()) {
                free(own.back());
                own.pop_back();
            } else if (choice == 6 && !own.empty()) {
                m_mailbox.put(own.back());
                own.pop_back();
            } else if (auto const piece = m_mailbox.take()) {
                free(*piece);
            }
        }
        for (Piece const& piece : own) {
            free(piece);
        }
        m_frames.drain();
    }
    void free(Piece const& piece) {
        wrong += word(piece.address) == piece.tag ? 0 : 1;
        wrong += m_frames.free(piece.address, piece.order).has_value() ? 0 : 1;
    }

    u64 wrong = 0;

private:
    std::optional<Piece> allocate() {
        unsigned const order =
            m_random.below(4) == 0 ? static_cast<unsigned>(m_random.below(6)) : 0;
        auto const address = m_frames.allocate(order);
        if (!address) {
            return std::nullopt;
        }
        u64 const tag = m_random.next();
        word(address.value()) = tag;
        return Piece{address.value(), order, tag};
    }
    u64& word(PhysAddr address) {
        void* const place = &m_memory.bytes()[address.value];
        return *static_cast<u64*>(place);
    }

    BuddyFrames& m_frames;
    Mailbox& m_mailbox;
    SparseMemory const& m_memory;
    u32 m_cpu;
    Random m_random;
};

TEST(FramesOnThreads, NoFrameIsHandedOutTwice) {
    // So little memory that allocations fail, magazines are asked to drain, and zones run empty.
    SparseMemory const memory(12_MiB);
    Processor const processor(0, threads, memory.bytes());
    std::array const free{
        hal::MemoryRange{{1u << 20}, 4_MiB, hal::MemoryKind::usable},
        hal::MemoryRange{{6u << 20}, 6_MiB, hal::MemoryKind::usable}};
    BuddyFrames& frames = *BuddyFrames::create({.free = free, .cpus = threads}).value();
    FrameStatistics const before = frames.statistics();
    Mailbox mailbox;
    std::vector<Worker> workers;
    for (u32 cpu = 0; cpu < threads; ++cpu) {
        workers.emplace_back(frames, mailbox, memory, cpu);
    }
    std::vector<std::thread> running;
    for (Worker& worker : workers) {
        running.emplace_back([&worker] { worker.run(); });
    }
    for (std::thread& thread : running) {
        thread.join();
    }
    while (auto const piece = mailbox.take()) {
        workers[0].free(*piece);
    }
    frames.drain();
    for (Worker const& worker : workers) {
        EXPECT_EQ(worker.wrong, 0u);
    }
    FrameStatistics const after = frames.statistics();
    EXPECT_FALSE(frames.validate().found());
    EXPECT_EQ(after.free_frames, before.free_frames);
    EXPECT_EQ(after.cached_frames, 0u);
    EXPECT_TRUE(std::ranges::equal(after.free_blocks, before.free_blocks));
    EXPECT_EQ(after.allocations, after.frees);
    EXPECT_GT(after.refills, 50u);
    EXPECT_GT(after.drains, 50u);
}

TEST(FramesOnThreads, ALockExcludes) {
    SparseMemory const memory(1_MiB);
    sync::SpinLock lock(sync::LockRank::innermost);
    u64 count = 0;
    std::vector<std::thread> running;
    for (u32 cpu = 0; cpu < threads; ++cpu) {
        running.emplace_back([&, cpu] {
            Processor const processor(cpu, threads, memory.bytes());
            for (int i = 0; i < 2000; ++i) {
                sync::SpinLockGuard const guard(lock, sync::save_interrupts);
                ++count;
            }
        });
    }
    for (std::thread& thread : running) {
        thread.join();
    }
    EXPECT_EQ(count, u64{2000} * threads);
}

} // namespace
} // namespace twofold::memory
