// Stacks of threads that have ended, for the next ones: to map one and to take it away costs many
// times what else a thread costs that comes and goes. Those of the usual size, a few of them.
#pragma once

#include "core/memory/memory.hpp"
#include "core/sync/sync.hpp"
#include "hal/layout.hpp"

#include <optional>

namespace twofold::task {

template<usize spare_max>
class SpareStacks {
public:
    /// The stacks that are kept are of this size.
    explicit SpareStacks(Bytes size) : m_size(size) {}

    /// One of `size`, with whatever its last owner left there; nothing where there is none. Any
    /// context up to irq; O(1), with the address sanitizer O(size).
    std::optional<memory::KernelStack> take(Bytes size) {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        if (size != m_size || m_stacks.empty()) {
            return std::nullopt;
        }
        memory::KernelStack const stack = m_stacks.back();
        m_stacks.pop_back();
        unpoison(hal::kernel_pointer(stack.base), stack.size.value); // who ended there never
                                                                     // returned
        return stack;
    }

    /// Keeps it, if it is one of those and there are not many yet. Nothing runs on it. As `take`.
    bool keep(memory::KernelStack const& stack) {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        return stack.size == m_size && m_stacks.push_back(stack).has_value();
    }

private:
    Bytes m_size;
    sync::SpinLock m_lock{sync::LockRank::innermost};
    FixedVector<memory::KernelStack, spare_max> m_stacks GUARDED_BY(m_lock);
};

} // namespace twofold::task
