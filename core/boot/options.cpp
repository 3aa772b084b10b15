// The parser of the kernel command line; see options.hpp.
#include "core/boot/options.hpp"

namespace twofold::boot {

namespace {

/// Keys that the machine reads, or who looks for a device that it names.
bool belongs_elsewhere(std::string_view key) {
    return key == "image_base" || key == "virtio_mmio.device";
}

void complain(Options& options, std::string_view key, std::string_view what) {
    if (options.problem.view().empty()) {
        char text[decltype(Options::problem)::capacity()];
        std::string_view const problem =
            format_to(std::span(text), "kernel command line: '{}': {}", key, what);
        options.problem.append(problem).value();
    }
}

void apply(Options& options, std::string_view key, std::string_view value) {
    if (key == "command") {
        options.command.clear();
        options.has_command = options.command.append(value).has_value();
        if (!options.has_command) {
            complain(options, key, "the commands are too long");
        }
    } else if (key == "console" && (value == "pipe" || value == "interactive")) {
        options.console = value == "pipe" ? ConsoleMode::pipe : ConsoleMode::interactive;
    } else if (key == "json" && (value == "on" || value == "off")) {
        options.json = value == "on";
    } else if (key == "cpus") {
        auto const count = parse_unsigned(value);
        if (count && count.value() >= 1 && count.value() <= UINT32_MAX) {
            options.cpus = static_cast<u32>(count.value());
        } else {
            complain(options, key, "a number of processors, 1 at least");
        }
    } else if (key == "shell" && (value == "on" || value == "off")) {
        options.has_shell = value == "on";
    } else if (key == "display" && (value == "on" || value == "off")) {
        options.display = value == "on" ? DisplayUse::on : DisplayUse::off;
    } else if (key == "layout" || key == "theme") {
        FixedString<32>& name = key == "layout" ? options.layout : options.theme;
        name.clear();
        if (!name.append(value)) {
            complain(options, key, "longer than 32 bytes");
        }
    } else if (key == "nonce") {
        options.nonce.clear();
        if (!options.nonce.append(value)) {
            complain(options, key, "longer than 64 bytes");
        }
    } else if (key == "console" || key == "json" || key == "display" || key == "shell") {
        complain(options, key, "not one of the values it takes");
    } else if (!belongs_elsewhere(key)) {
        complain(options, key, "unknown option");
    }
}

} // namespace

Options Options::parse(std::string_view command_line) {
    Options options;
    char scratch[command_line_max];
    Tokenizer words(command_line, std::span(scratch), "");
    while (true) {
        Result<Token> const token = words.next();
        if (!token) {
            bool const unfinished = token.error() == Error::truncated;
            complain(options, "", unfinished ? "a quote is not closed" : "longer than 4096 bytes");
            break;
        }
        if (token.value().kind == Token::Kind::end) {
            break;
        }
        std::string_view const word = token.value().text;
        usize const equals = word.find('=');
        bool const bare = equals == std::string_view::npos;
        std::string_view const key = bare ? word : slice(word, 0, equals);
        apply(options, key, bare ? "" : slice(word, equals + 1, word.size() - equals - 1));
    }
    CHECK(options.has_command || options.command.empty());
    return options;
}

} // namespace twofold::boot
