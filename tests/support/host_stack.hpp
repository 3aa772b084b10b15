// The stack of a thread of the host, as the kernel's threads know theirs.
#pragma once

#include "core/memory/memory.hpp"

#include <bit>
#include <pthread.h>

namespace twofold::test {

/// That of the calling thread; of no size where the host does not say.
inline memory::KernelStack host_stack() {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return {};
    }
    void* lowest = nullptr;
    size_t size = 0;
    bool const is_known = pthread_attr_getstack(&attributes, &lowest, &size) == 0;
    pthread_attr_destroy(&attributes);
    return is_known ? memory::KernelStack{{std::bit_cast<u64>(lowest)}, {size}}
                    : memory::KernelStack{};
}

} // namespace twofold::test
