// See completions.hpp.
#include "apps/shell/kernel/completions.hpp"

#include "apps/shell/kernel/session.hpp"

namespace twofold::shell {

namespace {

using boot::Argument;
using boot::ArgumentCount;
using boot::ArgumentKind;

Result<void> add_commands(boot::Kernel& kernel, Candidates& candidates) {
    for (auto const table : kernel.parts.commands) {
        for (boot::Command const& command : table) {
            TRY(candidates.add(command.name, command.summary));
        }
    }
    return {};
}

Result<void> add_choices(std::string_view choices, Candidates& candidates) {
    while (!choices.empty()) {
        std::string_view const choice = choices.substr(0, choices.find(' '));
        TRY(candidates.add(choice));
        choices.remove_prefix(std::min(choice.size() + 1, choices.size()));
    }
    return {};
}

/// Threads are told apart by their names; a number alone says nothing.
Result<void> add_threads(boot::Kernel& kernel, Candidates& candidates) {
    if (kernel.threads == nullptr) {
        return {};
    }
    auto const views = TRY(boot::ThreadViewsBox::create(*kernel.heap));
    boot::look_at_threads(*kernel.threads, *views);
    for (boot::ThreadView const& view : *views) {
        char number[24];
        TRY(candidates.add(format_to(std::span(number), "{}", view.id).text, view.name.view()));
    }
    return {};
}

Result<void> add_variables(Session& session, std::string_view sigil, Candidates& candidates) {
    return session.with_variables([&](Variables& variables) -> Result<void> {
        for (usize i = 0; i < variables.size(); ++i) {
            FixedString<Variables::name_bytes_max + 2> name;
            TRY(name.append(sigil));
            TRY(name.append(variables[i].name));
            TRY(candidates.add(name.view(), variables[i].value));
        }
        return {};
    });
}

Result<void> add_argument(Session& session, Argument const& argument, Candidates& candidates) {
    switch (argument.kind) {
    case ArgumentKind::choice:
        return add_choices(argument.choices, candidates);
    case ArgumentKind::command:
        return add_commands(session.kernel(), candidates);
    case ArgumentKind::thread:
        return add_threads(session.kernel(), candidates);
    case ArgumentKind::scenario:
        for (boot::Scenario const& scenario : session.kernel().parts.scenarios) {
            TRY(candidates.add(scenario.name));
        }
        return {};
    case ArgumentKind::variable:
        return add_variables(session, "", candidates);
    case ArgumentKind::column: // which there are shows when the table is there
    case ArgumentKind::text:
    case ArgumentKind::number:
        return {};
    }
    UNREACHABLE();
}

} // namespace

Result<void>
complete_word(Session& session, CompletionRequest const& request, Candidates& candidates) {
    if (request.word.starts_with("$")) {
        return add_variables(session, "$", candidates);
    }
    if (request.words.empty()) {
        return add_commands(session.kernel(), candidates);
    }
    boot::Command const* const command =
        boot::find_command(session.kernel().parts, request.words[0]);
    if (command == nullptr) {
        return {};
    }
    auto const arguments = command->known_arguments();
    usize const place = request.words.size() - 1;
    if (place < arguments.size()) {
        return add_argument(session, arguments[place], candidates);
    }
    bool const goes_on = !arguments.empty() && arguments.back().count == ArgumentCount::any;
    return goes_on ? add_argument(session, arguments.back(), candidates) : Result<void>();
}

} // namespace twofold::shell
