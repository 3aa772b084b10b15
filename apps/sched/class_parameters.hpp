// What a scheduling of a workload means to the kernel's classes. Pure: the same in a hosted tool
// and inside of a kernel.
#pragma once

#include "apps/sched/workload.hpp"
#include "core/sched/class_stack.hpp"
#include "core/sched/edf.hpp"
#include "core/sched/eevdf.hpp"
#include "core/sched/realtime.hpp"
#include "core/sched/stride.hpp"

#include <algorithm>
#include <optional>

namespace twofold::lab {

using Classes = sched::ClassStack<
    sched::Edf,
    sched::Fifo,
    sched::RoundRobin,
    sched::StrideQueue<sched::StrideTree>,
    sched::Eevdf>;
using ClassParameters = Classes::Parameters;

namespace detail {

inline ClassParameters edf_parameters(Scheduling const& wanted) {
    return ClassParameters::of<sched::Edf>({.runtime = wanted.runtime, .period = wanted.period});
}

template<class P>
ClassParameters realtime_parameters(Scheduling const& wanted) {
    sched::RealtimeParameters parameters{.priority = wanted.priority};
    parameters.quantum = wanted.slice == Nanos{} ? parameters.quantum : wanted.slice;
    return ClassParameters::of<P>(parameters);
}

inline ClassParameters stride_parameters(Scheduling const& wanted) {
    sched::StrideParameters parameters{.tickets = wanted.weight};
    parameters.quantum = wanted.slice == Nanos{} ? parameters.quantum : wanted.slice;
    return ClassParameters::of<sched::StrideQueue<sched::StrideTree>>(parameters);
}

inline ClassParameters eevdf_parameters(Scheduling const& wanted) {
    sched::EevdfParameters parameters{.weight = wanted.weight};
    parameters.request = wanted.slice == Nanos{} ? parameters.request : wanted.slice;
    return ClassParameters::of<sched::Eevdf>(parameters);
}

/// Work that can wait, as who is as nice as can be.
inline ClassParameters background_parameters() {
    return ClassParameters::of<sched::Eevdf>({.weight = 15});
}

} // namespace detail

/// Under a policy, by its class: what is `ordinary` is bound to it. What has no period cannot be
/// given a guarantee, and runs behind the others where the policy is `edf`.
inline ClassParameters class_parameters(Scheduling const& wanted, std::string_view policy) {
    switch (wanted.demand) {
    case Demand::ordinary:
        break;
    case Demand::batch:
    case Demand::training:
        return detail::background_parameters();
    case Demand::fifo:
        return detail::realtime_parameters<sched::Fifo>(wanted);
    case Demand::rr:
        return detail::realtime_parameters<sched::RoundRobin>(wanted);
    case Demand::deadline:
        return detail::edf_parameters(wanted);
    case Demand::inference:
        return detail::eevdf_parameters(wanted);
    }
    if (policy == "edf") {
        return wanted.period == Nanos{} ? detail::background_parameters()
                                        : detail::edf_parameters(wanted);
    }
    if (policy == "fifo") {
        return detail::realtime_parameters<sched::Fifo>(wanted);
    }
    if (policy == "rr") {
        return detail::realtime_parameters<sched::RoundRobin>(wanted);
    }
    if (policy == "stride") {
        return detail::stride_parameters(wanted);
    }
    if (policy == "eevdf") {
        return detail::eevdf_parameters(wanted);
    }
    return ClassParameters::of_class(*Classes::class_named(policy));
}

} // namespace twofold::lab
