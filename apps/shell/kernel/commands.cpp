// See commands.hpp.
#include "apps/shell/kernel/commands.hpp"

#include "apps/shell/kernel/registry.hpp"
#include "apps/shell/kernel/screen_commands.hpp"
#include "apps/shell/kernel/session.hpp"
#include "apps/shell/kernel/top.hpp"
#include "apps/shell/quantity.hpp"
#include "hal/clock.hpp"
#include "hal/memory.hpp"

namespace twofold::shell {

namespace {

namespace status = boot::status;
using boot::Argument;
using boot::ArgumentCount;
using boot::ArgumentKind;
using boot::CommandContext;

constexpr boot::Column variable_columns[] = {{"name", 16}, {"value", 0}};
constexpr boot::Column history_columns[] = {{"number", 6}, {"line", 0}};
constexpr boot::Column job_columns[] = {{"job", 4}, {"state", 8}, {"line", 0}};

/// The session that asks; null after a word: a line of the machine's own has none.
Session* session_of(CommandContext& context, std::string_view name) {
    if (context.session == nullptr) {
        context.out.line("{}: only within a session", name);
    }
    return context.session;
}

/// The words as they may be typed again. Errors: those of allocate.
Result<void> join_quoted(std::span<std::string_view const> words, Letters& to) {
    if (words.size() == 1) {
        return to.append(words[0]); // a line in quotes
    }
    for (std::string_view const word : words) {
        TRY(to.append(to.empty() ? "" : " "));
        TRY(append_quoted(word, 0, to));
    }
    return {};
}

u8 echo(CommandContext& context) {
    Letters text(context.session->allocator());
    for (std::string_view const word : context.arguments) {
        auto const outcome = text.append(text.empty() ? "" : " ");
        if (!outcome || !text.append(word)) {
            context.out.line("echo: there is no memory for the text");
            return status::failure;
        }
    }
    context.out.line(text.view());
    return status::success;
}

/// Texts that were copied where printing would need another lock while one is held.
class Copied {
public:
    explicit Copied(AnyAllocator& allocator) : m_letters(allocator) {}

