// A pool for any context on real host threads, each a processor: no slot is handed out twice,
// objects end elsewhere than they were made, and ThreadSanitizer finds no race.
#include "core/memory/pools/pools.hpp"
#include "tests/support/host_heap.hpp"
#include "tests/support/processor.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

namespace twofold::memory {
namespace {

constexpr u32 threads =
    2; // no more than there are processors: a ticket's turn waits for its holder
constexpr u64 capacity = 700;
constexpr int operations = 3000;

struct Object {
    explicit Object(u64 owner) : tag(owner), copy(owner) {}
    u64 tag;
    u64 copy;
};
using Pool = LazyPool<Object, testing::HostBacking, ManyContexts>;

/// Objects on their way to the other thread.
class Mailbox {
public:
    void put(Object* object) {
        std::scoped_lock const lock(m_mutex);
        m_objects.push_back(object);
    }
    Object* take() {
        std::scoped_lock const lock(m_mutex);
        if (m_objects.empty()) {
            return nullptr;
        }
        Object* const object = m_objects.back();
        m_objects.pop_back();
        return object;
    }

private:
    std::mutex m_mutex;
    std::vector<Object*> m_objects;
};

bool ends_whole(Pool& pool, Object* object) {
    return object->tag == object->copy && pool.destroy(object).has_value();
}

/// Makes objects and ends own ones and those of the other; the count of what went wrong.
u64 work(Pool& pool, std::array<Mailbox, threads>& mail, u32 cpu, u64& refused) {
    test::Processor const processor(cpu, threads, nullptr);
    Random random(cpu + 1);
    std::vector<Object*> own;
    u64 wrong = 0;
    for (int i = 0; i < operations; ++i) {
        auto const made = pool.make(random.next());
        refused += made ? 0 : 1;
        if (made) {
            own.push_back(made.value());
        }
        if (own.size() > 300 || (!own.empty() && random.below(3) == 0)) {
            std::swap(own.back(), own[random.below(own.size())]);
            if (random.below(2) == 0) {
                mail[1 - cpu].put(own.back());
            } else {
                wrong += ends_whole(pool, own.back()) ? 0 : 1;
            }
            own.pop_back();
        }
        if (Object* const other = mail[cpu].take()) {
            wrong += ends_whole(pool, other) ? 0 : 1;
        }
    }
    for (Object* const object : own) {
        wrong += ends_whole(pool, object) ? 0 : 1;
    }
    return wrong;
}

TEST(PoolsOnThreads, NoSlotIsHandedOutTwice) {
    testing::HostBacking backing;
    std::array<Mailbox, threads> mail;
    std::array<u64, threads> wrong{};
    std::array<u64, threads> refused{};
    Pool* pool = nullptr;
    {
        test::Processor const processor(0, threads, nullptr);
        pool = Pool::create(backing, capacity).value();
    }
    std::vector<std::thread> workers;
    for (u32 cpu = 0; cpu < threads; ++cpu) {
        workers.emplace_back([&, cpu] { wrong[cpu] = work(*pool, mail, cpu, refused[cpu]); });
    }
    for (std::thread& worker : workers) {
        worker.join();
    }
    test::Processor const processor(0, threads, nullptr);
    for (Mailbox& box : mail) {
        while (Object* const object = box.take()) {
            EXPECT_TRUE(ends_whole(*pool, object));
        }
    }
    EXPECT_EQ(wrong[0] + wrong[1], 0u);
    PoolStatistics const seen = pool->statistics();
    EXPECT_EQ(seen.live, 0u);
    EXPECT_EQ(seen.refused, refused[0] + refused[1]);
    EXPECT_EQ(seen.made_ever + seen.refused, u64{threads} * operations);
    EXPECT_TRUE(pool->verify().has_value());
    EXPECT_TRUE(Pool::close(*pool).has_value());
}

} // namespace
} // namespace twofold::memory
