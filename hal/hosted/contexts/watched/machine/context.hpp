// The hosted machine's contexts under a sanitizer, which is told about every switch, and nothing is
// interrupted before it knows. The twin in plain/ is what other builds use.
#pragma once

#include "core/base/base.hpp"

#include <span>

namespace hal {

using namespace twofold;

struct Context {
    void create(std::span<std::byte> stack, void (*entry)(void*), void* argument);
    static void switch_between(Context& from, Context& to);

private:
    [[noreturn]] static void start(void* context);

    u64 m_stack_pointer = 0;
    u64 m_stack_base = 0; ///< bounds of the stack that the context runs on, for the sanitizers
    u64 m_stack_size = 0;
    void (*m_entry)(void*) = nullptr;
    void* m_argument = nullptr;
};

} // namespace hal
