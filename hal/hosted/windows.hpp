// Where hosted machines lie in the host's address space.
//
// A process may hold several machines, each in a window of its own: one TiB, two top-level table
// slots. Every view of the machine's memory lies inside its window, which is reserved without
// access as a whole before anything is mapped in it, so that a fixed mapping never replaces what
// was there.
//
//     + 0           linear     256 GiB   physical memory, as the kernel sees it
//     + 256 GiB     own        256 GiB   physical memory, as the machine sees it, and in its last
//     MiB the
//                                        virtual CPUs: kernel stacks refer to them, so their place
//                                        must not depend on the host
//     + 512 GiB     stacks      64 GiB   kernel stacks with their guards
//     + 640 GiB     views       64 GiB   frames of other spaces, device registers
//     + 785 GiB     heap       128 GiB   window 0: 0x4444'4444'0000
//
// Windows go downwards from the first, from 0x4380'0000'0000 to 0x1480'0000'0000. That is clear of
// AddressSanitizer's shadow (up to 0x1000'7fff'8000) and allocator (0x5000'0000'0000 or
// 0x6000'0000'0000 upwards), and of where Linux places programs, libraries and stacks
// (0x5500'0000'0000 upwards). ThreadSanitizer maps its shadow over it (0x1000'0000'0000 to
// 0x4000'0000'0000) and allows no application there; a build for it needs other numbers.
#pragma once

#include "hal/layout.hpp"

namespace hosted {

using namespace twofold;

inline constexpr unsigned window_count = 48;
inline constexpr u64 window_bytes = u64{1} << 40;
inline constexpr u64 own_window_bytes = u64{256} << 30;
inline constexpr u64 memory_bytes_max = u64{255} << 30;
inline constexpr u64 cpu_area_bytes = u64{1} << 20;
static_assert(memory_bytes_max + cpu_area_bytes <= own_window_bytes);
inline constexpr u64 heap_base_default = 0x4444'4444'0000;

struct WindowPlan {
    hal::Window whole;
    hal::Window own;
    hal::Window cpus; ///< the end of `own`
    hal::KernelLayout kernel;
};

/// The plan of window `number`, which is less than window_count. Pure; O(1).
constexpr WindowPlan plan_window(unsigned number) {
    CHECK(number < window_count);
    constexpr u64 gib = u64{1} << 30;
    u64 const down = number * window_bytes;
    u64 const base = (heap_base_default & ~(512 * gib - 1)) - 512 * gib - down;
    return {
        .whole = {{base}, {window_bytes}},
        .own = {{base + own_window_bytes}, {own_window_bytes}},
        .cpus = {{base + 2 * own_window_bytes - cpu_area_bytes}, {cpu_area_bytes}},
        .kernel = {
            .linear = {{base}, {own_window_bytes}},
            .heap = {{heap_base_default - down}, {128 * gib}},
            .stacks = {{base + 512 * gib}, {64 * gib}},
            .views = {{base + 640 * gib}, {64 * gib}}}};
}

namespace detail {

constexpr bool lies_within(hal::Window inner, hal::Window outer) {
    return outer.contains(inner.base) &&
           inner.size.value <= outer.size.value - (inner.base.value - outer.base.value);
}
constexpr WindowPlan first = plan_window(0);
constexpr WindowPlan last = plan_window(window_count - 1);
static_assert(first.kernel.heap.base.value == heap_base_default);
static_assert(lies_within(first.own, first.whole) && lies_within(first.kernel.heap, first.whole));
static_assert(
    lies_within(first.kernel.stacks, first.whole) && lies_within(first.kernel.views, first.whole));
static_assert(first.kernel.views.base.value + first.kernel.views.size.value <= heap_base_default);
static_assert(last.whole.base.value > 0x1000'7fff'8000);
static_assert(first.whole.base.value + window_bytes <= 0x5000'0000'0000);

} // namespace detail

} // namespace hosted
