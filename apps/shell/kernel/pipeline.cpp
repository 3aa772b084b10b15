// See pipeline.hpp.
#include "apps/shell/kernel/pipeline.hpp"

#include "apps/shell/filters.hpp"
#include "apps/shell/kernel/kept_items.hpp"
#include "apps/shell/kernel/pages.hpp"
#include "apps/shell/kernel/session.hpp"
#include "apps/shell/suggest.hpp"

namespace twofold::shell {

namespace {

namespace status = boot::status;

constexpr std::string_view json_word = "--json";

using Words = std::span<std::string_view const>;

/// The words of a command with their variables' values.
class ExpandedCommand {
public:
    explicit ExpandedCommand(AnyAllocator& allocator)
        : m_letters(allocator), m_ends(allocator), m_words(allocator) {}

    /// Sets what the command assigns, and expands the rest. Errors: those of expand and
    /// Variables::set.
    Result<void>
    expand(ParsedLine const& line, Command const& command, Variables& variables, u8 status) {
        for (Word const& assignment : line.assignments(command)) {
            m_letters.clear();
            TRY(shell::expand(line, assignment, variables, status, m_letters));
            TRY(variables.set(line.name(assignment), m_letters.view()));
        }
        m_letters.clear();
        for (Word const& word : line.words(command)) {
            TRY(shell::expand(line, word, variables, status, m_letters));
            TRY(m_ends.push(m_letters.size()));
        }
        usize begin = 0;
        for (usize const end : m_ends.items()) {
            TRY(m_words.push(slice(m_letters, begin, end - begin)));
            begin = end;
        }
        return {};
    }
    Words words() const { return m_words.items(); }

private:
    Letters m_letters;
    memory::Vector<usize, AnyAllocator> m_ends;
    memory::Vector<std::string_view, AnyAllocator> m_words;
};

/// Remembers the columns of the tables that pass by, for completion.
class NotedItems final : public boot::ItemSink {
public:
    NotedItems(Session& session, std::string_view command, boot::ItemSink& to)
        : m_session(session), m_command(command), m_to(to) {}

    void line(std::string_view text) override { m_to.line(text); }
    void table(std::span<boot::Column const> columns) override {
        FixedVector<std::string_view, boot::CommandOutput::columns_max> names;
        for (boot::Column const& column : columns) {
            names.push_back(column.name).value(); // of the same capacity
        }
        note(++m_tables, names.items());
        m_to.table(columns);
    }
    void row(std::span<boot::Cell const> cells) override { m_to.row(cells); }
    void end(u8 status) override { m_to.end(status); }

    /// The command has run: what has printed nothing but lines hands these on as a table.
    void finish(u8 outcome) {
        if (m_tables == 0 && outcome == status::success) {
            std::string_view const names[] = {line_column};
            note(1, names);
        }
    }

private:
    /// What cannot be remembered is not completed.
    void note(u32 table, std::span<std::string_view const> names) {
        static_cast<void>(m_session.with_seen_columns(
            [&](SeenColumns& seen) { return seen.note(m_command, table, names); }));
    }

    Session& m_session;
    std::string_view m_command;
    boot::ItemSink& m_to;
    u32 m_tables = 0;
};

/// `previous`: the status of what ran before it.
u8 run_noted(Session& session, boot::ItemSink& to, Words words, bool is_piped, u8 previous) {
    NotedItems noted(session, words[0], to);
    u8 const outcome =
        boot::run_command(session.kernel(), noted, words, &session, is_piped, previous);
    noted.finish(outcome);
    return outcome;
}

boot::CommandText text_of_stages(std::span<Words const> stages) {
    boot::CommandText text;
    for (Words const words : stages) {
        if (!text.append(text.empty() ? "" : " | ") || !text.append(boot::join(words).view())) {
            break; // what does not fit is left out of reports
        }
    }
    return text;
}

boot::Cell cell_of(Table const& table, usize row, usize column) {
    switch (table.kind(column)) {
    case Kind::text:
        return table.text(row, column);
    case Kind::address:
        return VirtAddr{table.number(row, column)};
    case Kind::percent:
        return boot::Cell::percent(table.number(row, column));
    case Kind::number:
    case Kind::bytes:
    case Kind::duration:
        return table.number(row, column);
    }
    UNREACHABLE();
}

void print_rows(Table const& table, boot::ItemSink& to) {
    FixedVector<boot::Column, Table::columns_max> columns;
    for (usize column = 0; column < table.columns(); ++column) {
        columns.push_back({table.name(column), 0}).value(); // as many as a table may have
    }
    to.table(columns.items());
    for (usize row = 0; row < table.rows(); ++row) {
        FixedVector<boot::Cell, Table::columns_max> cells;
        for (usize column = 0; column < table.columns(); ++column) {
            cells.push_back(cell_of(table, row, column)).value();
        }
        to.row(cells.items());
    }
}

bool is_filter(std::string_view name) {
    for (Filter const& filter : filters()) {
        if (filter.name == name) {
            return true;
        }
    }
    return name == table_filter || name == page_filter;
}

/// One run of a pipeline.
class PipelineRun {
public:
    PipelineRun(Session& session, ParsedLine const& line, u8 status)
        : m_session(session), m_line(line), m_status(status) {}

