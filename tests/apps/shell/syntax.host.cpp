// Lines and what they parse to, shown as text in one fixed form; what is wrong with others; words
// with variables; scripts; names that were meant.
#include "apps/shell/script.hpp"
#include "apps/shell/suggest.hpp"
#include "apps/shell/variables.hpp"
#include "tests/apps/shell/console.hpp"

#include <gtest/gtest.h>

#include <random>

namespace {

using namespace twofold;
using namespace twofold::shell;
using namespace twofold::shell::testing;

/// A word as <letters> and $<name>.
std::string show(ParsedLine const& line, Word const& word) {
    std::string shown = word.name > 0 ? std::string(line.name(word)) + "=" : "";
    for (Part const& part : line.parts(word)) {
        shown += (part.is_variable ? "$<" : "<") + std::string(line.text(part)) + ">";
    }
    return line.parts(word).empty() ? shown + "<>" : shown;
}

std::string show(ParsedLine const& line) {
    std::string shown;
    for (Pipeline const& pipeline : line.pipelines()) {
        constexpr char const* conditions[] = {"", "and ", "or "};
        shown += shown.empty() ? "" : "\n";
        shown += conditions[static_cast<usize>(pipeline.condition)];
        for (Command const& command : line.commands(pipeline)) {
            shown += "[";
            for (Word const& word : line.assignments(command)) {
                shown += show(line, word) + " ";
            }
            for (Word const& word : line.words(command)) {
                shown += show(line, word) + " ";
            }
            shown.back() = ']';
        }
        shown += pipeline.background ? "&" : "";
    }
    return shown;
}

struct Line {
    char const* text;
    char const* shown;
};

Line const lines[] = {
    {"", ""},
    {"  # nothing", ""},
    {"ps", "[<ps>]"},
    {" ps\t-v\r", "[<ps> <-v>]"},
    {"a;b ; c", "[<a>]\n[<b>]\n[<c>]"},
    {"a;", "[<a>]"},
    {"a\n\nb\n", "[<a>]\n[<b>]"},
    {"a && b || c", "[<a>]\nand [<b>]\nor [<c>]"},
    {"a&&b||c;d", "[<a>]\nand [<b>]\nor [<c>]\n[<d>]"},
    {"a | b|c", "[<a>][<b>][<c>]"},
    {"a |\n b", "[<a>][<b>]"},
    {"a && # why\n\n b", "[<a>]\nand [<b>]"},
    {"a & b", "[<a>]&\n[<b>]"},
    {"a | b &", "[<a>][<b>]&"},
    {"a; b && c || d & e && f", "[<a>]\n[<b>]&\nand [<c>]&\nor [<d>]&\n[<e>]\nand [<f>]"},
    {"a 'b c' \"d e\" f\\ g", "[<a> <b c> <d e> <f g>]"},
    {"a'b'\"c\"d", "[<abcd>]"},
    {"'' \"\" x''", "[<> <> <x>]"},
    {"'a\\b$c\"' \"a'\\\"\\\\\\$\\n\"", "[<a\\b$c\"> <a'\"\\$\\n>]"},
    {"\\a\\'\\\"\\\\\\ \\;", "[<a'\"\\ ;>]"},
    {"a\\\nb c \\\n d", "[<ab> <c> <d>]"},
    {"\"a\\\nb\nc\"", "[<ab\nc>]"},
    {"a#b #c", "[<a#b>]"},
    {"$a $_b1-x ${c}d \"$e f\" '$g' $?x", "[$<a> $<_b1><-x> $<c><d> $<e>< f> <$g> $<?><x>]"},
    {"$ a$ $1 $$ \"$\" ${?}", "[<$> <a$> <$1> <$$> <$> $<?>]"},
    {"a=1", "[a=<1>]"},
    {"a=1 _b2='x y' c= ps d=3", "[a=<1> _b2=<x y> c=<> <ps> <d=3>]"},
    {"a=$b'c'", "[a=$<b><c>]"},
    {"1a=2", "[<1a=2>]"},
    {"'a'=2 a\\=2", "[<a=2> <a=2>]"},
    {"where size > 1M <= x", "[<where> <size> <>> <1M> <<=> <x>]"},
    {"\u00E9\u4E00 (x) {y} *", "[<\u00E9\u4E00> <(x)> <{y}> <*>]"},
};

TEST(Syntax, LinesParse) {
    for (Line const& line : lines) {
        SCOPED_TRACE(line.text);
        Memory memory;
        Problem problem;
        Result<ParsedLine> const parsed = ParsedLine::parse(memory.any, line.text, problem);
        ASSERT_TRUE(parsed.has_value()) << problem.text.view();
        EXPECT_EQ(show(parsed.value()), line.shown);
    }
}

/// What is printed parses to the same; null where a line does not parse.
void expect_round_trip(AnyAllocator& any, std::string_view text) {
    Problem problem;
    Result<ParsedLine> const first = ParsedLine::parse(any, text, problem);
    if (!first) {
        return;
    }
    Letters printed(any);
    first.value().print(printed).value();
    Result<ParsedLine> const second = ParsedLine::parse(any, printed, problem);
    ASSERT_TRUE(second.has_value()) << text << " was printed as " << printed.view();
    EXPECT_TRUE(first.value() == second.value()) << text << " was printed as " << printed.view();
    EXPECT_EQ(show(first.value()), show(second.value()));
}

TEST(Syntax, PrintedLinesParseToTheSame) {
    Memory memory;
    for (Line const& line : lines) {
        expect_round_trip(memory.any, line.text);
    }
    constexpr char const* pieces[] = {"a",  "b=",     "=",  "$",  "{",    "}", "?", "'",
                                      "\"", "\\",     " ",  "\n", ";",    "|", "&", "#",
                                      "x1", "\u4E00", "&&", "||", "${c}", "$d"};
    std::mt19937 random(7);
    usize parsed = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        for (u32 count = static_cast<u32>(random() % 12); count > 0; --count) {
            text += pieces[random() % std::size(pieces)];
        }
        expect_round_trip(memory.any, text);
        Problem problem;
        parsed += ParsedLine::parse(memory.any, text, problem).has_value() ? 1 : 0;
    }
    EXPECT_GT(parsed, 2000u) << "the pieces make lines that parse";
}

