// Lines of commands: words, quotes, separators, statuses, JSON.
#include "core/boot/boot.hpp"
#include "tests/support/test.hpp"

#include <algorithm>

using namespace twofold;
namespace status = twofold::boot::status;

namespace {

struct Ran {
    char storage[2048];
    TextBuffer text{std::span(storage)};
    u8 outcome;

    explicit Ran(std::string_view line) {
        outcome = boot::run_line(boot::current_kernel(), text.output(), line, 42);
    }
    bool says(std::string_view part) const {
        return text.view().find(part) != std::string_view::npos;
    }
};

/// Pieces as they come, a bar behind each.
Output pieces_to(TextBuffer& text) {
    return {&text, [](void* self, std::string_view piece) {
                auto const out = static_cast<TextBuffer*>(self)->output();
                out.write(piece);
                out.write("|");
            }};
}

} // namespace

TEST(Command, NothingKeepsThePreviousStatus) {
    EXPECT_EQ(Ran("").outcome, 42);
    EXPECT_EQ(Ran("   ").outcome, 42);
    EXPECT_EQ(Ran(";; ;").outcome, 42);
    EXPECT_EQ(Ran("  # version").outcome, 42);
    EXPECT_TRUE(Ran("# version").text.view().empty());
}

TEST(Command, TheLastStatusCounts) {
    EXPECT_EQ(Ran("version").outcome, status::success);
    EXPECT_EQ(Ran("nonsense; version").outcome, status::success);
    EXPECT_EQ(Ran("version; nonsense").outcome, status::unknown_command);
}

TEST(Command, AnUnknownOneIsNamed) {
    EXPECT_TRUE(Ran("frobnicate").says("'frobnicate'"));
}

TEST(Command, OneThatIsLongerThanARecordIsReportedCut) {
    char line[boot::Options::command_max];
    std::fill(std::begin(line), std::end(line), 'x');
    for (usize const length :
         {usize{960}, usize{981}, trace::Record::payload_capacity, std::size(line)}) {
        EXPECT_EQ(Ran({line, length}).outcome, status::unknown_command);
    }
}

TEST(Command, TooManyArgumentsAreRefusedWithTheUsage) {
    Ran const ran("version now");
    EXPECT_EQ(ran.outcome, status::usage);
    EXPECT_TRUE(ran.says("version"));
}

TEST(Command, ArgumentsAreCheckedBeforeItRuns) {
    Ran const kind("fault sideways");
    EXPECT_EQ(kind.outcome, status::usage);
    EXPECT_TRUE(kind.says("'sideways' is no KIND"));
    Ran const number("halt soon");
    EXPECT_EQ(number.outcome, status::usage);
    EXPECT_TRUE(number.says("'soon' is no number"));
}

TEST(Command, HelpExplainsArgumentsAndShowsExamples) {
    Ran const help("help fault");
    EXPECT_EQ(help.outcome, status::success);
    EXPECT_TRUE(help.says("fault [KIND]: "));
    EXPECT_TRUE(help.says("read write execute"));
    EXPECT_TRUE(help.says("fault divide"));
}

TEST(Command, AMalformedLineRunsNothing) {
    Ran const ran("version; help 'open");
    EXPECT_EQ(ran.outcome, status::usage);
    EXPECT_FALSE(ran.says("Twofold"));
}

TEST(Command, HelpKnowsEveryCommand) {
    Ran const all("help");
    constexpr std::string_view names[] = {"help", "version", "memmap",  "cpu",   "log",   "acpi",
                                          "heap", "vm",      "startup", "panic", "fault", "halt"};
    for (std::string_view const name : names) {
        EXPECT_TRUE(all.says(name));
    }
    EXPECT_EQ(Ran("help version").outcome, status::success);
    EXPECT_EQ(Ran("help nonsense").outcome, status::failure);
}

TEST(Command, EachOfThePlainOnesSucceeds) {
    constexpr std::string_view names[] = {"version", "memmap", "cpu",  "log", "acpi",
                                          "mem",     "frames", "heap", "vm",  "startup"};
    for (std::string_view const name : names) {
        Ran const ran(name);
        EXPECT_EQ(ran.outcome, status::success);
        EXPECT_FALSE(ran.text.view().empty());
    }
}

TEST(Command, HaltRefusesAStatusThatIsNone) {
    EXPECT_EQ(Ran("halt 64").outcome, status::usage);
    EXPECT_EQ(Ran("halt soon").outcome, status::usage);
    EXPECT_EQ(Ran("fault sideways").outcome, status::usage);
}

TEST(CommandOutput, WritesJson) {
    char storage[512];
    TextBuffer text{std::span(storage)};
    Output const sink = text.output();
    constexpr boot::Column columns[] = {{"name", 6}, {"count", 4}, {"where", 0}};
    boot::Printer printer(sink, true);
    printer.begin("list \"all\"");
    boot::CommandOutput out(printer.items());
    out.table(columns);
    out.row({"a\\b", u64{7}, PhysAddr{0x1000}});
    out.row({"line\n", u64{0}, PhysAddr{0}});
    out.line("done");
    out.end(3);
    EXPECT_EQ(
        text.view(), std::string_view("{\"command\":\"list \\\"all\\\"\",\"output\":["
                                      "{\"name\":\"a\\\\b\",\"count\":7,\"where\":\"0x1000\"},"
                                      "{\"name\":\"line\\u000a\",\"count\":0,\"where\":\"0x0\"},"
                                      "{\"text\":\"done\"}],\"status\":3}\n"));
}

TEST(CommandOutput, AlignsTables) {
    char storage[512];
    TextBuffer text{std::span(storage)};
    Output const sink = text.output();
    constexpr boot::Column columns[] = {{"name", 6}, {"count", 5}, {"note", 0}};
    boot::Printer printer(sink, false);
    printer.begin("list");
    boot::CommandOutput out(printer.items());
    out.table(columns);
    out.row({"a", u64{7}, "x"});
    out.end(0);
    EXPECT_EQ(text.view(), std::string_view("name    count  note\na           7  x\n"));
}

TEST(CommandOutput, HandsOnWholeLines) {
    char storage[1024];
    TextBuffer text{std::span(storage)};
    constexpr boot::Column columns[] = {{"name", 6}, {"count", 5}};
    boot::Printer printer(pieces_to(text), false);
    boot::CommandOutput out(printer.items());
    out.table(columns);
    out.row({"a", u64{7}});
    out.line("{} and {}", 1, "two");
    EXPECT_EQ(text.view(), std::string_view("name    count\n|a           7\n|1 and two\n|"));
}

TEST(CommandOutput, HandsOnInPiecesWhatIsTooLong) {
    char storage[1024];
    TextBuffer text{std::span(storage)};
    boot::Printer printer(pieces_to(text), false);
    boot::CommandOutput out(printer.items());
    char letters[boot::WholeLines::whole_max + 1];
    std::ranges::fill(letters, 'a');
    std::string_view const whole(letters, boot::WholeLines::whole_max - 1);
    std::string_view const full(letters, boot::WholeLines::whole_max);
    std::string_view const longer(letters, sizeof(letters));
    for (std::string_view const line : {whole, full, longer}) {
        text.clear();
        out.line(line);
        std::string_view const came = text.view();
        EXPECT_TRUE(came.starts_with(line));
        EXPECT_EQ(came.substr(line.size()), std::string_view(line == whole ? "\n|" : "|\n|"));
    }
}
