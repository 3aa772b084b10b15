// See processor.hpp.
#include "hal/hosted/processor.hpp"

#include <isa/context.hpp>
#include <sanitizer_choice.hpp>

#include <new>

namespace hosted {

Processor::Processor(GuestCpu* place, Mmu& mmu, Image const& image)
    : m_signals{*new(place) GuestCpu, mmu, image} {}

void Processor::enter_kernel() {
    GuestCpu& guest = cpu();
    guest.request = Request::none;
    sanitizer::take_signals();
    void* state = nullptr;
    sanitizer::start_switch(&state, guest.stack);
    guest.in_kernel = true;
    isa_switch_context(&guest.machine_stack, guest.kernel_stack);
    guest.in_kernel = false;
    if (guest.request == Request::crash && !guest.switching) {
        // The signal handler switched, and could not announce it.
        void* kernel_state = nullptr;
        sanitizer::start_switch(&kernel_state, guest.machine_bounds);
    }
    static_cast<void>(sanitizer::finish_switch(state));
}

void Processor::forget_stacks() {
    for (StackBounds const stack : {cpu().stack, cpu().interrupted_stack, cpu().emergency_stack}) {
        sanitizer::unpoison(stack.base, stack.size);
    }
}

} // namespace hosted
