// See thread_views.hpp.
#include "core/boot/thread_views.hpp"

namespace twofold::boot {

using task::Thread;

namespace {

ThreadView view_of(task::Threads& threads, Thread& thread) {
    return {
        .id = thread.id(),
        .name = Thread::Name::create(thread.name()).value(),
        .process = task::Process::Name::create(thread.process().name()).value(),
        .class_name = thread.is_idle() ? "idle" : thread.parameters().class_name(),
        .state = thread.state(),
        .cpu = thread.cpu(),
        .counts = threads.counts(thread),
        .allowed = thread.allowed().size(),
        .may_use_all = thread.allowed() == sched::CpuMask::all(),
        .is_idle = thread.is_idle()};
}

} // namespace

u64 look_at_threads(task::Threads& threads, ThreadViews& views) {
    u64 left_out = 0;
    views.clear();
    threads.for_each(
        [&](Thread& thread) { left_out += views.push_back(view_of(threads, thread)) ? 0 : 1; });
    return left_out;
}

} // namespace twofold::boot