    u8 run(Pipeline const& pipeline) {
        memory::Vector<ExpandedCommand, AnyAllocator> commands(m_session.allocator());
        Result<void> const outcome = expand(pipeline, commands);
        if (!outcome) {
            return say_and_return(status::failure, "the line was not run: {}", outcome.error());
        }
        memory::Vector<Words, AnyAllocator> stages(m_session.allocator());
        for (ExpandedCommand const& command : commands.items()) {
            if (!command.words().empty() && !stages.push(command.words())) {
                return say_and_return(status::failure, "there is no memory for the line");
            }
        }
        if (stages.empty()) {
            return status::success; // assignments alone
        }
        return run_stages(stages.items());
    }

private:
    Result<void>
    expand(Pipeline const& pipeline, memory::Vector<ExpandedCommand, AnyAllocator>& commands) {
        return m_session.with_variables([&](Variables& variables) -> Result<void> {
            for (Command const& command : m_line.commands(pipeline)) {
                TRY(commands.push(ExpandedCommand(m_session.allocator())));
                TRY(commands[commands.size() - 1].expand(m_line, command, variables, m_status));
            }
            return {};
        });
    }

    template<class... Arguments>
    u8 say_and_return(
        u8 outcome,
        FormatString<std::type_identity_t<Arguments>...> format,
        Arguments const&... arguments) {
        char text[512];
        m_session.write(format_to(std::span(text), format, arguments...).text);
        m_session.write("\n");
        return outcome;
    }

    u8 run_stages(std::span<Words> stages) {
        Words& last = stages.back();
        bool is_json = m_session.kernel().options.json;
        if (last.size() > 1 && last.back() == json_word) {
            last = last.first(last.size() - 1);
            is_json = true;
        }
        Words const first = stages.front();
        if (is_filter(first[0])) {
            return say_and_return(
                status::usage, "{0}: there is nothing before it to take; as in: ps | {0} ...",
                first[0]);
        }
        if (boot::find_command(m_session.kernel().parts, first[0]) == nullptr) {
            return say_unknown(first[0]);
        }
        for (Words const stage : stages.subspan(1)) {
            if (!is_filter(stage[0])) {
                return say_not_a_filter(stage[0]);
            }
        }
        return stages.size() == 1 ? run_alone(first, is_json) : run_piped(stages, is_json);
    }

    u8 say_unknown(std::string_view name) {
        Suggestion suggestion(name);
        for (auto const table : m_session.kernel().parts.commands) {
            for (boot::Command const& command : table) {
                suggestion.offer(command.name);
            }
        }
        if (suggestion.best().empty()) {
            return say_and_return(
                status::unknown_command, "unknown command '{}'; 'help' lists the commands", name);
        }
        return say_and_return(
            status::unknown_command, "unknown command '{}'; did you mean '{}'?", name,
            suggestion.best());
    }

    u8 say_not_a_filter(std::string_view name) {
        Letters names(m_session.allocator());
        for (Filter const& filter : filters()) {
            static_cast<void>(names.append(filter.name)); // without memory fewer are named
            static_cast<void>(names.append(" "));
        }
        return say_and_return(
            status::usage, "'{}' takes no table; behind a | there may be: {}{} {}", name,
            names.view(), table_filter, page_filter);
    }

    u8 run_alone(Words words, bool is_json) {
        boot::Printer printer(m_session.output(), is_json);
        printer.begin(boot::join(words));
        u8 const outcome = run_noted(m_session, printer.items(), words, false, m_status);
        printer.items().end(outcome);
        return outcome;
    }

