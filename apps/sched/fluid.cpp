// The ideal fluid schedule. See fluid.hpp.
#include "apps/sched/fluid.hpp"

namespace twofold::lab {

void FluidSchedule::advance(Nanos now) {
    m_virtual += m_rate * static_cast<double>((now - m_now).value);
    m_now = now;
}

void FluidSchedule::settle(Thread& thread) const {
    thread.received += thread.is_capped ? static_cast<double>((m_now - thread.mark).value)
                                        : (m_virtual - thread.virtual_mark) * thread.weight;
    thread.mark = m_now;
    thread.virtual_mark = m_virtual;
}

void FluidSchedule::share() {
    for (u32 const number : m_capped) {
        settle(m_threads[number]);
        m_threads[number].is_capped = false;
    }
    m_capped.clear();
    u32 cpus = m_cpus;
    u64 weight = m_weight;
    for (auto each = m_wanting.rbegin(); each != m_wanting.rend() && cpus > 0; ++each) {
        if (u64{each->first} * cpus < weight) {
            break; // its share, and those of all lighter ones, is less than a processor
        }
        Thread& thread = m_threads[each->second];
        settle(thread);
        thread.is_capped = true;
        m_capped.push_back(each->second);
        --cpus;
        weight -= each->first;
    }
    m_rate = weight == 0 ? 0 : static_cast<double>(cpus) / static_cast<double>(weight);
}

void FluidSchedule::join(u32 number, Nanos now) {
    advance(now);
    Thread& thread = m_threads[number];
    CHECK(!thread.wants);
    thread.wants = true;
    thread.received = 0;
    thread.mark = now;
    thread.virtual_mark = m_virtual;
    m_wanting.emplace(thread.weight, number);
    m_weight += thread.weight;
    share();
}

void FluidSchedule::leave(u32 number, Nanos now) {
    advance(now);
    Thread& thread = m_threads[number];
    CHECK(thread.wants);
    settle(thread);
    thread.wants = false;
    m_wanting.erase({thread.weight, number});
    m_weight -= thread.weight;
    share();
}

void FluidSchedule::set_cpus(u32 cpus, Nanos now) {
    if (cpus == m_cpus) {
        return;
    }
    advance(now);
    m_cpus = cpus;
    share();
}

double FluidSchedule::received(u32 number, Nanos now) {
    advance(now);
    Thread& thread = m_threads[number];
    CHECK(thread.wants);
    settle(thread);
    return thread.received;
}

} // namespace twofold::lab
