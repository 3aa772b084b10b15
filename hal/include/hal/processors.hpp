// Starting the other processors. Which there are is for the kernel to read in firmware's tables.
#pragma once

#include "hal/processors_types.hpp"

#include <concepts>

#include <machine/processors.hpp>

namespace hal {

template<class P>
concept ProcessorsContract = requires(ProcessorStart const& start, CpuId id, u32 hardware_id) {
    /// Memory that the machine keeps for each processor that is started. O(1).
    { P::area_bytes() } -> std::same_as<Bytes>;
    /// How many stacks the machine switches to for exceptions that cannot trust the running one, at
    /// most ProcessorStart::exception_stacks_max, and how large each is. O(1).
    { P::exception_stack_count() } -> std::same_as<u32>;
    { P::exception_stack_bytes() } -> std::same_as<Bytes>;
    /// RAM below 1 MiB that starting takes, the same for one after the other; 0: none. O(1).
    { P::low_bytes() } -> std::same_as<Bytes>;
    /// The most processors that the machine can run at once. O(1).
    { P::count_max() } -> std::same_as<u32>;
    /// Gives the boot processor its hardware id, so that it can be addressed too. Once, before the
    /// first `start`. O(1).
    { P::adopt_boot_processor(hardware_id) } -> std::same_as<void>;
    /// Starts a processor: it calls kernel_processor_online with interrupts disabled, its
    /// descriptors, interrupt controller and features set up as those of the boot processor.
    /// Returns when it has got so far. One at a time, after Controller::adopt and Clock::adopt.
    /// Errors: timed_out (it did not answer within a second of its own time and will not be waited
    /// for any longer), already_exists, out_of_range, not_supported.
    { P::start(start) } -> std::same_as<Result<void>>;
    /// The running processor's class. O(1).
    { P::core_class() } -> std::same_as<CoreClass>;
    /// The running processor stops for good, interrupts disabled. Never returns.
    { P::halt() } -> std::same_as<void>;
};
static_assert(ProcessorsContract<Processors>, "the machine's Processors do not keep the contract");

} // namespace hal
