// What a heap needs to know about who runs it: a lock, and a place for the caller's cache (one for
// each processor in a kernel, one for each thread in a host process).
#pragma once

#include "core/base/base.hpp"

#include <concepts>

namespace twofold::memory {

/// The context of a heap. A `Scope` is held around every operation: it keeps the caller on its slot
/// (a kernel switches interrupts off, a host process needs nothing). The slot holds null until the
/// heap sets it. The lock is taken inside a scope, is held for a bounded time, and nests in nothing
/// of the heap.
template<class E>
concept HeapEnvironment = requires(E environment, void* cache) {
    { E::caches_max } -> std::convertible_to<usize>; // how many slots there can be
    typename E::Scope;
    requires std::constructible_from<typename E::Scope, E&>;
    { environment.slot() } -> std::same_as<void*>;
    { environment.set_slot(cache) } -> std::same_as<void>;
    { environment.lock() } -> std::same_as<void>;
    { environment.unlock() } -> std::same_as<void>;
};

} // namespace twofold::memory
