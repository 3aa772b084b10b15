// Arguments on CLI11. See arguments.hpp.
#include "apps/arguments/arguments.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>

namespace twofold {

namespace {

constexpr int usage_status = 64;

} // namespace

struct Arguments::State {
    CLI::App app;
};

Arguments::Arguments(std::string program, std::string purpose)
    : m_state(new State{CLI::App(std::move(purpose), std::move(program))}) {}

Arguments::~Arguments() = default;

void Arguments::add(Option option) {
    auto const take = [name = option.name,
                       take = std::move(option.take)](CLI::results_t const& texts) {
        for (std::string const& text : texts) {
            // CLI11 writes an empty pair of braces for a value that was left out.
            if (std::string const reason = take(text == "{}" ? std::string() : text);
                !reason.empty()) {
                throw CLI::ValidationError(name, reason);
            }
        }
        return true;
    };
    CLI::Option* const added = m_state->app.add_option(option.name, take, option.help);
    added->type_name(option.value_name)->type_size(1);
    switch (option.occurrence) {
    case Occurrence::optional:
        added->expected(1);
        break;
    case Occurrence::required:
        added->expected(1)->required();
        break;
    case Occurrence::repeated:
        added->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
        break;
    case Occurrence::bare:
        added->expected(0, 1);
        break;
    case Occurrence::several:
        added->required()->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args();
        break;
    }
    if (!option.default_text.empty()) {
        added->default_str(option.default_text);
    }
    if (!option.excludes.empty()) {
        added->excludes(m_state->app.get_option(option.excludes));
    }
}

void Arguments::add_flag(std::string const& name, bool& given, std::string const& help) {
    m_state->app.add_flag(name, given, help);
}

void Arguments::add_action(
    std::string const& name, std::function<void()> action, std::string const& help) {
    m_state->app.add_flag_callback(
        name,
        [action = std::move(action)] {
            action();
            throw CLI::Success();
        },
        help);
}

void Arguments::set_footer(std::string text) {
    m_state->app.footer(std::move(text));
}

std::optional<int> Arguments::parse(int count, char const* const* arguments) {
    CLI::App& app = m_state->app;
    try {
        app.parse(count, arguments);
        return std::nullopt;
    } catch (CLI::Success const& request) {
        return app.exit(request);
    } catch (CLI::ParseError const& error) {
        std::string line = error.what();
        std::replace(line.begin(), line.end(), '\n', ' ');
        std::fprintf(stderr, "%s: %s (see --help)\n", app.get_name().c_str(), line.c_str());
        return usage_status;
    }
}

} // namespace twofold
