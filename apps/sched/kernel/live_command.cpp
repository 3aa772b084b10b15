// The command `sched-live`. See commands.hpp.
#include "apps/sched/kernel/command_parts.hpp"
#include "apps/sched/kernel/live_run.hpp"

namespace twofold::lab {

namespace {

using boot::CommandContext;
using boot::Recorder;
namespace status = boot::status;

constexpr std::string_view command = "sched-live";
constexpr usize samples_of_value = 112; ///< 8 bytes each

/// Records samples as values `NAME 0`, `NAME 1` and so on: numbers of 8 bytes, little-endian.
void record_samples(
    Recorder& recorder, u32 thread, std::string_view what, std::span<i64 const> samples) {
    char bytes[samples_of_value * sizeof(i64)];
    for (usize value = 0; value * samples_of_value < samples.size(); ++value) {
        auto const rest = samples.subspan(value * samples_of_value);
        usize size = 0;
        for (i64 const sample : rest.first(std::min(rest.size(), samples_of_value))) {
            for (usize byte = 0; byte < sizeof(sample); ++byte) {
                bytes[size++] = static_cast<char>(static_cast<u64>(sample) >> (8 * byte));
            }
        }
        char name[64];
        recorder.text(
            format_to(std::span(name), "{} {} {}", what, thread, value).text, {bytes, size});
    }
}

void record_thread(Recorder& recorder, LiveThread const& thread) {
    sched::TaskCounts const& counts = thread.counts;
    char name[32];
    char text[256];
    recorder.text(
        format_to(std::span(name), "thread {}", thread.number).text,
        format_to(
            std::span(text), "{} {} {} {} {} {} {} {} {}", thread.latencies.size(),
            thread.responses.size(), thread.late, thread.refused, counts.switches,
            counts.preemptions, counts.migrations, static_cast<u64>(counts.ran.value),
            static_cast<u64>(counts.waited.value))
            .text);
    record_samples(recorder, thread.number, "latencies", thread.latencies.items());
    record_samples(recorder, thread.number, "responses", thread.responses.items());
}

void record_run(Recorder& recorder, LiveRun const& run) {
    if (run.refusal()) {
        record_refusal(recorder, *run.refusal());
        return;
    }
    recorder.number("lasted", static_cast<u64>(run.lasted().value));
    u32 number = 0;
    for (LiveCpu const& cpu : run.cpus()) {
        char name[32];
        char text[64];
        recorder.text(
            format_to(std::span(name), "cpu {}", number++).text,
            format_to(
                std::span(text), "{} {} {}", static_cast<u64>(cpu.idle.value), cpu.switches,
                static_cast<u64>(cpu.violation))
                .text);
    }
    for (LiveThread const& thread : run.threads()) {
        record_thread(recorder, thread);
    }
}

/// Why the workload cannot be run here; empty if it can.
std::string_view objection(CommandContext& context, Workload const& workload) {
    task::Threads* const threads = context.kernel.threads;
    if (threads == nullptr) {
        return "this machine has no interrupts or no clock, and so no threads";
    }
    for (u32 cpu = 0; cpu < workload.cpus.size(); ++cpu) {
        if (!threads->dispatcher().known().has({cpu})) {
            return "the machine has fewer processors than the workload";
        }
    }
    return live_objection(workload);
}

} // namespace

u8 run_live(CommandContext& context) {
    auto const policy = policy_of(context, command);
    if (!policy) {
        return status::usage;
    }
    auto const loaded = load_workload(context, command);
    if (!loaded) {
        return status::failure;
    }
    Workload const& workload = loaded->workload();
    if (auto const why = objection(context, workload); !why.empty()) {
        context.out.line("{}: the workload is refused: {}", command, why);
        return status::failure;
    }
    auto const run =
        LiveRun::create(*context.kernel.heap, *context.kernel.threads, workload, *policy);
    Result<void> const outcome = run ? run.value()->run() : Result<void>(run.error());
    if (!outcome) {
        refuse_workload(context, command, outcome.error());
        return status::failure;
    }
    char scenario[32];
    Recorder recorder(context.kernel, format_to(std::span(scenario), "live {}", *policy).text);
    record_run(recorder, *run.value());
    context.out.line("{}: {} threads", *policy, workload.tasks.size());
    return status::success;
}

} // namespace twofold::lab
