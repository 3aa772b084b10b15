// The metal machine: contexts are stack pointers.
#pragma once

#include "isa/context.hpp"

namespace hal {

struct Context {
    void create(std::span<std::byte> stack, void (*entry)(void*), void* argument) {
        m_stack_pointer = isa::prepare_stack(stack, entry, argument);
    }
    static void switch_between(Context& from, Context& to) {
        isa_switch_context(&from.m_stack_pointer, to.m_stack_pointer);
    }

private:
    twofold::u64 m_stack_pointer = 0;
};

} // namespace hal
