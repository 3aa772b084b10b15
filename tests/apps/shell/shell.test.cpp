// The pure half of the shell as it runs in a kernel: one session of each part in memory of the
// heap. tests/apps/shell holds the rest, for the host.
#include "apps/shell/filters.hpp"
#include "apps/shell/kernel/commands.hpp"
#include "apps/shell/line_editor.hpp"
#include "apps/shell/pager.hpp"
#include "apps/shell/script.hpp"
#include "apps/shell/variables.hpp"
#include "tests/core/memory/heap_support.hpp"
#include "tests/support/test.hpp"

namespace twofold::shell {
namespace {

using memory::testing::HeapUnderTest;
using memory::testing::TestHeap;

/// Knows one word.
class OneWord final : public Completer {
public:
    Result<void> complete(CompletionRequest const&, Candidates& candidates) override {
        return candidates.add("threads", "what runs");
    }
    bool needs_more(std::string_view line) override { return line.ends_with('|'); }
};

/// A terminal in memory of a heap.
struct Glass {
    Glass(TestHeap& heap, text::ScreenSize size)
        : memory(text::ScreenMemory<TestHeap>::create(heap, size, 0).value()) {}

    Output output() {
        return {&terminal, [](void* to, std::string_view bytes) {
                    static_cast<text::Terminal*>(to)->write(bytes);
                }};
    }
    bool shows(u32 row, std::string_view wanted) {
        char room[512];
        return memory.screen().text_of(memory.screen().row(row), room) == wanted;
    }

    text::ScreenMemory<TestHeap> memory;
    text::Terminal terminal{memory.screen(), {nullptr, [](void*, std::string_view) {}}};
};

TEST(Shell, EditsALine) {
    HeapUnderTest test;
    {
        AnyAllocator any(test.heap);
        Glass glass(test.heap, {24, 4});
        History history(any);
        OneWord completer;
        LineEditor editor(any, glass.output(), {24, 4}, history, completer);
        editor.begin("> ", ". ");
        Action last = Action::none;
        for (char const byte : std::string_view("show th\t-v \xE4\xB8\x80|\rx\x1B[D\x1B[D\x7F\r")) {
            last = editor.take(static_cast<u8>(byte));
            editor.refresh();
        }
        EXPECT_TRUE(last == Action::line);
        EXPECT_EQ(editor.line(), std::string_view("show threads -v \xE4\xB8\x80\nx"));
        EXPECT_TRUE(glass.shows(0, "> show threads -v \xE4\xB8\x80"));
        EXPECT_TRUE(glass.shows(1, ". x"));
        EXPECT_EQ(history.size(), 1u);
    }
    EXPECT_EQ(test.heap.statistics().reserved, Bytes{0});
}

TEST(Shell, ParsesAndExpands) {
    HeapUnderTest test;
    {
        AnyAllocator any(test.heap);
        Variables variables(any);
        EXPECT_TRUE(variables.set("size", "1M").has_value());
        Problem problem;
        Script script("# all\nheap | where size > \"$size\" &&\n echo $?\n");
        std::optional<Statement> const statement = script.next(any, problem).value();
        ASSERT_TRUE(statement.has_value());
        EXPECT_EQ(statement->line, 2u);
        ParsedLine const line = ParsedLine::parse(any, statement->text, problem).value();
        ASSERT_EQ(line.pipelines().size(), 2u);
        Command const& where = line.commands(line.pipelines()[0])[1];
        Letters text(any);
        EXPECT_TRUE(expand(line, line.words(where)[3], variables, 7, text).has_value());
        Command const& echo = line.commands(line.pipelines()[1])[0];
        EXPECT_TRUE(expand(line, line.words(echo)[1], variables, 7, text).has_value());
        EXPECT_EQ(text.view(), std::string_view("1M7"));
    }
    EXPECT_EQ(test.heap.statistics().reserved, Bytes{0});
}

TEST(Shell, FiltersTables) {
    HeapUnderTest test;
    {
        AnyAllocator any(test.heap);
        Table table(any);
        EXPECT_TRUE(table.add_column("name", Kind::text).has_value());
        EXPECT_TRUE(table.add_column("size", Kind::bytes).has_value());
        EXPECT_TRUE(table.add_row({"small", Bytes{512}}).has_value());
        EXPECT_TRUE(table.add_row({"large", Bytes{1536 << 10}}).has_value());
        EXPECT_TRUE(table.add_row({"other", Bytes{2048}}).has_value());
        Problem problem;
        std::string_view const where[] = {"where", "size", ">", "1K"};
        std::string_view const sort[] = {"sort", "size", "--reverse"};
        EXPECT_TRUE(apply_filter(table, where, problem).has_value());
        EXPECT_TRUE(apply_filter(table, sort, problem).has_value());
        char storage[200];
        TextBuffer text(storage);
        print_table(table, {}, text.output());
        EXPECT_EQ(
            text.view(), std::string_view("name      size\nlarge  1.5 MiB\nother  2.0 KiB\n"));
        text.clear();
        print_json(table, text.output());
        EXPECT_EQ(
            text.view(), std::string_view("[\n  {\"name\": \"large\", \"size\": 1572864},\n"
                                          "  {\"name\": \"other\", \"size\": 2048}\n]\n"));
    }
    EXPECT_EQ(test.heap.statistics().reserved, Bytes{0});
}

TEST(Shell, DeclaresFiltersAsTheyAre) {
    usize declared = 0;
    for (boot::Command const& command : filter_commands()) {
        bool is_known = command.name == "table" || command.name == "page"; // the pipeline's own
        for (Filter const& filter : filters()) {
            if (filter.name == command.name) {
                EXPECT_EQ(boot::usage_of(command).view(), filter.arguments);
                is_known = true;
            }
        }
        EXPECT_TRUE(is_known);
        ++declared;
    }
    EXPECT_EQ(declared, filters().size() + 2);
}

TEST(Shell, PagesText) {
    HeapUnderTest test;
    {
        AnyAllocator any(test.heap);
        Glass glass(test.heap, {12, 3});
        Pager pager(any, glass.output(), {12, 3});
        EXPECT_TRUE(pager.add("one\ntwo\nthree\nfour\nfive\n").has_value());
        EXPECT_FALSE(pager.fits());
        pager.begin();
        for (char const byte : std::string_view("j/our\r")) {
            EXPECT_TRUE(pager.take(static_cast<u8>(byte)) == Pager::Action::none);
        }
        pager.refresh();
        EXPECT_TRUE(glass.shows(0, "four"));
        EXPECT_TRUE(glass.shows(1, "five"));
        EXPECT_TRUE(pager.take('q') == Pager::Action::quit);
    }
    EXPECT_EQ(test.heap.statistics().reserved, Bytes{0});
}

} // namespace
} // namespace twofold::shell
