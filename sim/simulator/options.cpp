// See options.hpp.
#include "sim/simulator/options.hpp"

#include "apps/arguments/arguments.hpp"
#include "apps/launch/status.hpp"
#include "sim/plan/plan.hpp"
#include "sim/run/catalogue.hpp"

#include <fmt/format.h>

namespace twofold::sim {

namespace {

/// What is put together only when all is known.
struct Words {
    std::string workload;
    std::string keep;
    std::string schedule = "random";
    std::vector<std::string> faults;
    std::optional<std::filesystem::path> plan;
    bool swarm = false;

    bool operator==(Words const&) const = default;
};

void add_case_options(Arguments& arguments, Case& made, Words& words) {
    arguments.add(
        {.name = "workload",
         .value_name = "WORKLOAD",
         .help = "what is run; --replay knows it",
         .take = store_in(words.workload)});
    arguments.add(
        {.name = "--seed",
         .value_name = "N",
         .help = "what the run is made from",
         .take = number_in(made.seed, u64{0}, ~u64{0}),
         .default_text = "0"});
    arguments.add(
        {.name = "--cpus",
         .value_name = "N",
         .help = "processors",
         .take = number_in(made.cpus, 1u, Case::cpus_max),
         .default_text = "the workload's"});
    arguments.add(
        {.name = "--machines",
         .value_name = "N",
         .help = "machines, joined by links",
         .take = number_in(made.machines, 1u, Case::machines_max),
         .default_text = "the workload's"});
    arguments.add(
        {.name = "--threads",
         .value_name = "N",
         .help = "threads that perform the operations",
         .take = number_in(made.threads, 1u, Case::threads_max),
         .default_text = "the workload's"});
    arguments.add(
        {.name = "--operations",
         .value_name = "N",
         .help = "operations",
         .take = number_in(made.operations, 1u, Case::operations_max),
         .default_text = "the workload's"});
    arguments.add(
        {.name = "--keep",
         .value_name = "RANGES",
         .help = "the operations to perform, as 0-5,9",
         .take = store_in(words.keep),
         .default_text = "all"});
}

/// How operations are interleaved, what goes wrong meanwhile, and what is wrong.
void add_condition_options(Arguments& arguments, Case& made, Words& words) {
    arguments.add(
        {.name = "--schedule",
         .value_name = "S",
         .help = "random, pct:DEPTH or exhaustive:PREEMPTIONS",
         .take = store_in(words.schedule),
         .default_text = words.schedule});
    arguments.add(
        {.name = "--fault",
         .value_name = "RULE",
         .help = "what is to go wrong, as interrupt.late:probability=0.01; repeated for more",
         .take = append_to(words.faults),
         .occurrence = Arguments::Occurrence::repeated});
    arguments.add(
        {.name = "--faults",
         .value_name = "FILE",
         .help = "a plan of what is to go wrong, in TOML",
         .take = store_in(words.plan)});
    arguments.add_flag(
        "--swarm", words.swarm, "the seed chooses which rules are in force; without any, of all");
    arguments.add(
        {.name = "--costs",
         .value_name = "NAME",
         .help = "what operations take in virtual time",
         .take = store_in(made.costs),
         .default_text = "steps"});
    arguments.add(
        {.name = "--mutant",
         .value_name = "NAME",
         .help = "flip one operation of the kernel",
         .take = store_in(made.mutant)});
}

void add_run_options(Arguments& arguments, RunOptions& options) {
    arguments.add(
        {.name = "--record",
         .value_name = "FILE",
         .help = "keep what is needed to repeat, search and compare the run",
         .take = store_in(options.record)});
    arguments.add(
        {.name = "--copy-every",
         .value_name = "N",
         .help = "events between two copies of the machine in a recording",
         .take = number_in(options.copy_every, u64{1'000}, u64{1} << 40),
         .default_text = fmt::format("{}", options.copy_every)});
    arguments.add(
        {.name = "--replay",
         .value_name = "FILE",
         .help = "repeat a recording, and compare",
         .take = store_in(options.replay),
         .excludes = "--record"});
    arguments.add(
        {.name = "--until-event",
         .value_name = "N",
         .help = "stop there, and say where the processors stand",
         .take = [&options](std::string const& text) {
             u64 event = 0;
             std::string const refusal = number_in(event, u64{1}, ~u64{0})(text);
             options.until_event = event;
             return refusal;
         }});
    arguments.add_flag(
        "--debugger", options.stops_in_debugger,
        "with --until-event: pass sim_stopped there, for a breakpoint, and go on");
    arguments.add(
        {.name = "--trace",
         .value_name = "FILE",
         .help = "write what happens for https://ui.perfetto.dev",
         .take = store_in(options.trace)});
    arguments.add(
        {.name = "--save-schedule",
         .value_name = "FILE",
         .help = "write who ran when, and for how long",
         .take = store_in(options.save_schedule)});
    arguments.add(
        {.name = "--follow-schedule",
         .value_name = "FILE",
         .help = "let processors run as a file says that was saved",
         .take = store_in(options.follow_schedule),
         .excludes = "--replay"});
    arguments.add_flag("--json", options.is_json, "say what came of it as JSON");
    arguments.add_flag("--output", options.shows_output, "show what the kernel prints");
}

hosted::FaultPlan plan_of(Words const& words, hosted::FaultKinds const& kinds) {
    hosted::FaultPlan flags;
    flags.rules = parse_rules(words.faults, kinds);
    flags.swarm = words.swarm;
    return words.plan ? merge_plans(read_plan(*words.plan, kinds), flags, kinds) : flags;
}

[[noreturn]] void refuse(std::string const& why) {
    throw launch::Failure(launch::Status::usage, why);
}

/// What does not go together, and the parser does not know.
void check_together(RunOptions const& options, Words const& words) {
    if (options.replay && (words != Words() || options.made != Case())) {
        refuse("--replay says itself what is run: leave the workload and its options out");
    }
    if (!options.replay && words.workload.empty()) {
        refuse("which workload? --describe lists them");
    }
    if (options.stops_in_debugger && !options.until_event) {
        refuse("--debugger: give --until-event, too");
    }
    bool const is_cut = options.until_event && !options.stops_in_debugger;
    if (is_cut && (options.record || options.save_schedule)) {
        refuse(fmt::format(
            "{} is of a whole run: leave --until-event out",
            options.record ? "--record" : "--save-schedule"));
    }
}

} // namespace

std::optional<int> parse_run_options(int count, char const* const* arguments, RunOptions& options) {
    Words words;
    Arguments known("twofold-simulator run", "Runs one case on a simulated machine.");
    add_case_options(known, options.made, words);
    add_condition_options(known, options.made, words);
    add_run_options(known, options);
    if (auto const status = known.parse(count, arguments)) {
        return status;
    }
    check_together(options, words);
    if (options.replay) {
        return std::nullopt;
    }
    Catalogue const& catalogue = own_catalogue();
    options.made.workload = words.workload;
    if (!words.keep.empty()) {
        options.made.keep = Ranges::parse(words.keep);
        if (!options.made.keep) {
            refuse(fmt::format("--keep '{}' is no set of operations, as 0-5,9", words.keep));
        }
    }
    options.made.schedule = parse_schedule(words.schedule);
    options.made.faults = plan_of(words, catalogue.faults);
    complete(options.made, catalogue);
    return std::nullopt;
}

} // namespace twofold::sim
