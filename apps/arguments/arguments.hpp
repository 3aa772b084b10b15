// The command line of every program of the host. What is understood and how it is refused is
// CLI11's; this is the one place that reads its headers, which cost more than a whole program of
// ours.
//
// A program adds its options, each with a function that takes the text, and parses. A mistake is
// one line on stderr that names the option and what is wrong with it, and the status 64.
#pragma once

#include <charconv>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace twofold {

class Arguments {
public:
    /// Takes the value of an option. Returns why it is refused; empty if it was stored.
    using Take = std::function<std::string(std::string const& text)>;

    enum class Occurrence : unsigned char {
        optional, ///< at most once
        required, ///< exactly once
        repeated, ///< any number of times, taken one by one
        bare,     ///< at most once, and its value may be left out: then it takes ""
        several,  ///< by place: once at least, and all that follows is taken one by one
    };

    struct Option {
        std::string name;       ///< "--cpus"; a word without dashes is known by its place
        std::string value_name; ///< as the help shows it, e.g. "N"
        std::string help;
        Take take;
        Occurrence occurrence = Occurrence::optional;
        std::string default_text = {}; ///< as the help shows it
        std::string excludes = {};     ///< an option added before that must not be given with it
    };

    Arguments(std::string program, std::string purpose);
    Arguments(Arguments const&) = delete;
    Arguments& operator=(Arguments const&) = delete;
    ~Arguments();

    void add(Option option);
    /// An option without a value.
    void add_flag(std::string const& name, bool& given, std::string const& help);
    /// An option that does `action` and ends the program with status 0.
    void add_action(std::string const& name, std::function<void()> action, std::string const& help);
    /// `text` stands at the end of the help.
    void set_footer(std::string text);

    /// Parses. Returns the status to end with at once: 0 after --help or an action, 64 after the
    /// line about a mistake; nothing if the program should go on. What the functions refer to must
    /// be alive.
    std::optional<int> parse(int count, char const* const* arguments);

private:
    struct State;
    std::unique_ptr<State> m_state;
};

/// Takes a whole number from `least` to `most`.
template<class T>
Arguments::Take number_in(T& target, T least, T most) {
    return [&target, least, most](std::string const& text) {
        T value{};
        auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        bool const whole = error == std::errc{} && end == text.data() + text.size();
        if (!whole || value < least || value > most) {
            return "'" + text + "' is not a number from " + std::to_string(least) + " to " +
                   std::to_string(most);
        }
        target = value;
        return std::string();
    };
}

/// Takes one of the names; the refusal lists them in one line. `choices` must outlive the parse.
template<class T>
Arguments::Take one_of(std::map<std::string, T> const& choices, T& target) {
    return [&choices, &target](std::string const& text) {
        auto const found = choices.find(text);
        if (found != choices.end()) {
            target = found->second;
            return std::string();
        }
        std::string names;
        for (auto const& [name, value] : choices) {
            names += names.empty() ? name : ", " + name;
        }
        return "'" + text + "' is none of " + names;
    };
}

/// Appends the text: for `repeated` and `several`.
template<class List>
Arguments::Take append_to(List& list) {
    return [&list](std::string const& text) {
        list.emplace_back(text);
        return std::string();
    };
}

/// Stores the text as it is: in a string, a path, or an optional of these.
template<class T>
Arguments::Take store_in(T& target) {
    return [&target](std::string const& text) {
        target = text;
        return std::string();
    };
}

} // namespace twofold
