// See commands.hpp.
#include "apps/workloads/commands.hpp"

#include "apps/workloads/runner.hpp"

namespace twofold::workloads {

namespace {

using boot::CommandContext;
namespace status = boot::status;

constexpr boot::Column columns[] = {{"name", 12},   {"operations", 10}, {"cpus", 4},
                                    {"threads", 7}, {"machines", 8},    {"about", 0}};

u8 list(CommandContext& context) {
    context.out.table(columns);
    for (Workload const* const workload : all()) {
        context.out.row(
            {workload->name, workload->operations, workload->cpus, workload->threads,
             workload->machines, workload->about});
    }
    return status::success;
}

Workload const* find(std::string_view name) {
    for (Workload const* const workload : all()) {
        if (workload->name == name) {
            return workload;
        }
    }
    return nullptr;
}

/// Nothing after a word why not.
std::optional<Options> read_options(CommandContext& context) {
    Options options;
    for (std::string_view const word : context.arguments.subspan(1)) {
        if (auto const taken = take_option(options, word); !taken) {
            context.out.line("workload: '{}': {}", word, error_name(taken.error()));
            return std::nullopt;
        }
    }
    return options;
}

u8 run_one(CommandContext& context) {
    std::string_view const name = context.arguments[0];
    Workload const* const workload = find(name);
    if (workload == nullptr) {
        context.out.line("workload: there is none named '{}'", name);
        return status::usage;
    }
    auto const options = read_options(context);
    if (!options) {
        return status::usage;
    }
    if (options->machines > 1 && workload->machines == 1) {
        context.out.line("workload: '{}' is for one machine", name);
        return status::usage;
    }
    if (options->machine >= options->machines) {
        context.out.line(
            "workload: of {} machines none is number {}", options->machines, options->machine);
        return status::usage;
    }
    if (context.kernel.threads == nullptr) {
        context.out.line("workload: this machine has no interrupts or no clock, and so no threads");
        return status::failure;
    }
    Ending const ending = run(context.kernel, *workload, *options);
    if (!ending.failure.empty()) {
        context.out.line("{}: {}", name, ending.failure);
        return status::failure;
    }
    if (ending.refusal) {
        context.out.line("{}: it could not be begun: {}", name, error_name(*ending.refusal));
        return status::failure;
    }
    context.out.line("{}: {} operations", name, ending.operations);
    return status::success;
}

constexpr boot::Command table[] = {
    {"workloads", "lists the workloads, one a line", list},
    {"workload",
     "runs a workload",
     run_one,
     {{"NAME", "which one; 'workloads' lists them"},
      {"KEY=VALUE", "seed, operations, keep, threads, machines, machine", boot::ArgumentKind::text,
       boot::ArgumentCount::any}},
     {{"workload heap seed=7 operations=100", "a hundred operations of seed 7"}}},
};

} // namespace

boot::CommandTable commands() {
    return {"workloads", table};
}

} // namespace twofold::workloads