struct Wrong {
    std::string text;
    Error error;
    u32 column;
    char const* said;
};

TEST(Syntax, ProblemsNameTheirPlace) {
    std::string many = "a";
    for (usize i = 0; i < commands_max; ++i) {
        many += ";a";
    }
    std::string words;
    for (usize i = 0; i <= words_max; ++i) {
        words += "a ";
    }
    Wrong const wrongs[] = {
        {"a 'b", Error::truncated, 3, "the quote ' is not closed"},
        {"\u4E00 \"b", Error::truncated, 3, "the quote \" is not closed"},
        {"a \\", Error::truncated, 4, "the line ends where the character behind '\\' is expected"},
        {"a |", Error::truncated, 4, "the line ends where the command behind '|' is expected"},
        {"a | # c", Error::truncated, 8, "the line ends where the command behind '|' is expected"},
        {"a &&", Error::truncated, 5, "the line ends where another command is expected"},
        {"a || ", Error::truncated, 6, "the line ends where another command is expected"},
        {"| a", Error::invalid_argument, 1, "a command is missing before '|'"},
        {"a | | b", Error::invalid_argument, 5, "a command is missing before '|'"},
        {"a ;; b", Error::invalid_argument, 4, "a command is missing before ';'"},
        {"a;\nb & && c", Error::invalid_argument, 5, "a command is missing before '&&'"},
        {"a ${", Error::invalid_argument, 3, "'${' needs a variable's name and a '}' behind it"},
        {"a ${b", Error::invalid_argument, 3, "'${' needs a variable's name and a '}' behind it"},
        {"a ${1}", Error::invalid_argument, 3, "'${' needs a variable's name and a '}' behind it"},
        {"$" + std::string(65, 'a'), Error::invalid_argument, 1,
         "a variable's name is longer than 64 bytes"},
        {std::string(65, 'a') + "=", Error::invalid_argument, 1,
         "a variable's name is longer than 64 bytes"},
        {many, Error::no_space, 2 * commands_max + 1, "more than 256 commands"},
        {words, Error::no_space, 2 * words_max + 1, "more than 4096 words"},
        {std::string(text_bytes_max + 1, 'a'), Error::no_space, 1,
         "the line is longer than 65536 bytes"},
    };
    for (Wrong const& wrong : wrongs) {
        SCOPED_TRACE(wrong.text.substr(0, 60));
        Memory memory;
        Problem problem;
        Result<ParsedLine> const parsed = ParsedLine::parse(memory.any, wrong.text, problem);
        ASSERT_FALSE(parsed.has_value());
        EXPECT_EQ(parsed.error(), wrong.error);
        EXPECT_EQ(problem.text.view(), wrong.said);
        EXPECT_EQ(problem.column, wrong.column);
        EXPECT_EQ(is_incomplete(memory.any, wrong.text), wrong.error == Error::truncated);
    }
}

