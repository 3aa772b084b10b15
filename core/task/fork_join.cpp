// See fork_join.hpp.
#include "core/task/fork_join.hpp"

#include <memory>

namespace twofold::task {

Result<void> ForkJoin::open(ForkJoinAttributes const& attributes) {
    if (m_pool) {
        return Error::invalid_state;
    }
    sched::CpuMask const chosen = m_threads.dispatcher().known() & attributes.processors;
    u32 const count = chosen.size();
    if (count == 0) {
        return Error::invalid_argument;
    }
    TRY(m_seats.reserve(count));
    m_workers = std::span(TRY(memory::allocate_room<Worker>(m_heap, count)), count);
    for (Worker& worker : m_workers) {
        std::construct_at(&worker);
    }
    m_pool.emplace(m_threads.waiting(), m_workers);
    auto const outcome = begin_workers(attributes, chosen);
    if (!outcome) {
        close();
    }
    return outcome;
}

/// One on each processor, so that none waits for a processor on which another one runs.
Result<void>
ForkJoin::begin_workers(ForkJoinAttributes const& attributes, sched::CpuMask const& chosen) {
    Result<void> outcome;
    chosen.for_each([&](CpuId cpu) {
        char letters[Thread::Name::capacity()];
        ThreadAttributes of_thread;
        auto const name = format_to(std::span(letters), "{}-{}", attributes.name, cpu.value);
        of_thread.name = name.text;
        of_thread.parameters = attributes.parameters;
        of_thread.allowed = sched::CpuMask::only(cpu);
        of_thread.stack = attributes.stack;
        of_thread.owns_registers = attributes.owns_registers;
        usize const index = m_seats.size();
        m_seats.push(Seat{this, &m_workers[index], nullptr}).value(); // there is room
        auto const thread = m_threads.spawn(of_thread, start, &m_seats[index]);
        if (!thread) {
            m_seats.pop();
            outcome = thread.error();
            return false;
        }
        m_seats[index].thread = thread.value();
        return true;
    });
    return outcome;
}

void ForkJoin::start(void* seat) {
    auto const& own = *static_cast<Seat*>(seat);
    ForkJoin& owner = *own.owner;
    owner.m_pool->work(*own.worker);
    owner.m_left.release().value(); // there are fewer workers than a semaphore counts
}

void ForkJoin::close() {
    m_pool->end();
    for (usize index = 0; index < m_seats.size(); ++index) {
        m_left.acquire();
    }
    for (Seat const& seat : m_seats) {
        m_threads.join(*seat.thread).value(); // nobody else does
    }
    m_seats.clear();
    m_pool.reset();
    std::destroy(m_workers.begin(), m_workers.end());
    memory::free_room(m_heap, m_workers.data());
    m_workers = {};
}

} // namespace twofold::task