    u8 run_piped(std::span<Words> stages, bool is_json) {
        std::span<Words> filters = stages.subspan(1);
        u64 wanted = 1;
        if (filters.front()[0] == table_filter) {
            Words const words = filters.front();
            auto const number =
                words.size() == 2 ? parse_unsigned(words[1]) : Error::invalid_argument;
            if (!number || number.value() == 0 || number.value() > 1000) {
                return say_and_return(status::usage, "table: give the number of a table, from 1");
            }
            wanted = number.value();
            filters = filters.subspan(1);
        }
        KeptItems kept(m_session.allocator(), static_cast<u32>(wanted));
        u8 const outcome = run_noted(m_session, kept, stages.front(), true, m_status);
        if (outcome != status::success) {
            m_session.write(kept.lines()); // what is wrong is no row to be counted
            return outcome;
        }
        auto table = kept.take();
        if (!table) {
            return table.error() == Error::not_found
                       ? say_and_return(
                             status::failure, "{}: it has printed no table {}", stages[0][0],
                             wanted)
                       : say_and_return(
                             status::failure, "what '{}' has printed cannot be kept: {}",
                             stages[0][0], table.error());
        }
        bool is_paged = false;
        for (Words const words : filters) {
            if (words[0] == page_filter) {
                is_paged = true;
                continue;
            }
            Problem problem;
            if (auto const done = apply_filter(table.value(), words, problem); !done) {
                return problem.text.empty()
                           ? say_and_return(status::failure, "{}: {}", words[0], done.error())
                           : say_and_return(status::usage, "{}", problem.text.view());
            }
        }
        show(table.value(), stages, outcome, is_json, is_paged);
        return outcome;
    }

    void
    show(Table const& table, std::span<Words> stages, u8 outcome, bool is_json, bool is_paged) {
        ScreenText text(m_session);
        if (is_json) {
            boot::JsonPrinter printer(text.output());
            printer.begin(text_of_stages(stages).view());
            print_rows(table, printer);
            printer.end(outcome);
        } else {
            bool const cuts = m_session.is_interactive();
            print_table(
                table, {.screen_columns = cuts ? m_session.size().columns : 0}, text.output());
        }
        if (is_paged && m_session.is_interactive() && !is_json) {
            show_pages(m_session, text.view());
        } else {
            text.show();
        }
    }

    Session& m_session;
    ParsedLine const& m_line;
    u8 m_status;
};

bool is_due(Condition condition, u8 status) {
    switch (condition) {
    case Condition::always:
        return true;
    case Condition::success:
        return status == status::success;
    case Condition::failure:
        return status != status::success;
    }
    UNREACHABLE();
}

bool is_over(Session& session) {
    return session.has_exited() || task::Threads::current().is_to_end();
}

/// Behind the last of the pipelines that `&&` and `||` join to the one at `index`, the first.
u32 end_of_list(std::span<Pipeline const> pipelines, u32 index) {
    do {
        ++index;
    } while (index < pipelines.size() && pipelines[index].condition != Condition::always);
    return index;
}

/// Runs a list of pipelines as a job.
u8 start_list(Session& session, std::string_view text, u32 index) {
    auto const started = session.jobs().start(text, index);
    char said[96];
    session.write(
        started ? format_to(std::span(said), "[{}] in the background\n", started.value()).text
                : format_to(std::span(said), "not started: {}\n", started.error()).text);
    return started ? status::success : status::failure;
}

} // namespace

u8 run_statement(Session& session, std::string_view text, u8 status) {
    Problem problem;
    auto const parsed = ParsedLine::parse(session.allocator(), text, problem);
    if (!parsed) {
        session.write("there is no memory to read the line\n"); // it has been parsed before
        return status::failure;
    }
    auto const pipelines = parsed.value().pipelines();
    for (u32 index = 0; index < pipelines.size(); ++index) {
        if (is_over(session)) {
            break;
        }
        if (pipelines[index].background) {
            status = start_list(session, text, index);
            index = end_of_list(pipelines, index) - 1;
        } else if (is_due(pipelines[index].condition, status)) {
            status = PipelineRun(session, parsed.value(), status).run(pipelines[index]);
        }
    }
    return status;
}

u8 run_list(Session& session, std::string_view text, u32 index) {
    Problem problem;
    auto const parsed = ParsedLine::parse(session.allocator(), text, problem);
    if (!parsed) {
        session.write("there is no memory to read the line\n"); // it has been parsed before
        return status::failure;
    }
    auto const pipelines = parsed.value().pipelines();
    u32 const end = end_of_list(pipelines, index);
    u8 status = session.last_status();
    for (; index < end && !is_over(session); ++index) {
        if (is_due(pipelines[index].condition, status)) {
            status = PipelineRun(session, parsed.value(), status).run(pipelines[index]);
        }
    }
    return status;
}

} // namespace twofold::shell
