// See completions.hpp.
#include "apps/shell/kernel/completions.hpp"

#include "apps/shell/filters.hpp"
#include "apps/shell/kernel/commands.hpp"
#include "apps/shell/kernel/session.hpp"
#include "core/boot/thread_views.hpp"
#include "core/device/drivers.hpp"

#include <algorithm>

namespace twofold::shell {

namespace {

using boot::Argument;
using boot::ArgumentCount;
using boot::ArgumentKind;

enum class Filters : u8 { too, not_ };

Result<void> add_commands(boot::Kernel& kernel, Filters filters, Candidates& candidates) {
    for (auto const table : kernel.parts.commands) {
        if (filters == Filters::not_ &&
            table.commands.data() == filter_commands().commands.data()) {
            continue;
        }
        for (boot::Command const& command : table) {
            TRY(candidates.add(command.name, command.summary));
        }
    }
    return {};
}

/// What may stand behind a `|`.
Result<void> add_filters(std::string_view before, Candidates& candidates) {
    bool const is_behind_command = before.find('|') == std::string_view::npos;
    for (boot::Command const& command : filter_commands()) {
        if (command.name != table_filter || is_behind_command) {
            TRY(candidates.add(command.name, command.summary));
        }
    }
    return {};
}

/// The columns of what comes through the pipe, but for those that are named already.
Result<void>
add_columns(Session& session, CompletionRequest const& request, Candidates& candidates) {
    Letters names(session.allocator());
    TRY(session.with_seen_columns(
        [&](SeenColumns const& seen) { return columns_of(seen, request.before, names); }));
    return for_each_name(names, [&](std::string_view name) {
        bool const is_named =
            std::find(request.words.begin(), request.words.end(), name) != request.words.end();
        return is_named ? Result<void>() : candidates.add(name);
    });
}

Result<void> add_choices(std::string_view choices, Candidates& candidates) {
    Result<void> outcome;
    boot::any_choice(choices, [&](std::string_view choice) {
        outcome = candidates.add(choice);
        return !outcome;
    });
    return outcome;
}

/// The names of things that the image was built with.
template<class Thing>
Result<void> add_names(std::span<Thing const> things, Candidates& candidates) {
    for (Thing const& thing : things) {
        TRY(candidates.add(thing.name));
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

Result<void> add_argument(
    Session& session,
    Argument const& argument,
    CompletionRequest const& request,
    Candidates& candidates) {
    switch (argument.kind) {
    case ArgumentKind::choice:
        return add_choices(argument.choices, candidates);
    case ArgumentKind::command:
        return add_commands(session.kernel(), Filters::too, candidates);
    case ArgumentKind::thread:
        return add_threads(session.kernel(), candidates);
    case ArgumentKind::scenario:
        return add_names(session.kernel().parts.scenarios, candidates);
    case ArgumentKind::theme:
        return add_names(text::themes(), candidates);
    case ArgumentKind::layout:
        return add_names(device::layouts(), candidates);
    case ArgumentKind::variable:
        return add_variables(session, "", candidates);
    case ArgumentKind::column:
        return add_columns(session, request, candidates);
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
        return request.before.empty() ? add_commands(session.kernel(), Filters::not_, candidates)
                                      : add_filters(request.before, candidates);
    }
    boot::Command const* const command =
        boot::find_command(session.kernel().parts, request.words[0]);
    if (command == nullptr) {
        return {};
    }
    auto const arguments = command->known_arguments();
    usize const place = request.words.size() - 1;
    if (place < arguments.size()) {
        return add_argument(session, arguments[place], request, candidates);
    }
    bool const goes_on = !arguments.empty() && arguments.back().count == ArgumentCount::any;
    return goes_on ? add_argument(session, arguments.back(), request, candidates) : Result<void>();
}

} // namespace twofold::shell
