// What the laboratory's commands inside of a kernel share.
#pragma once

#include "apps/sched/kernel/kernel_run.hpp"
#include "core/boot/boot.hpp"

namespace twofold::lab {

/// The policy that a command was given as its first argument; nothing after a word why not.
std::optional<std::string_view> policy_of(boot::CommandContext& context, std::string_view command);

/// The workload that the machine was given as its module; nothing after a word why not.
std::optional<HeapWorkload> load_workload(boot::CommandContext& context, std::string_view command);

/// Says why a workload is refused.
void refuse_workload(boot::CommandContext& context, std::string_view command, Error error);

void record_refusal(boot::Recorder& recorder, KernelRefusal const& refusal);

/// `sched-live`, see commands.hpp.
u8 run_live(boot::CommandContext& context);

} // namespace twofold::lab