    /// No text holds a zero. Errors: those of allocate.
    Result<void> add(std::string_view text) {
        TRY(m_letters.append(text));
        return m_letters.append({"\0", 1});
    }
    /// The oldest that was not taken yet; there is one.
    std::string_view take() {
        std::string_view const rest = m_letters.view().substr(m_taken);
        std::string_view const text = rest.substr(0, rest.find('\0'));
        m_taken += text.size() + 1;
        return text;
    }
    bool empty() const { return m_taken == m_letters.size(); }

private:
    Letters m_letters;
    usize m_taken = 0;
};

u8 say_no_memory(CommandContext& context) {
    context.out.line("there is no memory to copy what is to be shown");
    return status::failure;
}

u8 list_variables(CommandContext& context) {
    Copied copied(context.session->allocator());
    auto const outcome = context.session->with_variables([&](Variables& variables) -> Result<void> {
        for (usize i = 0; i < variables.size(); ++i) {
            TRY(copied.add(variables[i].name));
            TRY(copied.add(variables[i].value));
        }
        return {};
    });
    if (!outcome) {
        return say_no_memory(context);
    }
    context.out.table(variable_columns);
    while (!copied.empty()) {
        std::string_view const name = copied.take();
        context.out.row({name, copied.take()});
    }
    return status::success;
}

u8 unset(CommandContext& context) {
    Result<void> const outcome = context.session->with_variables(
        [&](Variables& variables) { return variables.unset(context.arguments[0]); });
    if (!outcome) {
        context.out.line("unset: there is no variable '{}'", context.arguments[0]);
        return status::failure;
    }
    return status::success;
}

u8 list_history(CommandContext& context) {
    Copied copied(context.session->allocator());
    auto const outcome = context.session->with_history([&](History const& history) -> Result<void> {
        for (usize age = history.size(); age-- > 0;) {
            TRY(copied.add(history.line(age)));
        }
        return {};
    });
    if (!outcome) {
        return say_no_memory(context);
    }
    context.out.table(history_columns);
    for (u64 number = 1; !copied.empty(); ++number) {
        context.out.row({number, copied.take()});
    }
    return status::success;
}

u8 list_jobs(CommandContext& context) {
    struct Shown {
        u32 number;
        bool has_ended;
    };
    AnyAllocator& allocator = context.session->allocator();
    Copied copied(allocator);
    memory::Vector<Shown, AnyAllocator> all(allocator);
    Result<void> outcome;
    context.session->jobs().for_each([&](Job const& job) {
        outcome = outcome ? copied.add(job.text()) : outcome;
        outcome = outcome ? all.push({job.number(), job.has_ended()}) : outcome;
    });
    if (!outcome) {
        return say_no_memory(context);
    }
    context.out.table(job_columns);
    for (Shown const& job : all.items()) {
        context.out.row({job.number, job.has_ended ? "ended" : "runs", copied.take()});
    }
    return status::success;
}

/// The job of a number; nothing after a word why not.
std::optional<u32> job_number(CommandContext& context, std::string_view command) {
    std::string_view word = context.arguments[0];
    word.remove_prefix(word.starts_with('%') ? 1 : 0);
    auto const number = parse_unsigned(word);
    if (!number || number.value() > ~u32{0}) {
        context.out.line("{}: '{}' is no job; `jobs` lists them", command, context.arguments[0]);
        return std::nullopt;
    }
    return static_cast<u32>(number.value());
}

u8 wait_for_job(CommandContext& context) {
    auto const number = job_number(context, "wait");
    if (!number) {
        return status::usage;
    }
    auto const outcome = context.session->jobs().wait(*number);
    if (!outcome) {
        context.out.line(
            "wait: {} {}; `jobs` lists them",
            outcome.error() == Error::busy ? "somebody waits already for job" : "there is no job",
            *number);
        return status::failure;
    }
    return outcome.value().value_or(status::success); // sent to the background once more
}

u8 kill_job(CommandContext& context) {
    auto const number = job_number(context, "kill");
    if (!number) {
        return status::usage;
    }
    if (!context.session->jobs().ask_to_end(*number)) {
        context.out.line("kill: there is no job {}; `jobs` lists them", *number);
        return status::failure;
    }
    return status::success;
}

u8 time_line(CommandContext& context) {
    Letters line(context.session->allocator());
    if (!join_quoted(context.arguments, line)) {
        context.out.line("time: there is no memory for the line");
        return status::failure;
    }
    auto const ran = [&] { return context.kernel.threads->counts(task::Threads::current()).ran; };
    Nanos const began = hal::Clock::now();
    Nanos const ran_before = ran();
    u8 const outcome = context.session->run_text(line.view());
    Nanos const lasted = hal::Clock::now() - began;
    char real[quantity_bytes_max], used[quantity_bytes_max];
    context.out.line(
        "{} real, {} of processor time",
        format_quantity(Kind::duration, static_cast<u64>(lasted.value), real),
        format_quantity(Kind::duration, static_cast<u64>((ran() - ran_before).value), used));
    return outcome;
}

/// How long, from a word like 500ms; a number alone means seconds. Nothing after a word why not.
std::optional<Nanos> read_duration(CommandContext& context, std::string_view word) {
    constexpr u64 most_ns = 86'400'000'000'000; // a day
    auto const seconds = parse_unsigned(word);
    auto const ns = seconds && seconds.value() <= most_ns / 1'000'000'000
                        ? Result<u64>(seconds.value() * 1'000'000'000)
                        : parse_quantity(Kind::duration, word);
    if (seconds ? seconds.value() > 86'400 : !ns || ns.value() > most_ns) {
        context.out.line("'{}' is no time of up to a day, like 2, 500ms or 10us", word);
        return std::nullopt;
    }
    return Nanos{static_cast<i64>(ns.value())};
}

/// Sleeps, but no longer than the command is wanted.
void sleep_while_wanted(CommandContext& context, Nanos end) {
    constexpr Nanos step{20'000'000};
    for (Nanos now = hal::Clock::now(); now < end && !context.is_interrupted();
         now = hal::Clock::now()) {
        context.kernel.threads->sleep_until(std::min(end, now + step));
    }
}

u8 sleep_command(CommandContext& context) {
    auto const duration = read_duration(context, context.arguments[0]);
    if (!duration) {
        return status::usage;
    }
    sleep_while_wanted(context, hal::Clock::now() + *duration);
    return context.is_interrupted() ? status::failure : status::success;
}

/// A line again and again, each time on a screen of its own.
u8 watch(CommandContext& context) {
    Session& session = *context.session;
    auto const period = read_duration(context, context.arguments[0]);
    if (!period) {
        return status::usage;
    }
    Letters line(session.allocator());
    if (!join_quoted(context.arguments.subspan(1), line) || line.empty()) {
        context.out.line("watch: say what to run; as in: watch 1 'ps | head 5'");
        return status::usage;
    }
    std::optional<FullScreen> screen;
    if (session.is_interactive()) {
        screen.emplace(session);
    }
    u8 outcome = status::success;
    while (!context.is_interrupted() && !session.has_exited()) {
        Nanos const began = hal::Clock::now();
        if (session.is_interactive()) {
            session.write("\x1B[H\x1B[2J");
        }
        outcome = session.run_text(line.view());
        if (!session.is_interactive()) {
            sleep_while_wanted(context, began + *period);
            continue;
        }
        auto const key = session.read_key(began + *period);
        if (key && *key == 'q') {
            break;
        }
    }
    return outcome;
}

u8 exit_session(CommandContext& context) {
    u64 outcome = context.previous;
    if (!context.arguments.empty()) {
        outcome = parse_unsigned(context.arguments[0]).value(); // it was checked
    }
    if (outcome > status::command_max) {
        context.out.line("exit: the status is a number from 0 to {}", status::command_max);
        return status::usage;
    }
    context.session->exit(static_cast<u8>(outcome));
    return static_cast<u8>(outcome);
}

u8 clear_screen(CommandContext& context) {
    context.session->write("\x1B[H\x1B[2J\x1B[3J");
    return status::success;
}

/// Runs a module that the machine was given as a script.
u8 source(CommandContext& context) {
    for (hal::Module const& module : context.kernel.boot_info.modules) {
        if (context.arguments.empty() || module.name == context.arguments[0]) {
            auto const bytes = std::span(hal::Memory::linear(module.base), module.size.value);
            return context.session->run_text(text_of_bytes(bytes));
        }
    }
    context.out.line("source: the machine was given no such module");
    return status::failure;
}

/// Each command of a session, which no other line may run.
template<u8 (*run)(CommandContext&)>
u8 in_session(CommandContext& context) {
    return session_of(context, "this command") != nullptr ? run(context) : status::failure;
}

constexpr Argument job_argument = {"JOB", "its number, as `jobs` lists it"};

constexpr boot::Command shell_table[] = {
    {"echo",
     "prints its words",
     in_session<echo>,
     {{"WORD", "what to print", ArgumentKind::text, ArgumentCount::any}},
     {{"name=world; echo hello $name", "words with a variable's value"}}},
    {"vars", "lists the variables", in_session<list_variables>, {}, {{"a=1; vars", "all of them"}}},
    {"unset",
     "forgets a variable",
     in_session<unset>,
     {{"NAME", "which one", ArgumentKind::variable}},
     {{"a=1; unset a; echo $a", "it is empty from then on"}}},
    {"history",
     "lists the lines that were entered",
     in_session<list_history>,
     {},
     {{"history | tail 5", "the last five"}}},
    {"jobs",
     "lists what runs beside the prompt",
     in_session<list_jobs>,
     {},
     {{"sleep 5 & jobs", "one in the background"}}},
    {"wait",
     "waits for a job, in the foreground",
     in_session<wait_for_job>,
     {job_argument},
     {{"sleep 1 & wait 1", "until it has ended; ctrl-C ends it, ctrl-Z lets it go on"}}},
    {"kill",
     "asks a job to end",
     in_session<kill_job>,
     {job_argument},
     {{"sleep 60 & kill 1", "it ends as by ctrl-C"}}},
    {"time",
     "runs a line and tells how long it took",
     in_session<time_line>,
     {{"WORD", "of the line", ArgumentKind::text, ArgumentCount::any}},
     {{"time scenario heap", "real time, and the processor's"},
      {"time 'ps | head 1'", "a line with signs of its own, in quotes"}}},
    {"sleep",
     "lets time go by",
     in_session<sleep_command>,
     {{"TIME", "seconds, or with a unit: 500ms"}},
     {{"sleep 0.5s", "half a second"}}},
    {"watch",
     "runs a line again and again, until q or ctrl-C",
     in_session<watch>,
     {{"TIME", "how often: seconds, or with a unit"},
      {"WORD", "of the line", ArgumentKind::text, ArgumentCount::any}},
     {{"watch 1 'ps | sort switches --reverse | head 5'", "who is busiest, each second"}}},
    {"top",
     "shows what processors, memory, interrupts and threads do",
     run_top,
     {},
     {{"top", "live, until q"}, {"top | head 5", "one look, as a table"}}},
    {"exit",
     "ends the session",
     in_session<exit_session>,
     {{"STATUS", "0 to 63; the last one if none is named", ArgumentKind::number,
       ArgumentCount::optional}},
     {{"exit 3", "a script ends with status 3"}}},
    {"clear", "clears the screen and its history", in_session<clear_screen>},
    {"theme",
     "lists the screen's themes, or chooses one",
     use_theme,
     {{"NAME", "the one to use from now on", ArgumentKind::theme, ArgumentCount::optional}},
     {{"theme light", "dark text on a light ground"}}},
    {"layout",
     "lists the keyboard's layouts, or chooses one",
     use_layout,
     {{"NAME", "the one to use from now on", ArgumentKind::layout, ArgumentCount::optional}},
     {{"layout de", "keys are where they are in Germany"}}},
    {"commands",
     "tells all that commands declare",
     show_registry,
     {{"COMMAND", "one of them; all if none is named", ArgumentKind::command,
       ArgumentCount::optional}},
     {{"commands | where group = filters", "what may stand behind a |"},
      {"commands | table 2 | where argument = ID", "the second table: arguments"},
      {"commands sort --json", "for programs: what one of them is called with, and examples"}}},
    {"source",
     "runs a module of the machine as a script",
     in_session<source>,
     {{"NAME", "of the module; the first if none is named", ArgumentKind::text,
       ArgumentCount::optional}},
     {{"source", "the file that was given with --module"}}},
};

u8 filter_alone(CommandContext& context) {
    context.out.line("it takes what another command prints; as in: ps | sort cpu | head 5");
    return status::usage;
}

constexpr Argument column_argument = {"COLUMN", "which one", ArgumentKind::column};

constexpr boot::Command filter_table[] = {
    {"count", "counts the rows of a table", filter_alone, {}, {{"ps | count", "how many threads"}}},
    {"head",
     "keeps the first rows",
     filter_alone,
     {{"ROWS", "how many; 10 if nothing is said", ArgumentKind::number, ArgumentCount::optional}},
     {{"ps | head 3", "three threads"}}},
    {"lines",
     "makes one column of lines of a table",
     filter_alone,
     {},
     {{"ps | lines", "each row a text"}}},
    {"page",
     "shows a screen at a time",
     filter_alone,
     {},
     {{"help | page", "space goes on, q ends"}}},
    {"reverse",
     "turns the order of the rows around",
     filter_alone,
     {},
     {{"ps | reverse", "the last thread first"}}},
    {"select",
     "keeps some columns, in this order",
     filter_alone,
     {column_argument, {"COLUMN", "more of them", ArgumentKind::column, ArgumentCount::any}},
     {{"ps | select name state", "two columns"}}},
    {"sort",
     "orders the rows by a column",
     filter_alone,
     {column_argument,
      {"--reverse", "the greatest first", ArgumentKind::choice, ArgumentCount::optional,
       "--reverse"}},
     {{"ps | sort switches --reverse", "who switches most"}}},
    {"sum",
     "adds up a column",
     filter_alone,
     {column_argument},
     {{"ps | sum switches", "all of them"}}},
    {"table",
     "takes another than the first table of a command",
     filter_alone,
     {{"N", "which one, from 1", ArgumentKind::number}},
     {{"mem | table 2", "the zones of memory"}}},
    {"tail",
     "keeps the last rows",
     filter_alone,
     {{"ROWS", "how many; 10 if nothing is said", ArgumentKind::number, ArgumentCount::optional}},
     {{"log | tail 5", "the newest messages"}}},
    {"unique",
     "keeps the first of rows that are equal in a column",
     filter_alone,
     {column_argument},
     {{"ps | unique class", "one thread of each class"}}},
    {"where",
     "keeps rows by a column's value",
     filter_alone,
     {column_argument,
      {"OPERATOR", "how to compare; ~ is 'contains'", ArgumentKind::choice, ArgumentCount::one,
       "= != < <= > >= ~"},
      {"VALUE", "a number, a size like 1M, a time like 10us, or text"}},
     {{"ps | where state = running", "those that run"},
      {"log | where message ~ processor", "what is said of them"}}},
};

} // namespace

boot::CommandTable shell_commands() {
    return {"shell", shell_table};
}

boot::CommandTable filter_commands() {
    return {"filters", filter_table};
}

} // namespace twofold::shell
