// Performance counters of the running processor. A machine that has none says so.
#pragma once

#include "hal/counters_types.hpp"

#include <concepts>

#include <machine/counters.hpp>

namespace hal {

/// On the running processor, which the caller does not leave meanwhile. O(1).
template<class C>
concept CountersContract = requires(CounterEvent event) {
    /// Whether `event` can be counted here.
    { C::has(event) } -> std::same_as<bool>;
    /// Begins to count `event` from 0, in kernel code alone. Errors: not_supported, no_space (all
    /// counters are taken), already_exists (it is counted).
    { C::start(event) } -> std::same_as<Result<void>>;
    /// What has been counted since. Errors: not_found (it is not counted).
    { C::read(event) } -> std::same_as<Result<u64>>;
    /// Ends it. Errors: not_found.
    { C::stop(event) } -> std::same_as<Result<void>>;
};
static_assert(CountersContract<Counters>, "the machine's Counters do not keep the contract");

} // namespace hal