TEST(Syntax, LivesWithoutMemory) {
    constexpr std::string_view text = "a=1 b 'c' | d $e && f; g";
    for (i64 allowed = 0;; ++allowed) {
        Memory memory;
        memory.allocator.limit(allowed);
        Problem problem;
        Result<ParsedLine> const parsed = ParsedLine::parse(memory.any, text, problem);
        if (parsed) {
            EXPECT_GE(allowed, 5);
            break;
        }
        EXPECT_EQ(parsed.error(), Error::out_of_memory);
        ASSERT_LT(allowed, 100);
    }
}

TEST(Variables, AreSetAndUnset) {
    Memory memory;
    Variables variables(memory.any);
    variables.set("b", "2").value();
    variables.set("a", "1").value();
    variables.set("c_3", "").value();
    variables.set("b", "two").value();
    ASSERT_EQ(variables.size(), 3u);
    EXPECT_EQ(variables[0].name, "a");
    EXPECT_EQ(variables[1].value, "two");
    EXPECT_EQ(variables.get("c_3"), "");
    EXPECT_EQ(variables.get("d"), std::nullopt);
    variables.unset("a").value();
    EXPECT_EQ(variables.unset("a").error(), Error::not_found);
    EXPECT_EQ(variables[0].name, "b");
    EXPECT_EQ(variables.get("a"), std::nullopt);
    for (char const* const name : {"", "1a", "a-b", "\u4E00", "?"}) {
        EXPECT_EQ(variables.set(name, "x").error(), Error::invalid_argument) << name;
    }
    std::string const long_value(Variables::value_bytes_max + 1, 'x');
    EXPECT_EQ(variables.set("b", long_value).error(), Error::no_space);
    EXPECT_EQ(variables.get("b"), "two");
    for (usize i = variables.size(); i < Variables::count_max; ++i) {
        variables.set("n" + std::to_string(i), "").value();
    }
    EXPECT_EQ(variables.set("m", "").error(), Error::no_space);
    memory.allocator.limit(0);
    EXPECT_EQ(variables.set("b", "a longer value than before").error(), Error::out_of_memory);
    EXPECT_EQ(variables.get("b"), "two");
}

