// See registry.hpp.
#include "apps/shell/kernel/registry.hpp"

namespace twofold::shell {

namespace {

constexpr boot::Column command_columns[] = {
    {"group", 10}, {"command", 11}, {"arguments", 24}, {"summary", 0}};
constexpr boot::Column argument_columns[] = {{"command", 11}, {"argument", 10}, {"kind", 8},
                                             {"count", 8},    {"choices", 24},  {"meaning", 0}};
constexpr boot::Column example_columns[] = {{"command", 11}, {"example", 36}, {"shows", 0}};

/// Calls visit(CommandTable const&, Command const&) for each command that is asked for.
template<class Visit>
void for_each_asked(boot::CommandContext& context, Visit const& visit) {
    for (auto const& table : context.kernel.parts.commands) {
        for (boot::Command const& command : table) {
            if (context.arguments.empty() || context.arguments[0] == command.name) {
                visit(table, command);
            }
        }
    }
}

} // namespace

u8 show_registry(boot::CommandContext& context) {
    bool const is_known = context.arguments.empty() ||
                          boot::find_command(context.kernel.parts, context.arguments[0]) != nullptr;
    if (!is_known) {
        context.out.line("commands: there is no command '{}'", context.arguments[0]);
        return boot::status::failure;
    }
    context.out.table(command_columns);
    for_each_asked(context, [&](boot::CommandTable const& table, boot::Command const& command) {
        context.out.row(
            {table.group, command.name, boot::usage_of(command).view(), command.summary});
    });
    context.out.table(argument_columns);
    for_each_asked(context, [&](boot::CommandTable const&, boot::Command const& command) {
        for (boot::Argument const& argument : command.known_arguments()) {
            context.out.row(
                {command.name, argument.name, boot::kind_name(argument.kind),
                 boot::count_name(argument.count), argument.choices, argument.help});
        }
    });
    context.out.table(example_columns);
    for_each_asked(context, [&](boot::CommandTable const&, boot::Command const& command) {
        for (boot::Example const& example : command.known_examples()) {
            context.out.row({command.name, example.line, example.tells});
        }
    });
    return boot::status::success;
}

} // namespace twofold::shell
