// See executors.hpp.
#include "core/async/executors.hpp"

namespace twofold::async {

Result<void> Executors::open(ExecutorAttributes const& attributes) {
    if (!m_seats.empty()) {
        return Error::invalid_state;
    }
    sched::CpuMask const known = m_threads.dispatcher().known();
    TRY(m_seats.reserve(known.size()));
    Result<void> outcome;
    known.for_each([&](CpuId cpu) {
        outcome = open_on(cpu, attributes);
        return outcome.has_value();
    });
    if (!outcome) {
        close();
    }
    return outcome;
}

Result<void> Executors::open_on(CpuId cpu, ExecutorAttributes const& attributes) {
    auto seat = TRY((memory::Box<Seat, memory::KernelHeap>::create(m_heap, *this, cpu)));
    char letters[task::Thread::Name::capacity()];
    task::ThreadAttributes of_thread;
    of_thread.name = format_to(std::span(letters), "async-{}", cpu.value).text;
    of_thread.parameters = attributes.parameters;
    of_thread.allowed = sched::CpuMask::only(cpu);
    of_thread.stack = attributes.stack;
    seat->thread = TRY(m_threads.spawn(of_thread, run, &*seat));
    m_seats.push(std::move(seat)).value(); // there is room
    return {};
}

void Executors::run(void* seat) {
    auto& own = *static_cast<Seat*>(seat);
    own.runner.run([&own] { own.owner.m_threads.yield(); });
}

void Executors::close() {
    while (!m_seats.empty()) {
        auto const seat = m_seats.pop();
        seat->runner.end();
        m_threads.join(*seat->thread).value(); // nobody else does
    }
}

Executors::Seat& Executors::seat_of(CpuId cpu) {
    if (cpu.value < m_seats.size() && m_seats[cpu.value]->cpu == cpu) {
        return *m_seats[cpu.value];
    }
    for (auto const& seat : m_seats) {
        if (seat->cpu == cpu) {
            return *seat;
        }
    }
    UNREACHABLE(); // it runs no threads
}

} // namespace twofold::async
