// The commands of the laboratory. See commands.hpp.
#include "apps/sched/kernel/commands.hpp"

#include "apps/sched/kernel/command_parts.hpp"
#include "hal/memory.hpp"

namespace twofold::lab {

namespace {

using boot::CommandContext;
using boot::Recorder;
namespace status = boot::status;

constexpr std::string_view run_command = "sched-run";
constexpr u64 switch_cost_max = 1'000'000'000;

/// Records pieces of a schedule by their numbers.
struct PieceRecorder {
    Recorder& recorder;
    u64 pieces = 0;

    Output output() {
        return {this, [](void* self, std::string_view piece) {
                    static_cast<PieceRecorder*>(self)->record(piece);
                }};
    }
    void record(std::string_view piece) {
        char name[24];
        recorder.text(format_to(std::span(name), "{}", pieces++).text, piece);
    }
};

/// Why a module is not taken for a workload.
std::string_view reason_of(Error error) {
    switch (error) {
    case Error::truncated:
        return "it ends too early";
    case Error::corrupted:
        return "it is none, or was changed";
    case Error::not_supported:
        return "it is of another version";
    case Error::out_of_memory:
        return "it does not fit into the kernel's memory";
    case Error::out_of_range:
        return "a number is out of its range";
    case Error::no_space:
        return "a thread takes more than 8 mutexes at one time";
    case Error::not_found:
        return "it refers to what is not there";
    default:
        return "a program does not end, or loops do not nest";
    }
}

void record_end(
    Recorder& recorder, KernelOutcome const& outcome, SchedulePacker const& packer, u64 pieces) {
    if (outcome.refusal) {
        record_refusal(recorder, *outcome.refusal);
        return;
    }
    recorder.number("pieces", pieces);
    recorder.number("happenings", packer.count());
    recorder.number("checksum", packer.checksum());
    recorder.number("end", static_cast<u64>(outcome.end.value));
    u32 cpu = 0;
    for (Nanos const overhead : outcome.overheads.all()) {
        char name[32];
        recorder.number(
            format_to(std::span(name), "overhead {}", cpu++).text,
            static_cast<u64>(overhead.value));
    }
}

/// The policy, and what a switch costs; nothing after a word why not.
std::optional<KernelRequest> read_request(CommandContext& context) {
    auto const policy = policy_of(context, run_command);
    if (!policy) {
        return std::nullopt;
    }
    std::string_view const text = context.arguments.size() == 2 ? context.arguments[1] : "";
    auto const cost = parse_unsigned(text);
    if (!cost || cost.value() > switch_cost_max) {
        context.out.line(
            "{}: '{}' is not a number of nanoseconds up to {}", run_command, text, switch_cost_max);
        return std::nullopt;
    }
    return KernelRequest{.policy = *policy, .switch_cost = {static_cast<i64>(cost.value())}};
}

u8 run(CommandContext& context) {
    auto request = read_request(context);
    if (!request) {
        return status::usage;
    }
    auto const loaded = load_workload(context, run_command);
    if (!loaded) {
        return status::failure;
    }
    request->inherits = loaded->inherits();
    char scenario[32];
    Recorder recorder(
        context.kernel, format_to(std::span(scenario), "sched {}", request->policy).text);
    PieceRecorder pieces{.recorder = recorder};
    Output const out = pieces.output();
    SchedulePacker packer(out);
    auto const outcome = run_in_kernel(*context.kernel.heap, loaded->workload(), *request, packer);
    if (!outcome) {
        refuse_workload(context, run_command, outcome.error());
        return status::failure;
    }
    record_end(recorder, outcome.value(), packer, pieces.pieces);
    context.out.line("{}: {} happenings recorded", request->policy, packer.count());
    return status::success;
}

constexpr boot::Argument policy_argument = {"POLICY", "which policy, like 'eevdf'"};

constexpr boot::Command table[] = {
    {run_command,
     "runs the module's workload in virtual time",
     run,
     {policy_argument, {"NS", "what a switch costs, in nanoseconds", boot::ArgumentKind::number}},
     {{"sched-run eevdf 500", "the module's threads, each switch half a microsecond"}}},
    {"sched-live", "runs the module's workload by threads", run_live, {policy_argument}},
};

} // namespace

std::optional<std::string_view> policy_of(CommandContext& context, std::string_view command) {
    std::string_view const policy = context.arguments.empty() ? "" : context.arguments[0];
    if (!sched::KernelClasses::class_named(policy)) {
        context.out.line("{}: there is no policy '{}'", command, policy);
        return std::nullopt;
    }
    return policy;
}

std::optional<HeapWorkload> load_workload(CommandContext& context, std::string_view command) {
    boot::Kernel& kernel = context.kernel;
    if (kernel.boot_info.modules.empty()) {
        context.out.line("{}: the machine was given no workload as its module", command);
        return std::nullopt;
    }
    hal::Module const& module = kernel.boot_info.modules[0];
    auto loaded = HeapWorkload::create(
        *kernel.heap, std::span(hal::Memory::linear(module.base), module.size.value));
    if (!loaded) {
        refuse_workload(context, command, loaded.error());
        return std::nullopt;
    }
    return std::move(loaded).value();
}

void refuse_workload(CommandContext& context, std::string_view command, Error error) {
    context.out.line("{}: the workload is refused: {}", command, reason_of(error));
}

void record_refusal(Recorder& recorder, KernelRefusal const& refusal) {
    recorder.number("refused thread", refusal.thread);
    recorder.error("refused error", refusal.error);
}

boot::CommandTable commands() {
    return {"laboratory", table};
}

} // namespace twofold::lab
