// The commands that measure threads, for an image of their own (image.cpp; bench/sched/kernel.py
// runs them). All print rows as the kernel's measuring commands do.
#pragma once

#include "core/boot/boot.hpp"
#include "core/boot/measuring.hpp"
#include "core/task/task.hpp"

namespace twofold::bench {

/// hand-over-bench, storm-bench, join-bench, share-bench.
std::span<boot::Command const> thread_bench_commands();

u8 measure_hand_overs(boot::CommandContext& context);
u8 measure_storm(boot::CommandContext& context);
u8 measure_joins(boot::CommandContext& context);
u8 measure_shares(boot::CommandContext& context);

/// The threads, or a word why there are none.
task::Threads* threads_of(boot::CommandContext& context);

/// A thread that calls a function object, which outlives it; ends the kernel where there is no
/// memory for one.
template<class Function>
task::Thread&
spawn(task::Threads& threads, Function const& function, task::ThreadAttributes const& attributes) {
    auto const entry = [](void* argument) { (*static_cast<Function const*>(argument))(); };
    auto const made =
        threads.spawn(attributes, entry, const_cast<void*>(static_cast<void const*>(&function)));
    CHECK(made.has_value());
    return *made.value();
}

/// Of a thread that stays where the caller is.
inline task::ThreadAttributes stays_here(std::string_view name) {
    task::ThreadAttributes attributes;
    attributes.name = name;
    attributes.allowed = sched::CpuMask::only(hal::Cpu::id());
    return attributes;
}

} // namespace twofold::bench
