// NoAlloc: a scope in which nothing may be allocated. Builds with heap checks panic at the
// allocation, and name both; other builds hold nothing of it.
#pragma once

#include "core/memory/debug/heap_checks.hpp"
#include "core/sync/sync.hpp"

#include <source_location>

namespace twofold::memory {

/// While one lives, the running processor takes neither blocks of the kernel's heap nor frames;
/// giving back is allowed. Scopes nest like calls. Whatever interrupts it on its processor counts
/// as inside. Any context; O(1).
template<bool Checked>
class [[nodiscard]] NoAllocIf {
public:
    explicit NoAllocIf(std::source_location where = std::source_location::current()) {
        sync::InterruptGuard const guard;
        if (sync::CpuState* const state = sync::cpu_state()) {
            m_scope = {where, state->no_alloc};
            state->no_alloc = &m_scope;
        }
    }
    ~NoAllocIf() {
        sync::InterruptGuard const guard;
        if (sync::CpuState* const state = sync::cpu_state()) {
            CHECK(state->no_alloc == &m_scope);
            state->no_alloc = m_scope.outer;
        }
    }
    NoAllocIf(NoAllocIf const&) = delete;
    NoAllocIf& operator=(NoAllocIf const&) = delete;

private:
    sync::NoAllocScope m_scope{};
};

/// In builds without heap checks: nothing.
template<>
class [[nodiscard]] NoAllocIf<false> {
public:
    NoAllocIf() {}
    ~NoAllocIf() {}
    NoAllocIf(NoAllocIf const&) = delete;
    NoAllocIf& operator=(NoAllocIf const&) = delete;
};

/// `NoAlloc const scope;`
using NoAlloc = NoAllocIf<heap_checks_enabled>;

/// Somebody is about to take `size` bytes of what is called `source`: panics inside a NoAlloc
/// scope, and in a context that may not allocate. Nothing in builds without heap checks. Any
/// context; O(1).
inline void note_allocation(std::string_view source, Bytes size) {
    if constexpr (heap_checks_enabled) {
        sync::InterruptGuard const guard;
        sync::require(sync::Ability::allocate);
        sync::CpuState* const state = sync::cpu_state();
        if (state != nullptr && state->no_alloc != nullptr) {
            sync::NoAllocScope const& scope = *state->no_alloc;
            state->no_alloc = nullptr; // the panic is outside
            char text[96];
            std::span<char> const room(text);
            auto const written = format_to(
                room.first(sizeof(text) - 1), "{} bytes of {} taken inside the NoAlloc scope", size,
                source);
            text[written.text.size()] = '\0';
            check_failed(text, scope.where);
        }
    }
}

} // namespace twofold::memory
