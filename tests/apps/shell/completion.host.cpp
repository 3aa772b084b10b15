// The word under a cursor with the pipeline before it, and which columns a pipeline is known to
// hand on.
#include "apps/shell/filters.hpp"
#include "apps/shell/seen_columns.hpp"
#include "tests/apps/shell/console.hpp"

#include <gtest/gtest.h>

namespace {

using namespace twofold;
using namespace twofold::shell;
using namespace twofold::shell::testing;

TEST(CursorWord, KnowsThePipelineBeforeIt) {
    struct {
        char const* line;
        char const* before;
        std::vector<std::string> words;
        char const* word;
    } const lines[] = {
        {"", "", {}, ""},
        {"ps so", "", {"ps"}, "so"},
        {"ps | so", "ps ", {}, "so"},
        {"ps|sort st", "ps", {"sort"}, "st"},
        {"ps | head 3 | ", "ps | head 3 ", {}, ""},
        {"a; ps | x", " ps ", {}, "x"},
        {"a && ps | x", " ps ", {}, "x"},
        {"ps || so", "", {}, "so"},
        {"a | b || c | d", " c ", {}, "d"},
        {"ps & so", "", {}, "so"},
        {"ps |\n\n so", "ps ", {}, "so"},
        {"ps | sort\nso", "", {}, "so"},
        {"echo 'a | b' so", "", {"echo", "a | b"}, "so"},
        {"echo a\\| so", "", {"echo", "a|"}, "so"},
        {"echo '|' | so", "echo '|' ", {}, "so"},
    };
    for (auto const& each : lines) {
        SCOPED_TRACE(each.line);
        Memory memory;
        CursorWord word(memory.any);
        ASSERT_TRUE(word.read(each.line).has_value());
        CompletionRequest const request = word.request();
        EXPECT_EQ(request.before, each.before);
        EXPECT_EQ(std::vector<std::string>(request.words.begin(), request.words.end()), each.words);
        EXPECT_EQ(request.word, each.word);
    }
}

Result<void> note(
    SeenColumns& seen,
    std::string_view command,
    u32 table,
    std::vector<std::string_view> const& names) {
    return seen.note(command, table, names);
}

TEST(SeenColumns, RemembersTheLastOfEachTable) {
    Memory memory;
    SeenColumns seen(memory.any);
    EXPECT_EQ(seen.find("ps", 1), "");
    EXPECT_TRUE(note(seen, "ps", 1, {"id", "name"}).has_value());
    EXPECT_TRUE(note(seen, "mem", 2, {"zone"}).has_value());
    EXPECT_EQ(seen.find("ps", 1), "id\nname\n");
    EXPECT_EQ(seen.find("mem", 1), "");
    EXPECT_EQ(seen.find("mem", 2), "zone\n");
    EXPECT_TRUE(note(seen, "ps", 1, {"other"}).has_value());
    EXPECT_EQ(seen.find("ps", 1), "other\n");
    EXPECT_EQ(seen.size(), 2u);
}

TEST(SeenColumns, KeepsItsBounds) {
    Memory memory;
    SeenColumns seen(memory.any);
    EXPECT_EQ(note(seen, "ps", SeenColumns::number_max + 1, {"a"}).error(), Error::no_space);
    EXPECT_EQ(note(seen, "ps", 1, {"a\nb"}).error(), Error::invalid_argument);
    std::string const large(SeenColumns::bytes_max, 'x');
    EXPECT_EQ(note(seen, "ps", 1, {large}).error(), Error::no_space);
    EXPECT_TRUE(note(seen, "ps", 1, {std::string_view(large).substr(1)}).has_value());
    for (usize i = 0; i < SeenColumns::tables_max; ++i) {
        EXPECT_TRUE(note(seen, "command" + std::to_string(i), 1, {"a"}).has_value());
    }
    EXPECT_EQ(seen.size(), SeenColumns::tables_max);
    EXPECT_EQ(seen.find("ps", 1), ""); // the oldest has made room
    EXPECT_EQ(seen.find("command0", 1), "a\n");
    memory.allocator.limit(0);
    EXPECT_EQ(note(seen, "command0", 1, {"b"}).error(), Error::out_of_memory);
    EXPECT_EQ(seen.find("command0", 1), "a\n");
}

TEST(SeenColumns, FiltersChangeThem) {
    Memory memory;
    SeenColumns seen(memory.any);
    ASSERT_TRUE(note(seen, "ps", 1, {"id", "name", "cpu time"}).has_value());
    ASSERT_TRUE(note(seen, "ps", 2, {"class"}).has_value());
    struct {
        char const* pipeline;
        char const* names;
    } const known[] = {
        {"ps", "id\nname\ncpu time\n"},
        {" ps --all | sort id --reverse | head 3 ", "id\nname\ncpu time\n"},
        {"ps | where name = x | tail | unique id | reverse | page", "id\nname\ncpu time\n"},
        {"ps | table 2", "class\n"},
        {"ps | table 2 | reverse", "class\n"},
        {"ps | table 9", ""},
        {"ps | table x", ""},
        {"ps | table", ""},
        {"ps | select name 'cpu time'", "name\ncpu time\n"},
        {"never seen | select a b", "a\nb\n"},
        {"ps | select $a b", ""},
        {"ps | count", "count\n"},
        {"ps | sum id", "id\n"},
        {"ps | lines | reverse", "line\n"},
        {"ps | nothing", ""},
        {"other", ""},
        {"$a", ""},
        {"a=1", ""},
        {"", ""},
        {"ps '", ""},
        {"ps; ps", ""},
    };
    for (auto const& each : known) {
        SCOPED_TRACE(each.pipeline);
        Letters names(memory.any);
        ASSERT_TRUE(columns_of(seen, each.pipeline, names).has_value());
        EXPECT_EQ(names.view(), each.names);
    }
    Letters names(memory.any);
    memory.allocator.limit(0);
    EXPECT_EQ(columns_of(seen, "ps", names).error(), Error::out_of_memory);
}

/// Every filter is one of those that are told apart.
TEST(SeenColumns, KnowsEveryFilter) {
    Memory memory;
    SeenColumns seen(memory.any);
    ASSERT_TRUE(note(seen, "ps", 1, {"id"}).has_value());
    for (Filter const& filter : filters()) {
        Letters names(memory.any);
        std::string const line = "ps | " + std::string(filter.name) + " id";
        ASSERT_TRUE(columns_of(seen, line, names).has_value());
        EXPECT_FALSE(names.empty()) << filter.name;
    }
}

} // namespace
