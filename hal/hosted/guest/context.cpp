// Contexts under a sanitizer: the instruction set's switch between stacks, announced to it.
#include "hal/context.hpp"

#include "hal/hosted/guest/guest_cpu.hpp"

#include <isa/context.hpp>
#include <sanitizer_choice.hpp>

namespace hal {

void Context::create(std::span<std::byte> stack, void (*entry)(void*), void* argument) {
    CHECK(entry != nullptr);
    m_entry = entry;
    m_argument = argument;
    m_stack_base = reinterpret_cast<u64>(stack.data());
    m_stack_size = stack.size();
    m_stack_pointer = isa::prepare_stack(stack, &Context::start, this);
}

void Context::start(void* context) {
    static_cast<void>(hosted::sanitizer::finish_switch(nullptr));
    hosted::end_switch();
    auto const& self = *static_cast<Context const*>(context);
    self.m_entry(self.m_argument);
    UNREACHABLE(); // an entry must not return
}

void Context::switch_between(Context& from, Context& to) {
    CHECK(to.m_stack_pointer != 0);
    hosted::set_flag<hosted::switching_flag>(true); // from here on the caller stays here
    hosted::GuestCpu& cpu = hosted::guest_cpu();
    u64 const target = to.m_stack_pointer;
    to.m_stack_pointer = 0; // continued at most once for each time it was saved
    from.m_stack_base = cpu.stack.base;
    from.m_stack_size = cpu.stack.size;
    cpu.stack = {to.m_stack_base, to.m_stack_size};
    void* state = nullptr;
    hosted::sanitizer::start_switch(&state, cpu.stack);
    isa_switch_context(&from.m_stack_pointer, target);
    static_cast<void>(hosted::sanitizer::finish_switch(state)); // perhaps on another processor
    hosted::end_switch();
}

} // namespace hal
