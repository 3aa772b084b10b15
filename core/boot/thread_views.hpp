// What is shown of threads: a copy, taken at one moment.
#pragma once

#include "core/boot/kernel.hpp"
#include "core/task/task.hpp"

namespace twofold::boot {

struct ThreadView {
    u64 id = 0;
    task::Thread::Name name;
    task::Process::Name process;
    std::string_view class_name;
    sched::TaskState state{};
    CpuId cpu;
    sched::TaskCounts counts;
    u32 allowed = 0;
    bool may_use_all = false;
    bool is_idle = false;
};
using ThreadViews = FixedVector<ThreadView, 256>;
/// They lie in the heap: they are too many for a stack.
using ThreadViewsBox = memory::Box<ThreadViews, memory::KernelHeap>;

/// All threads, or the first of very many, in place of what was there; how many there are beyond.
/// Context thread; O(threads) with the list locked.
u64 look_at_threads(task::Threads& threads, ThreadViews& views);

} // namespace twofold::boot
