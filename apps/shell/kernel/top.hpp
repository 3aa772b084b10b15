// The command `top`: what processors, memory, interrupts and threads do, drawn again and again on
// a person's screen (top_view.hpp); for programs, one look as a table.
#pragma once

#include "apps/shell/top_view.hpp"
#include "core/boot/boot.hpp"
#include "core/boot/thread_views.hpp"
#include "core/memory/memory.hpp"

namespace twofold::shell {

/// Looks at a kernel again and again; each look is compared with the one before. Context thread.
class TopCollector {
public:
    using Heap = memory::KernelHeap;

    /// The first look. Errors: out_of_memory.
    static Result<TopCollector> create(boot::Kernel& kernel);

    /// What has happened since the last look; valid until the next. O(threads log threads +
    /// processors * vectors).
    TopSample const& look();

private:
    static constexpr usize threads_max = 256, interrupts_max = 6;

    struct State {
        boot::ThreadViews before, now;
        FixedVector<u16, 256> cpus;
        FixedVector<TopThread, threads_max> threads;
        FixedVector<TopInterrupt, 256> interrupts;
        u64 taken[256] = {}; ///< by vector, at the last look
        Nanos looked_at{};
        FixedString<96> title;
    };

    TopCollector(boot::Kernel& kernel, memory::Box<State, Heap> state)
        : m_kernel(kernel), m_state(std::move(state)) {}

    void look_at_threads(u64 elapsed_us);
    void look_at_interrupts(u64 elapsed_us);
    void look_at_lateness();

    boot::Kernel& m_kernel;
    memory::Box<State, Heap> m_state;
    TopSample m_sample;
};

u8 run_top(boot::CommandContext& context);

} // namespace twofold::shell