TEST(Variables, WordsExpand) {
    Memory memory;
    Variables variables(memory.any);
    variables.set("a", "x y").value();
    Problem problem;
    ParsedLine const line =
        ParsedLine::parse(memory.any, "v=$a! '$a' $a-${a} \"<$none>\" $? $none", problem).value();
    Command const& command = line.commands(line.pipelines()[0])[0];
    auto const expanded = [&](Word const& word) {
        Letters text(memory.any);
        expand(line, word, variables, 200, text).value();
        return std::string(text.view());
    };
    EXPECT_EQ(expanded(line.assignments(command)[0]), "x y!");
    std::vector<std::string> words;
    for (Word const& word : line.words(command)) {
        words.push_back(expanded(word));
    }
    EXPECT_EQ(words, (std::vector<std::string>{"$a", "x y-x y", "<>", "200", ""}));
    variables.set("a", std::string(40'000, 'x')).value();
    Letters text(memory.any);
    EXPECT_EQ(expand(line, line.words(command)[1], variables, 0, text).error(), Error::no_space);
}

TEST(Script, JoinsRowsAndCountsThem) {
    Memory memory;
    Script script("# first\n\na 1\nb \\\n  2 |\n c\r\n'x\ny'\n# last");
    std::vector<std::pair<u32, std::string>> found;
    Problem problem;
    for (;;) {
        std::optional<Statement> const statement = script.next(memory.any, problem).value();
        if (!statement) {
            break;
        }
        found.emplace_back(statement->line, statement->text);
    }
    EXPECT_EQ(
        found, (std::vector<std::pair<u32, std::string>>{
                   {3, "a 1"}, {4, "b \\\n  2 |\n c\r"}, {7, "'x\ny'"}}));
}

TEST(Script, ProblemsNameTheirLine) {
    struct {
        std::string text;
        Error error;
        char const* said;
    } const wrongs[] = {
        {"a\n\nb 'c\nd", Error::truncated, "line 3: the quote ' is not closed"},
        {"a |\nb | |\nc", Error::invalid_argument, "line 2: a command is missing before '|'"},
        {"a |\n" + std::string(Script::rows_max + 10, '\n'), Error::truncated,
         "line 1: the line ends where the command behind '|' is expected"},
    };
    for (auto const& wrong : wrongs) {
        Memory memory;
        Script script(wrong.text);
        Problem problem;
        Result<std::optional<Statement>> found = script.next(memory.any, problem);
        while (found && found.value()) {
            found = script.next(memory.any, problem);
        }
        ASSERT_FALSE(found.has_value()) << wrong.said;
        EXPECT_EQ(found.error(), wrong.error);
        EXPECT_EQ(problem.text.view(), wrong.said);
        EXPECT_FALSE(script.next(memory.any, problem).value().has_value()) << "it is at its end";
    }
}

/// The distance by its definition: the least over the last edit.
u32 plain_distance(std::string const& a, std::string const& b) {
    if (a.empty() || b.empty()) {
        return static_cast<u32>(a.size() + b.size());
    }
    auto const cut = [](std::string const& text, usize by) { return text.substr(by); };
    u32 best = plain_distance(cut(a, 1), cut(b, 1)) + (a[0] == b[0] ? 0 : 1);
    best = std::min(best, plain_distance(cut(a, 1), b) + 1);
    best = std::min(best, plain_distance(a, cut(b, 1)) + 1);
    if (a.size() > 1 && b.size() > 1 && a[0] == b[1] && a[1] == b[0]) {
        best = std::min(best, plain_distance(cut(a, 2), cut(b, 2)) + 1);
    }
    return best;
}

TEST(Suggest, DistanceIsThatOfTheDefinition) {
    std::mt19937 random(3);
    for (int round = 0; round < 2000; ++round) {
        std::string a;
        std::string b;
        for (u32 i = static_cast<u32>(random() % 6); i > 0; --i) {
            a += static_cast<char>('a' + random() % 3);
        }
        for (u32 i = static_cast<u32>(random() % 6); i > 0; --i) {
            b += static_cast<char>('a' + random() % 3);
        }
        u32 const distance = plain_distance(a, b);
        EXPECT_EQ(edit_distance(a, b, 6), distance) << a << " " << b;
        if (distance > 0) {
            EXPECT_EQ(edit_distance(a, b, distance - 1), std::nullopt);
        }
    }
    EXPECT_EQ(edit_distance(std::string(65, 'a'), std::string(65, 'a'), 9), std::nullopt);
}

TEST(Suggest, NearestNameOfThoseThatAreNear) {
    auto const best = [](std::string_view wanted) {
        Suggestion suggestion(wanted);
        for (std::string_view const name : {"ps", "threads", "memory", "help", "heap"}) {
            suggestion.offer(name);
        }
        return suggestion.best();
    };
    EXPECT_EQ(best("pss"), "ps");
    EXPECT_EQ(best("sp"), "ps");
    EXPECT_EQ(best("thraeds"), "threads");
    EXPECT_EQ(best("memroyy"), "memory");
    EXPECT_EQ(best("helo"), "help");
    EXPECT_EQ(best("xyz"), "");
    EXPECT_EQ(best("qq"), "");
}

} // namespace
