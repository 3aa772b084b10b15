// Running scenarios and sending what they record.
#include "core/boot/scenario.hpp"

#include "core/boot/kernel.hpp"

namespace twofold::boot {

void Recorder::text(std::string_view name, std::string_view bytes) {
    constexpr usize bytes_max = 900;
    CHECK(!name.empty() && bytes.size() <= bytes_max);
    m_kernel.event(trace::EventKind::scenario_value, m_count, bytes.size());
    trace::Record record(trace::RecordType::value);
    m_kernel.send(record.text(m_scenario).text(name).text(bytes));
    ++m_count;
}

void Recorder::number(std::string_view name, u64 value) {
    char digits[24];
    text(name, format_to(std::span(digits), "{}", value));
}

void Recorder::truth(std::string_view name, bool value) {
    text(name, value ? "true" : "false");
}

void Recorder::error(std::string_view name, Error value) {
    text(name, error_name(value));
}

namespace {

u8 list_scenarios(CommandContext& context) {
    for (Scenario const& scenario : context.kernel.parts.scenarios) {
        context.out.line(scenario.name);
    }
    return status::success;
}

u8 run_scenario(CommandContext& context) {
    for (Scenario const& scenario : context.kernel.parts.scenarios) {
        if (scenario.name == context.arguments[0]) {
            Recorder recorder(context.kernel, scenario.name);
            scenario.run(recorder, context.kernel);
            context.out.line("{}: {} values recorded", scenario.name, recorder.count());
            return status::success;
        }
    }
    context.out.line("scenario: there is none named '{}'", context.arguments[0]);
    return status::failure;
}

constexpr Command scenario_table[] = {
    {"scenarios", "lists the scenarios, one a line", list_scenarios},
    {"scenario",
     "runs a scenario and records its values",
     run_scenario,
     {{"NAME", "which one; 'scenarios' lists them", ArgumentKind::scenario}},
     {{"scenario heap", "what it records must be equal on every machine"}}},
};

} // namespace

CommandTable scenario_commands() {
    return {"scenarios", scenario_table};
}

} // namespace twofold::boot
