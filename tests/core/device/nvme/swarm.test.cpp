// A controller that does everything wrong, at random and by a seed: it answers late, twice, not at
// all, with statuses of all kinds, with entries of noise, fails and comes back. Whatever it does,
// each request comes back once.
#include "tests/support/running_nvme.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::test_nvme;
using block::Operation;

namespace {

constexpr u32 width = 40;

/// Requests that are given to the controller again and again.
class Swarm {
public:
    Swarm(Running& it, u64 seed) : m_it(it), m_random(seed) {}

    void run(u32 steps) {
        for (u32 step = 0; step < steps; ++step) {
            submit_some();
            misbehave();
            m_it.scripted->interrupt(1);
            m_it.scripted->run_errands();
        }
        finish();
    }
    u64 submitted() const { return m_submitted; }
    u64 failures() const { return m_failures; }
    bool is_whole() const { return m_is_whole; }

private:
    u32 below(u32 limit) { return static_cast<u32>(m_random.next() % limit); }

    /// Those that are the test's, as far as chance wants.
    void submit_some() {
        for (u32 i = 0; i < width; ++i) {
            Noted& each = m_requests[i];
            if (m_is_out[i] && each.times != 0) {
                m_is_whole = m_is_whole && each.times == 1;
                m_failures += each.outcome ? 0 : 1;
                m_is_out[i] = false;
            }
            if (m_is_out[i] || below(3) == 0) {
                continue;
            }
            each.times = 0;
            each.operation = below(2) == 0 ? Operation::flush : Operation::write_zeroes;
            each.sector = each.operation == Operation::flush ? 0 : below(1000);
            each.count = each.operation == Operation::flush ? 0 : 1 + below(100'000);
            m_is_out[i] = m_it.space->submit(each).has_value();
            m_is_whole = m_is_whole && m_is_out[i];
            ++m_submitted;
        }
    }
    void misbehave() {
        ScriptedController& scripted = *m_it.scripted;
        for (u32 count = below(2 * width); count > 0; --count) {
            auto const command = scripted.take(1);
            u16 const id = command ? command->id : static_cast<u16>(m_random.next());
            switch (below(16)) {
            case 0: // it is forgotten
                break;
            case 1: // twice
                scripted.complete(1, id);
                scripted.complete(1, id);
                break;
            case 2: // noise
                scripted.complete(
                    1, static_cast<u16>(m_random.next()),
                    static_cast<u16>(m_random.next() & 0x7fff));
                break;
            case 3:
            case 4: // a status of any kind
                scripted.complete(1, id, static_cast<u16>(m_random.next() & 0x7fff));
                break;
            default:
                scripted.complete(1, id);
            }
            if (scripted.queues[1].tail % 32 == 0) {
                m_it.space->poll(); // a queue of completions that overflows is another matter
            }
        }
        if (below(12) == 0) {
            m_is_whole = m_is_whole && m_it.controller->reset().has_value();
        }
    }
    /// Answers what is left as it should be; what was forgotten is replayed.
    void finish() {
        for (u32 round = 0; round <= QueuePair::replays_max + 1; ++round) {
            while (m_it.answer(16) != 0) {
                m_it.scripted->interrupt(1);
            }
            m_is_whole = m_is_whole && m_it.controller->reset().has_value();
        }
        for (u32 i = 0; i < width; ++i) {
            m_is_whole = m_is_whole && (!m_is_out[i] || m_requests[i].times == 1);
        }
        m_is_whole = m_is_whole && m_it.queue().is_at_rest();
    }

    Running& m_it;
    SplitMix64 m_random;
    Many<width> m_requests;
    bool m_is_out[width]{};
    u64 m_submitted = 0;
    u64 m_failures = 0;
    bool m_is_whole = true;
};

} // namespace

TEST(NvmeSwarm, EachRequestComesBackOnce) {
    for (u64 seed = 1; seed <= 12; ++seed) {
        Running it;
        auto options = Running::patient();
        options.entries = seed % 2 == 0 ? 128 : 16;
        ASSERT_TRUE(it.open(options).has_value());
        Swarm swarm(it, seed);
        swarm.run(200);
        EXPECT_TRUE(swarm.is_whole());
        EXPECT_GT(swarm.submitted(), 150u);
        EXPECT_GT(swarm.failures(), 0u);
        EXPECT_GT(it.counts().spurious, 0u);
        EXPECT_GT(it.counts().replays, 0u);
        EXPECT_GT(it.counts().retries, 0u);
    }
}
