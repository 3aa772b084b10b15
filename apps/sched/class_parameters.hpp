// What a scheduling of a workload means to the kernel's classes. Pure: the same in a hosted tool
// and inside of a kernel.
#pragma once

#include "apps/sched/workload.hpp"
#include "core/sched/sched.hpp"

#include <algorithm>
#include <optional>

namespace twofold::lab {

using Classes = sched::KernelClasses;
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
    return ClassParameters::of<sched::KernelStride>(parameters);
}

inline ClassParameters eevdf_parameters(Scheduling const& wanted) {
    sched::EevdfParameters parameters{.weight = wanted.weight};
    parameters.request = wanted.slice == Nanos{} ? parameters.request : wanted.slice;
    return ClassParameters::of<sched::Eevdf>(parameters);
}

inline ClassParameters inference_parameters(Scheduling const& wanted, sched::InferenceKind kind) {
    sched::InferenceParameters parameters{.kind = kind};
    parameters.bound = wanted.period == Nanos{} ? parameters.bound : wanted.period;
    parameters.estimate = wanted.runtime == Nanos{}
                              ? std::min(parameters.estimate, parameters.bound)
                              : wanted.runtime;
    return ClassParameters::of<sched::Inference>(parameters);
}

inline ClassParameters batch_parameters(bool is_idle) {
    return ClassParameters::of<sched::Batch>({.is_idle = is_idle});
}

} // namespace detail

/// Under a policy, by its class: what is `ordinary` is bound to it. What has no period cannot be
/// given a guarantee, and is bound to `batch` where the policy is `edf`.
inline ClassParameters class_parameters(Scheduling const& wanted, std::string_view policy) {
    switch (wanted.demand) {
    case Demand::ordinary:
        break;
    case Demand::batch:
    case Demand::idle:
        return detail::batch_parameters(wanted.demand == Demand::idle);
    case Demand::fifo:
        return detail::realtime_parameters<sched::Fifo>(wanted);
    case Demand::rr:
        return detail::realtime_parameters<sched::RoundRobin>(wanted);
    case Demand::deadline:
        return detail::edf_parameters(wanted);
    case Demand::inference:
        return detail::inference_parameters(wanted, sched::InferenceKind::request);
    case Demand::training:
        return detail::inference_parameters(wanted, sched::InferenceKind::training);
    }
    if (policy == "edf") {
        return wanted.period == Nanos{} ? detail::batch_parameters(false)
                                        : detail::edf_parameters(wanted);
    }
    if (policy == "inference") {
        return detail::inference_parameters(wanted, sched::InferenceKind::request);
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

/// Parameters as they are lent to who holds a mutex: a guarantee is not given twice.
inline ClassParameters lent_parameters(ClassParameters const& parameters) {
    ClassParameters lent = parameters;
    if (lent.is<sched::Edf>()) {
        lent.get<sched::Edf>().is_lent = true;
    }
    return lent;
}

} // namespace twofold::lab
