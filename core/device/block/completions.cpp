// See completions.hpp.
#include "core/device/block/completions.hpp"

namespace twofold::block {

Result<Completions*>
Completions::open(memory::KernelHeap& heap, processor::Interrupts& interrupts) {
    auto* const room = TRY(memory::allocate_room<Completions>(heap, 1));
    auto* const made = new (room) Completions(heap, interrupts);
    auto const begun = [&]() -> Result<void> {
        TRY(made->m_lanes.open(heap, *made));
        made->m_vector = TRY(interrupts.bind_any(
            {.handler = [](void*, hal::Interruption const&) { return processor::Handling::wake; },
             .argument = made,
             .name = "block",
             .second_half = [](void* self) { static_cast<Completions*>(self)->take(); },
             .may_come_often = true}));
        return {};
    }();
    if (!begun) {
        made->m_lanes.close(heap);
        made->~Completions();
        memory::free_room(heap, room);
        return begun.error();
    }
    return made;
}

void Completions::close() {
    m_lanes.for_each([](Lane& lane) { processor::TimerQueue::cancel_and_wait(lane.timer); });
    m_interrupts.unbind(m_vector).value(); // it is bound
    m_lanes.close(m_heap);
    memory::KernelHeap& heap = m_heap;
    this->~Completions();
    memory::free_room(heap, this);
}

/// Context irq: the work runs when the interrupt has ended.
void Completions::wake(void* lane) {
    Lane& self = *static_cast<Lane*>(lane);
    self.is_timed = false;
    processor::request_work(processor::this_cpu(), self.owner.m_vector);
}

void Completions::wake_later(Lane& lane, Nanos when) {
    if (!lane.is_timed && processor::start_timer(lane.timer, hal::Clock::now() + when)) {
        lane.is_timed = true;
    }
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the type of `done`
void Completions::leave(Request& request, Result<void> outcome) {
    request.make_room<Ended>().outcome = outcome;
    auto const add = [&] {
        bool const was_off = hal::Interrupt::state() == hal::InterruptState::disabled;
        sync::InterruptGuard const off;
        Lane& lane = m_lanes.here(off);
        lane.ended.push_back(request);
        processor::request_work(processor::this_cpu(), m_vector);
        if (was_off) {
            wake_later(lane, {}); // nobody looks for work where a thread lets interrupts in again
        }
    };
    bool const may_run = sync::current_context() <= sync::ExecutionContext::no_preempt &&
                         hal::Interrupt::state() == hal::InterruptState::enabled;
    if (may_run) {
        sync::NoPreemptGuard const stay; // at its end the work runs, where that is the outermost
        add();
    } else {
        add();
    }
}

u32 Completions::take() {
    for (u32 count = 0; count < batch_max; ++count) {
        Request* request = nullptr;
        {
            sync::InterruptGuard const off;
            auto& ended = m_lanes.here(off).ended;
            if (ended.empty()) {
                return count;
            }
            request = &ended.pop_front();
        }
        request->done(*request, request->room<Ended>().outcome);
    }
    sync::InterruptGuard const off;
    wake_later(m_lanes.here(off), moment);
    return batch_max;
}

} // namespace twofold::block
