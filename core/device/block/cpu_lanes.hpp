// Lanes<T>: one T for each processor of the machine, in memory of the heap, each on cache lines of
// its own.
#pragma once

#include "core/memory/memory.hpp"
#include "core/sync/sync.hpp"
#include "hal/cpu.hpp"

#include <memory>
#include <span>

namespace twofold::block {

template<class T>
class Lanes {
public:
    Lanes() = default;
    Lanes(Lanes const&) = delete;
    Lanes& operator=(Lanes const&) = delete;
    ~Lanes() { CHECK(m_slots.empty()); }

    /// Each is made of `arguments`. Once, before use. Errors: out_of_memory. Context thread.
    template<class... Arguments>
    Result<void> open(memory::KernelHeap& heap, Arguments&... arguments) {
        u32 const count = hal::Cpu::count();
        Slot* const room = TRY(memory::allocate_room<Slot>(heap, count));
        m_slots = {room, count};
        for (Slot& slot : m_slots) {
            std::construct_at(&slot, arguments...);
        }
        return {};
    }
    /// Nothing happens where it is not open.
    void close(memory::KernelHeap& heap) {
        if (!m_slots.empty()) {
            std::destroy(m_slots.begin(), m_slots.end());
            memory::free_room(heap, m_slots.data());
            m_slots = {};
        }
    }

    /// The running processor's own, while the guard lives. O(1).
    T& here(sync::InterruptGuard const&) const { return any(); }
    /// That of the processor which the caller happens to run on, or has run on just now. O(1).
    T& any() const {
        u32 const index = hal::Cpu::id().value;
        CHECK(index < m_slots.size());
        return m_slots[index].value;
    }
    template<class Visit>
    void for_each(Visit const& visit) const {
        for (Slot& slot : m_slots) {
            visit(slot.value);
        }
    }

private:
    struct alignas(sync::cache_line_bytes) Slot {
        template<class... Arguments>
        explicit Slot(Arguments&... arguments) : value(arguments...) {}

        T value;
    };

    std::span<Slot> m_slots;
};

} // namespace twofold::block
