// The start-up plan, the command line, commands and caught faults. Nothing that differs between
// machines or builds is recorded.
#include "core/boot/boot.hpp"
#include "apps/scenarios/scenarios.hpp"
#include "core/boot/provoke.hpp"

namespace twofold::scenarios {

namespace {

using twofold::boot::Kernel;
using twofold::boot::Options;
using twofold::boot::Recorder;
using twofold::boot::StartupPlan;
using twofold::boot::Step;
using twofold::boot::StepState;

using Name = FixedString<64>;

std::string_view named(Name& name, std::string_view prefix, u64 number) {
    char text[60];
    name.clear();
    name.append(format_to(std::span(text), "{} {}", prefix, number)).value();
    return name.view();
}

Result<void> succeed(Kernel&) {
    return {};
}

void record_plan(Recorder& record, std::string_view title, std::span<Step const> steps) {
    auto created = StartupPlan::create(steps);
    record.result(title, created.has_value() ? Result<void>{} : Result<void>{created.error()});
    if (!created) {
        return;
    }
    StartupPlan& plan = created.value();
    Name name;
    FixedString<256> text;
    for (u8 const index : plan.order()) {
        text.append(steps[index].name).value();
        text.append(" ").value();
    }
    char title_order[64];
    record.text(format_to(std::span(title_order), "{}: order", title), text.view());
    for (usize i = 0; i < plan.size(); ++i) {
        char title_state[64];
        auto const prefix = format_to(std::span(title_state), "{}: step", title);
        FixedString<96> state;
        state.append(step_state_name(plan.state(i))).value();
        state.append(" waits for ").value();
        state.append(plan.missing_requirement(i)).value();
        record.text(named(name, prefix, i), state.view());
    }
    for (u8 const index : plan.order()) {
        char title_ready[64];
        auto const prefix = format_to(std::span(title_ready), "{}: ready", title);
        record.truth(named(name, prefix, index), plan.is_ready(index));
        plan.set_state(index, StepState::done);
    }
    char title_complete[64];
    record.truth(format_to(std::span(title_complete), "{}: complete", title), plan.is_complete());
}

void record_plans(Recorder& record) {
    Step const diamond[] = {
        {"roof", "", {"left", "right"}, succeed},
        {"left", "", {"ground"}, succeed},
        {"right", "", {"ground"}, succeed},
        {"ground", "", {}, succeed}};
    Step const broken[] = {{"a", "", {"b"}, succeed},       {"b", "", {"a"}, succeed},
                           {"c", "", {"nowhere"}, succeed}, {"d", "", {"c"}, succeed},
                           {"e", "", {}, succeed},          {"e", "", {}, succeed},
                           {"f", "", {"a", "e"}, succeed}};
    record_plan(record, "diamond", diamond);
    record_plan(record, "broken", broken);
    record_plan(record, "empty", {});
    Step many[StartupPlan::steps_max + 1]{};
    record_plan(record, "too many", many);
}

void record_options(Recorder& record) {
    constexpr std::string_view lines[] = {
        "",
        "command='version; halt' json=on console=pipe nonce=abc",
        "command=version",
        "command='it\\'s \\\\ quoted'",
        "json=maybe",
        "console=loud",
        "colour=red",
        "command='unterminated",
        "image_base=0xffffffffa0000000",
        "bare",
        "command=\"say \\\"hello\\\"\" json=off"};
    Name name;
    for (usize i = 0; i < std::size(lines); ++i) {
        Options const options = Options::parse(lines[i]);
        char text[512];
        record.text(
            named(name, "options", i),
            format_to(
                std::span(text), "{} '{}' {} {} '{}' '{}'", options.has_command,
                options.command.view(), options.json, static_cast<u32>(options.console),
                options.nonce.view(), options.problem.view()));
    }
}

/// Runs a line of commands into memory and records what it printed.
void record_line(Recorder& record, Kernel& kernel, u64 number, std::string_view line) {
    char storage[512];
    TextBuffer printed{std::span(storage)};
    u8 const outcome = run_line(kernel, printed.output(), line, 9);
    Name name;
    record.number(named(name, "line: status", number), outcome);
    record.text(named(name, "line: output", number), printed.view());
}

void record_lines(Recorder& record, Kernel& kernel) {
    constexpr std::string_view lines[] = {
        "",
        "  ;; ",
        "nonsense",
        "help halt",
        "help 'no such'",
        "halt 64",
        "fault sideways",
        "memmap extra",
        "help \"unterminated",
        "# a comment",
        "help halt; nonsense 'a;b'"};
    for (usize i = 0; i < std::size(lines); ++i) {
        record_line(record, kernel, i, lines[i]);
    }
}

void record_faults(Recorder& record) {
    constexpr std::string_view kinds[] = {"read", "null", "write", "execute", "divide", "opcode"};
    Name name;
    for (usize i = 0; i < std::size(kinds); ++i) {
        auto const fault =
            twofold::boot::catch_fault([&] { twofold::boot::provoke_fault(kinds[i]).value(); });
        char text[96];
        record.truth(named(name, "fault: raised", i), fault.has_value());
        if (fault) {
            record.text(
                named(name, "fault: cause", i),
                format_to(
                    std::span(text), "kind {} present {} write {} execute {} user {}",
                    static_cast<u32>(fault->kind), fault->cause.present, fault->cause.write,
                    fault->cause.execute, fault->cause.user));
        }
    }
    record.truth("fault: none", !twofold::boot::catch_fault([] {}));
    record.result("fault: unknown kind", twofold::boot::provoke_fault("sideways"));
}

} // namespace

void boot(Recorder& record, Kernel& kernel) {
    record_plans(record);
    record_options(record);
    record_lines(record, kernel);
    record_faults(record);
}

} // namespace twofold::scenarios
