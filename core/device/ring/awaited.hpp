// Waiting for something that another context brings about once: by a thread that sleeps, or, where
// there are no threads, by the processor's sleep between interrupts.
#pragma once

#include "core/processor/processor.hpp"
#include "core/task/task.hpp"
#include "hal/clock.hpp"

#include <optional>

namespace twofold::device {

/// Lies on the stack of who waits. `come` is called once.
template<class T>
class Awaited {
public:
    Awaited() {
        if (task::Threads* const threads = task::Threads::here()) {
            m_event.emplace(threads->waiting());
        }
    }
    Awaited(Awaited const&) = delete;
    Awaited& operator=(Awaited const&) = delete;

    /// Any context up to irq. The caller does not touch this any more.
    void come(T value) {
        m_value.emplace(std::move(value));
        if (m_event) {
            m_event->set();
        } else {
            m_has_come.store(1, release);
        }
    }
    /// Whether it comes that soon; where there is no clock that could tell, it is not waited for,
    /// and the answer is true. Context thread, interrupts on.
    bool comes_within(Nanos time) {
        Nanos const deadline = hal::Clock::now() + time;
        if (m_event) {
            return m_event->wait_until(deadline);
        }
        auto const come =
            processor::wait_until([this] { return m_has_come.load(acquire) != 0; }, deadline);
        return come || come.error() != Error::timed_out;
    }
    /// Context thread, interrupts on.
    T wait() {
        if (m_event) {
            m_event->wait();
        }
        while (!m_event && m_has_come.load(acquire) == 0) {
            processor::wait_for_interrupt([this] { return m_has_come.load(acquire) != 0; });
        }
        return std::move(*m_value);
    }

private:
    std::optional<task::Event<task::KernelThreads>> m_event;
    std::optional<T> m_value;
    Atomic<u32> m_has_come{0};
};

} // namespace twofold::device
