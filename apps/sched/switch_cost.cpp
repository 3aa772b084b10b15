// Measures switches of the dispatcher. See switch_cost.hpp.
#include "apps/sched/switch_cost.hpp"

#include "apps/sched/class_parameters.hpp"
#include "apps/sched/lab_thread.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

namespace twofold::lab {

namespace {

/// A processor whose time is a variable.
struct YieldWorld {
    using Lock = VirtualLock;

    Nanos now(CpuId) const { return time; }
    static void arm(CpuId, Nanos) {}
    static void kick(CpuId) {}
    static void relax() { UNREACHABLE(); } // nobody else is at work

    Nanos time{};
};

/// Two threads that yield to each other, on one processor.
class YieldPair {
public:
    using Dispatcher = sched::Dispatcher<Classes, YieldWorld>;
    static constexpr Nanos between{1'000}; ///< of virtual time, from yield to yield

    explicit YieldPair(std::string_view policy) {
        m_dispatcher.add(m_queue, here, {.node = 0, .capacity = 1024}, m_idle);
        for (Dispatcher::Task& thread : m_threads) {
            auto const admitted = m_dispatcher.admit(
                thread, class_parameters({}, policy), sched::CpuMask::only(here));
            CHECK(admitted.has_value()); // what is ordinary is no guarantee
            m_dispatcher.unpark(thread, here);
        }
        follow(m_dispatcher.preempt(here));
    }
    YieldPair(YieldPair const&) = delete;
    YieldPair& operator=(YieldPair const&) = delete;
    ~YieldPair() {
        for ([[maybe_unused]] Dispatcher::Task const& thread : m_threads) {
            follow(m_dispatcher.exit(here));
        }
    }

    void yield() {
        m_world.time = m_world.time + between;
        follow(m_dispatcher.yield(here));
    }
    u64 switches() { return m_dispatcher.counts(here).switches; }

private:
    static constexpr CpuId here{0};

    void follow(Dispatcher::Task const* next) {
        if (next != nullptr) {
            m_dispatcher.finish(here);
        }
    }

    YieldWorld m_world;
    Dispatcher::Queue* m_known[1]{};
    Dispatcher m_dispatcher{m_world, m_known};
    Dispatcher::Queue m_queue;
    Dispatcher::Task m_idle;
    Dispatcher::Task m_threads[2];
};

} // namespace

Nanos measure_switch_cost(std::string_view policy) {
    using Clock = std::chrono::steady_clock;
    constexpr usize batches = 101;
    constexpr u64 yields = 1000;
    YieldPair pair(policy);
    std::vector<double> costs;
    for (usize batch = 0; batch < batches; ++batch) {
        u64 const before = pair.switches();
        auto const began = Clock::now();
        for (u64 i = 0; i < yields; ++i) {
            pair.yield();
        }
        std::chrono::duration<double, std::nano> const took = Clock::now() - began;
        u64 const switches = pair.switches() - before;
        CHECK(switches > yields / 2); // equal threads take turns
        costs.push_back(took.count() / static_cast<double>(switches));
    }
    std::ranges::nth_element(costs, costs.begin() + batches / 2);
    return {std::max<i64>(i64{std::llround(costs[batches / 2])}, 1)};
}

} // namespace twofold::lab
