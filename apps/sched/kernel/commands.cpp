// The commands of the laboratory. See commands.hpp.
#include "apps/sched/kernel/commands.hpp"

#include "apps/sched/kernel/kernel_run.hpp"
#include "hal/memory.hpp"

namespace twofold::lab {

namespace {

using boot::CommandContext;
using boot::Recorder;
namespace status = boot::status;

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
    case Error::not_found:
        return "it refers to what is not there";
    default:
        return "a program does not end, or loops do not nest";
    }
}

Result<HeapWorkload> load(boot::Kernel& kernel) {
    hal::Module const& module = kernel.boot_info.modules[0];
    return HeapWorkload::create(
        *kernel.heap, std::span(hal::Memory::linear(module.base), module.size.value));
}

void record_end(
    Recorder& recorder, KernelOutcome const& outcome, SchedulePacker const& packer, u64 pieces) {
    if (outcome.refusal) {
        recorder.number("refused thread", outcome.refusal->thread);
        recorder.error("refused error", outcome.refusal->error);
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
    if (context.arguments.size() != 2) {
        context.out.line("usage: sched-run POLICY NS");
        return std::nullopt;
    }
    std::string_view const policy = context.arguments[0];
    auto const cost = parse_unsigned(context.arguments[1]);
    if (!sched::KernelClasses::class_named(policy)) {
        context.out.line("sched-run: there is no policy '{}'", policy);
        return std::nullopt;
    }
    if (!cost || cost.value() > switch_cost_max) {
        context.out.line(
            "sched-run: '{}' is not a number of nanoseconds up to {}", context.arguments[1],
            switch_cost_max);
        return std::nullopt;
    }
    return KernelRequest{.policy = policy, .switch_cost = {static_cast<i64>(cost.value())}};
}

u8 run(CommandContext& context) {
    auto const request = read_request(context);
    if (!request) {
        return status::usage;
    }
    if (context.kernel.boot_info.modules.empty()) {
        context.out.line("sched-run: the machine was given no workload as its module");
        return status::failure;
    }
    auto const loaded = load(context.kernel);
    if (!loaded) {
        context.out.line("sched-run: the workload is refused: {}", reason_of(loaded.error()));
        return status::failure;
    }
    char scenario[32];
    Recorder recorder(
        context.kernel, format_to(std::span(scenario), "sched {}", context.arguments[0]).text);
    PieceRecorder pieces{.recorder = recorder};
    Output const out = pieces.output();
    SchedulePacker packer(out);
    auto const outcome = run_in_kernel(
        *context.kernel.heap, loaded.value().workload(),
        {.policy = request->policy,
         .switch_cost = request->switch_cost,
         .inherits = loaded.value().inherits()},
        packer);
    if (!outcome) {
        context.out.line("sched-run: the workload is refused: {}", reason_of(outcome.error()));
        return status::failure;
    }
    record_end(recorder, outcome.value(), packer, pieces.pieces);
    context.out.line("{}: {} happenings recorded", context.arguments[0], packer.count());
    return status::success;
}

constexpr boot::Command table[] = {
    {"sched-run", "POLICY NS", "runs the module's workload in virtual time", 2, run},
};

} // namespace

std::span<boot::Command const> commands() {
    return table;
}

} // namespace twofold::lab
