// What the tests of controllers, clocks and processors share: a handler for the length of a test,
// and waiting for what must come.
#pragma once

#include "core/boot/boot.hpp"
#include "core/processor/processor.hpp"
#include "hal/clock.hpp"
#include "hal/controller.hpp"
#include "hal/processors.hpp"

#include <optional>

namespace twofold::conformance {

using namespace twofold;

inline processor::Interrupts& interrupts() {
    return boot::current_kernel().interrupts;
}

/// Waits until `condition` holds. False: it did not within seconds, which only what is broken
/// needs.
template<class Condition>
bool comes_true(Condition condition) {
    constexpr Nanos limit{10'000'000'000};
    Nanos const end = hal::Clock::now() + limit;
    while (!condition()) {
        hal::Interrupt::poll();
        hal::Cpu::pause();
        if (hal::Clock::now() > end) {
            return condition();
        }
    }
    return true;
}

/// Lets `duration` go by.
inline void spend(Nanos duration) {
    Nanos const end = hal::Clock::now() + duration;
    while (hal::Clock::now() < end) {
        hal::Interrupt::poll();
    }
}

/// How often a vector has come to this processor.
inline u64 taken(hal::Vector vector) {
    return processor::this_cpu().counts[vector.value].taken;
}

/// A vector bound for the length of a test to what is called when it comes.
class Handler {
public:
    using Function = void (*)(void* argument, hal::Interruption const& interruption);

    /// Any vector, or `wanted`.
    Handler(Function function, void* argument, std::optional<hal::Vector> wanted = std::nullopt)
        : m_function(function), m_argument(argument) {
        processor::InterruptBinding const binding{
            .handler = handle, .argument = this, .name = "conformance", .may_come_often = true};
        auto const bound =
            wanted ? interrupts().bind(*wanted, binding) : interrupts().bind_any(binding);
        m_vector = bound.value();
    }
    Handler(Handler const&) = delete;
    Handler& operator=(Handler const&) = delete;
    ~Handler() { interrupts().unbind(m_vector).value(); }

    hal::Vector vector() const { return m_vector; }
    u32 count() const { return m_count.load(acquire); }
    /// By the processors with these numbers (below 32), as bits.
    u32 processors() const { return m_processors.load(acquire); }

private:
    static processor::Handling handle(void* self, hal::Interruption const& interruption) {
        auto& handler = *static_cast<Handler*>(self);
        if (handler.m_function != nullptr) {
            handler.m_function(handler.m_argument, interruption);
        }
        handler.m_processors.fetch_or(u32{1} << (hal::Cpu::id().value % 32), release);
        handler.m_count.fetch_add(1, release);
        return processor::Handling::handled;
    }

    Function m_function;
    void* m_argument;
    hal::Vector m_vector;
    Atomic<u32> m_count{0};
    Atomic<u32> m_processors{0};
};

/// Calls visit(CpuId) for every other processor that runs.
template<class Visit>
void for_each_other(Visit visit) {
    processor::CpuSet const& cpus = boot::current_kernel().cpus;
    for (u32 id = 0; id < cpus.known(); ++id) {
        if (cpus.is_online({id}) && CpuId{id} != hal::Cpu::id()) {
            visit(CpuId{id});
        }
    }
}

} // namespace twofold::conformance
