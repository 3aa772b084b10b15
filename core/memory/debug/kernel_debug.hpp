// The debugging layer in the kernel: no preemption and a ranked lock inside an operation, call
// stacks from frame pointers, reports to whoever opened the heap.
#pragma once

#include "core/memory/debug/debug_allocator.hpp"
#include "core/memory/debug/no_alloc.hpp"
#include "core/sync/sync.hpp"

namespace twofold::memory {

class KernelDebugEnvironment {
public:
    /// The heap keeps what it knows about blocks apart from them.
    static constexpr bool free_blocks_stay_untouched = true;

    /// Is told of damage, and never returns.
    struct Handler {
        void (*function)(void* context, Corruption const& corruption);
        void* context;
    };

    class Scope {
    public:
        explicit Scope(KernelDebugEnvironment& environment) : m_lock(environment.m_lock) {
            m_lock.lock();
        }
        ~Scope() { m_lock.unlock(); }
        Scope(Scope const&) = delete;
        Scope& operator=(Scope const&) = delete;

    private:
        sync::NoPreemptGuard m_guard;
        sync::LockableSpinLock& m_lock;
    };

    explicit KernelDebugEnvironment(Handler handler) : m_handler(handler) {}

    /// Kernel code is compiled with frame pointers, and the outermost frame of a kernel stack ends
    /// the chain.
    [[gnu::always_inline]] CallStack call_stack() const {
        return callers_of(hal::Cpu::current_frame());
    }
    void before_allocation(Bytes size) const { note_allocation("the heap", size); }
    void report(Corruption const& corruption) const {
        m_handler.function(m_handler.context, corruption);
    }

private:
    static CallStack callers_of(hal::StackFrame frame) {
        CallStack stack;
        for (u64& address : stack.addresses) {
            auto const above = hal::Cpu::caller(frame);
            if (!above) {
                break;
            }
            frame = *above;
            address = frame.instruction;
        }
        return stack;
    }

    Handler m_handler;
    sync::LockableSpinLock m_lock{sync::LockRank::heap_checks};
};
static_assert(DebugEnvironment<KernelDebugEnvironment>);

} // namespace twofold::memory
