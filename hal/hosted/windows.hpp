// Where hosted machines lie in the host's address space.
//
// A process may hold several machines, each in a window of its own. Every view of the machine's
// memory lies inside its window, which is reserved without access as a whole before anything is
// mapped in it, so that a fixed mapping never replaces what was there.
//
//     linear   physical memory, as the kernel sees it
//     own      physical memory, as the machine sees it, behind it what devices may reach of it
//              (dma_tables.hpp), and in the last MiB the virtual CPUs: kernel stacks refer to
//              them, so their place must not depend on the host
//     stacks   kernel stacks with their guards
//     views    frames of other spaces, device registers
//     heap     the kernel's heap
//
// The numbers are the build's (place/).
#pragma once

#include "hal/hosted/dma_tables.hpp"
#include "hal/layout.hpp"

#include <window_place.hpp>

namespace hosted {

using namespace twofold;

inline constexpr u64 cpu_area_bytes = u64{1} << 20;
inline constexpr u64 memory_bytes_max = own_bytes / 8 * 7;
static_assert(
    memory_bytes_max + dma_table_bytes(memory_bytes_max) + cpu_area_bytes <= own_bytes,
    "the tables of devices lie behind the memory");
inline constexpr u64 heap_base_default = first_window + heap_offset;

struct WindowPlan {
    hal::Window whole;
    hal::Window own;
    hal::Window cpus; ///< the end of `own`
    hal::KernelLayout kernel;
};

/// The plan of window `number`, which is less than window_count. Pure; O(1).
constexpr WindowPlan plan_window(unsigned number) {
    CHECK(number < window_count);
    u64 const base = first_window - number * window_bytes;
    u64 const own_end = base + linear_bytes + own_bytes;
    return {
        .whole = {{base}, {window_bytes}},
        .own = {{base + linear_bytes}, {own_bytes}},
        .cpus = {{own_end - cpu_area_bytes}, {cpu_area_bytes}},
        .kernel = {
            .linear = {{base}, {linear_bytes}},
            .heap = {{base + heap_offset}, {heap_bytes}},
            .stacks = {{base + stacks_offset}, {stacks_bytes}},
            .views = {{base + views_offset}, {stacks_bytes}}}};
}

namespace detail {

constexpr bool lies_within(hal::Window inner, hal::Window outer) {
    return outer.contains(inner.base) &&
           inner.size.value <= outer.size.value - (inner.base.value - outer.base.value);
}
constexpr bool is_before(hal::Window one, hal::Window other) {
    return one.base.value + one.size.value <= other.base.value;
}
constexpr WindowPlan first = plan_window(0);
constexpr WindowPlan last = plan_window(window_count - 1);
static_assert(lies_within(first.own, first.whole) && lies_within(first.kernel.heap, first.whole));
static_assert(
    is_before(first.kernel.linear, first.own) && is_before(first.own, first.kernel.stacks));
static_assert(is_before(first.kernel.stacks, first.kernel.views));
static_assert(is_before(first.kernel.views, first.kernel.heap));
static_assert(last.whole.base.value >= windows_lowest);
static_assert(first.whole.base.value + window_bytes <= windows_highest);

} // namespace detail

} // namespace hosted
