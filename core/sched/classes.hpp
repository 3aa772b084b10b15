// The classes of the kernel, in their order; what each is called; and what `nice` means.
#pragma once

#include "core/sched/batch.hpp"
#include "core/sched/class_stack.hpp"
#include "core/sched/edf.hpp"
#include "core/sched/eevdf.hpp"
#include "core/sched/inference.hpp"
#include "core/sched/realtime.hpp"
#include "core/sched/stride.hpp"

namespace twofold::sched {

/// Stride in its tree form: it takes no memory beforehand and refuses nobody.
using KernelStride = StrideQueue<StrideTree>;
using KernelClasses = ClassStack<Edf, Fifo, RoundRobin, KernelStride, Eevdf, Inference, Batch>;
static_assert(Policy<KernelClasses>);
static_assert(sizeof(KernelClasses::Entity) <= 320, "it lies in every thread");
static_assert(sizeof(KernelClasses::Parameters) <= 40);

/// The parameters that a policy has by default; none: nothing is called that. O(classes).
inline std::optional<KernelClasses::Parameters> parameters_named(std::string_view name) {
    auto const found = KernelClasses::class_named(name);
    return found ? std::optional(KernelClasses::Parameters::of_class(*found)) : std::nullopt;
}

inline constexpr i32 nice_min = -20;
inline constexpr i32 nice_max = 19;

/// The weight under `eevdf` of a nice value: 1024 for 0, and a step is a quarter more or less, so
/// that of two who compete one step moves a tenth of the processor. The numbers are those of Linux
/// (sched_prio_to_weight in its kernel/sched/core.c), which are 1024 / 1.25^nice within 2.2 %, so
/// that what was tuned there means the same here. Errors: out_of_range.
constexpr Result<u32> weight_of_nice(i32 nice) {
    constexpr u32 weights[] = {88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
                               9548,  7620,  6100,  4904,  3906,  3121,  2501,  1991,  1586,  1277,
                               1024,  820,   655,   526,   423,   335,   272,   215,   172,   137,
                               110,   87,    70,    56,    45,    36,    29,    23,    18,    15};
    static_assert(std::size(weights) == nice_max - nice_min + 1);
    if (nice < nice_min || nice > nice_max) {
        return Error::out_of_range;
    }
    return weights[nice - nice_min];
}

} // namespace twofold::sched
