// See screen_commands.hpp.
#include "apps/shell/kernel/screen_commands.hpp"

#include "apps/shell/kernel/machine_screen.hpp"
#include "apps/shell/suggest.hpp"
#include "core/boot/devices.hpp"

namespace twofold::shell {

namespace {

namespace status = boot::status;
using boot::CommandContext;

constexpr boot::Column theme_columns[] = {{"theme", 12}, {"used", 0}};
constexpr boot::Column layout_columns[] = {{"layout", 12}, {"used", 0}};

template<class Thing>
u8 list(
    CommandContext& context,
    std::span<boot::Column const> columns,
    std::span<Thing const> things,
    std::string_view used) {
    context.out.table(columns);
    for (Thing const& thing : things) {
        context.out.row({thing.name, thing.name == used ? "yes" : "no"});
    }
    return status::success;
}

/// The thing of that name; null after a word about which there are.
template<class Thing>
Thing const* find(
    CommandContext& context,
    std::string_view command,
    std::span<Thing const> things,
    std::string_view name) {
    Suggestion suggestion(name);
    char storage[200];
    TextBuffer names(storage);
    for (Thing const& thing : things) {
        if (thing.name == name) {
            return &thing;
        }
        suggestion.offer(thing.name);
        names.append(names.view().empty() ? "" : ", ");
        names.append(thing.name);
    }
    char near[100] = {};
    std::string_view const meant =
        suggestion.best().empty()
            ? std::string_view()
            : format_to(std::span(near), "; did you mean '{}'?", suggestion.best()).text;
    context.out.line(
        "{0}: there is no {0} '{1}'{2} (there are: {3})", command, name, meant, names.view());
    return nullptr;
}

} // namespace

u8 use_theme(CommandContext& context) {
    MachineScreen* const screen = context.kernel.screen;
    if (screen == nullptr) {
        context.out.line("theme: there is no screen");
        return status::failure;
    }
    if (context.arguments.empty()) {
        return list(context, theme_columns, text::themes(), screen->theme().name);
    }
    auto const* const theme = find(context, "theme", text::themes(), context.arguments[0]);
    if (theme == nullptr) {
        return status::usage;
    }
    screen->set_theme(*theme);
    return status::success;
}

u8 use_layout(CommandContext& context) {
    auto const keyboard = boot::keyboard_and_mouse(context.kernel);
    if (!keyboard) {
        context.out.line("layout: there is no keyboard: {}", keyboard.error());
        return status::failure;
    }
    device::Ps2& ps2 = *keyboard.value();
    if (context.arguments.empty()) {
        return list(context, layout_columns, device::layouts(), ps2.layout().name);
    }
    auto const* const layout = find(context, "layout", device::layouts(), context.arguments[0]);
    if (layout == nullptr) {
        return status::usage;
    }
    ps2.set_layout(*layout);
    return status::success;
}

} // namespace twofold::shell
