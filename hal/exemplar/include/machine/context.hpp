// The exemplar machine: the contract as bare declarations. Compiled, never linked.
#pragma once

#include "core/base/base.hpp"

#include <span>

namespace hal {

using namespace twofold;

struct Context {
    void create(std::span<std::byte> stack, void (*entry)(void*), void* argument);
    static void switch_between(Context& from, Context& to);

private:
    u64 m_stack_pointer = 0;
};

} // namespace hal
