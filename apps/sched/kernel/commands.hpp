// The laboratory's commands inside of a kernel.
#pragma once

#include "core/boot/boot.hpp"

namespace twofold::lab {

/// `sched-run POLICY NS`: runs the workload that the machine was given as its module, in virtual
/// time, where each switch costs so many nanoseconds, and records the schedule.
///
/// `sched-live POLICY`: runs it by threads of this kernel, as long as it takes, and records what
/// became of them. What both record is specified in docs/laboratory.md.
boot::CommandTable commands();

} // namespace twofold::lab
