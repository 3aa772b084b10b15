// What the dispatcher asks of the world that it runs in, and what it tells it.
#pragma once

#include "core/sched/run_queue.hpp"

namespace twofold::sched {

enum class DispatchEventKind : u8 { run, wake, migrate, throttle, violation };

/// What a world may look at. `run`: from here on `task` runs on `cpu`, null: nobody.
template<Policy P>
struct DispatchEvent {
    DispatchEventKind kind;
    CpuId cpu;
    Nanos now;
    Schedulable<P> const* task = nullptr;
    Violation violation = Violation::none;
};

template<class W>
concept World = requires(W& world, typename W::Lock& lock, CpuId here, Nanos at) {
    lock.lock();
    lock.unlock();
    /// The time that is charged; never goes back on one processor.
    { world.now(here) } -> std::same_as<Nanos>;
    /// `attend(here)` is to be called at `at`, instead of when it was asked for before.
    { world.arm(here, at) } -> std::same_as<void>;
    /// `attend(cpu)` is to be called on another processor, as soon as possible.
    { world.kick(here) } -> std::same_as<void>;
    /// One turn of a wait for another processor.
    { world.relax() } -> std::same_as<void>;
};

} // namespace twofold::sched
