// See seen_columns.hpp.
#include "apps/shell/seen_columns.hpp"

#include "apps/shell/filters.hpp"

#include <optional>

namespace twofold::shell {

namespace {

/// What a word is without any variable's value.
std::optional<std::string_view> text_of_word(ParsedLine const& line, Word const& word) {
    std::span<Part const> const parts = line.parts(word);
    bool const is_plain = word.name == 0 && parts.size() == 1 && !parts[0].is_variable;
    return is_plain ? std::optional(line.text(parts[0])) : std::nullopt;
}

/// The words of one command of a pipeline.
class Stage {
public:
    Stage(ParsedLine const& line, Command const& command)
        : m_line(line), m_words(line.words(command)) {}

    usize size() const { return m_words.size(); }
    /// Empty: there is none, or a variable's value.
    std::string_view operator[](usize index) const {
        return index < size() ? text_of_word(m_line, m_words[index]).value_or("") : "";
    }

private:
    ParsedLine const& m_line;
    std::span<Word const> m_words;
};

Result<void> append_name(std::string_view name, Letters& names) {
    TRY(names.append(name));
    return names.append("\n");
}

/// What a filter makes of the columns.
Result<void> filter_names(Stage const& stage, Letters& names) {
    std::string_view const filter = stage[0];
    bool const keeps = filter == "where" || filter == "sort" || filter == "head" ||
                       filter == "tail" || filter == "unique" || filter == "reverse" ||
                       filter == "page";
    if (keeps) {
        return {};
    }
    names.clear();
    if (filter == "count") {
        return append_name("count", names);
    }
    if (filter == "lines") {
        return append_name(line_column, names);
    }
    if (filter != "select" && filter != "sum") {
        return {};
    }
    for (usize i = 1; i < stage.size(); ++i) {
        if (stage[i].empty()) {
            names.clear(); // a variable's value
            return {};
        }
        TRY(append_name(stage[i], names));
    }
    return {};
}

} // namespace

Result<void>
SeenColumns::note(std::string_view command, u32 table, std::span<std::string_view const> names) {
    Seen seen{Letters(*m_allocator), table, Letters(*m_allocator)};
    for (std::string_view const name : names) {
        if (name.find('\n') != std::string_view::npos) {
            return Error::invalid_argument;
        }
        if (table > number_max || seen.names.size() + name.size() + 1 > bytes_max) {
            return Error::no_space;
        }
        TRY(append_name(name, seen.names));
    }
    for (Seen& known : m_tables.items()) {
        if (known.table == table && known.command.view() == command) {
            std::swap(known.names, seen.names);
            return {};
        }
    }
    TRY(seen.command.assign(command));
    if (size() == tables_max) {
        std::span<Seen> const all = m_tables.items();
        std::move(all.begin() + 1, all.end(), all.begin());
        m_tables.pop();
    }
    return m_tables.push(std::move(seen));
}

std::string_view SeenColumns::find(std::string_view command, u32 table) const {
    for (Seen const& known : m_tables.items()) {
        if (known.table == table && known.command.view() == command) {
            return known.names.view();
        }
    }
    return {};
}

Result<void> columns_of(SeenColumns const& seen, std::string_view pipeline, Letters& names) {
    names.clear();
    Problem problem;
    auto const parsed = ParsedLine::parse(names.allocator(), pipeline, problem);
    if (!parsed || parsed.value().pipelines().size() != 1) {
        bool const lacks_memory = !parsed && parsed.error() == Error::out_of_memory;
        return lacks_memory ? Result<void>(parsed.error()) : Result<void>();
    }
    ParsedLine const& line = parsed.value();
    std::span<Command const> stages = line.commands(line.pipelines()[0]);
    Stage const command(line, stages[0]);
    stages = stages.subspan(1);
    u64 table = 1;
    if (!stages.empty() && Stage(line, stages[0])[0] == table_filter) {
        table = parse_unsigned(Stage(line, stages[0])[1]).value_or(0);
        stages = stages.subspan(1);
    }
    if (table != 0 && table <= SeenColumns::number_max) {
        TRY(names.append(seen.find(command[0], static_cast<u32>(table))));
    }
    for (Command const& stage : stages) {
        TRY(filter_names(Stage(line, stage), names));
    }
    return {};
}

} // namespace twofold::shell
