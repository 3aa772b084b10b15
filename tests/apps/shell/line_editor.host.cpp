// The editor key by key: a table of what is typed and of the line that comes of it; then what is
// seen and sent. Bytes are given one by one, and each is shown before the next.
#include "tests/apps/shell/console.hpp"

#include <gtest/gtest.h>

namespace {

using namespace twofold;
using namespace twofold::shell;
using namespace twofold::shell::testing;
using namespace std::string_literals;

struct Typed {
    char const* name;
    std::string bytes;
    std::string line;
    usize cursor;
};

std::string ctrl(char letter) {
    return {static_cast<char>(letter ^ '@')};
}

std::vector<Typed> const typed_lines = {
    {"text", "abc", "abc", 3},
    {"UTF-8", "\u00E9\u4E00", "\u00E9\u4E00", 5},
    {"broken UTF-8", "a\xE2\x82x\xFF", "a\uFFFDx\uFFFD", 8},
    {"C1 controls", "a\u0085b", "a\uFFFDb", 5},
    {"ctrl-A", "abc" + ctrl('A') + "x", "xabc", 1},
    {"ctrl-E", "abc" + ctrl('A') + ctrl('E') + "x", "abcx", 4},
    {"ctrl-B", "abc" + ctrl('B') + "x", "abxc", 3},
    {"ctrl-B at the start", ctrl('B') + "x", "x", 1},
    {"ctrl-F", "abc" + ctrl('A') + ctrl('F') + "x", "axbc", 2},
    {"ctrl-D", "abc" + ctrl('A') + ctrl('D'), "bc", 0},
    {"ctrl-D at the end", "abc" + ctrl('D'), "abc", 3},
    {"ctrl-H", "abc" + ctrl('H'), "ab", 2},
    {"delete", "abc\x7F\x7F", "a", 1},
    {"delete at the start", "\x7F", "", 0},
    {"delete a wide one", "a\u4E00\x7F", "a", 1},
    {"delete with its marks", "ae\u0301\u0302\x7F", "a", 1},
    {"left over marks", "ae\u0301" + ctrl('B') + "x", "axe\u0301", 2},
    {"ctrl-K", "abc" + ctrl('B') + ctrl('K'), "ab", 2},
    {"ctrl-U", "abc" + ctrl('B') + ctrl('U'), "c", 0},
    {"ctrl-W", "ab c/d  " + ctrl('W'), "ab ", 3},
    {"ctrl-W then ctrl-Y", "ab cd" + ctrl('W') + ctrl('A') + ctrl('Y'), "cdab ", 2},
    {"kills join", "ab cd" + ctrl('W') + ctrl('W') + ctrl('Y') + ctrl('Y'), "ab cdab cd", 10},
    {"kills join forward", "ab cd" + ctrl('A') + "\x1B"s + "d\x1B" + "d" + ctrl('Y'), "ab cd", 5},
    {"kills apart do not", "ab cd" + ctrl('W') + "x" + ctrl('W') + ctrl('Y'), "ab x", 4},
    {"ctrl-T in the line", "abc" + ctrl('B') + ctrl('T'), "acb", 3},
    {"ctrl-T at the end", "abc" + ctrl('T'), "acb", 3},
    {"ctrl-T at the start", "abc" + ctrl('A') + ctrl('T'), "abc", 0},
    {"ctrl-T with marks", "e\u0301x" + ctrl('T'), "xe\u0301", 4},
    {"alt-B", "ab cd.ef\x1B"s + "b\x1B" + "bx", "ab xcd.ef", 4},
    {"alt-F", "ab cd" + ctrl('A') + "\x1B"s + "fx", "abx cd", 3},
    {"alt-D", "ab cd" + ctrl('A') + "\x1B"s + "d", " cd", 0},
    {"alt-backspace", "ab c/d\x1B\x7F", "ab c/", 5},
    {"alt behind two escapes", "ab cd\x1B\x1B"s + "bx", "ab xcd", 4},
    {"alt-enter", "ab\x1B\rc", "ab\nc", 4},
    {"left and right", "abc\x1B[D\x1B[D\x1B[Cx", "abxc", 3},
    {"application keys", "abc\x1BOD\x1BODx", "axbc", 2},
    {"home and end", "abc\x1B[Hx\x1B[Fy", "xabcy", 5},
    {"home and end of the Linux console", "abc\x1B[1~x\x1B[4~y", "xabcy", 5},
    {"home and end of rxvt", "abc\x1B[7~x\x1B[8~y", "xabcy", 5},
    {"del", "abc\x1B[H\x1B[3~", "bc", 0},
    {"ctrl-del", "ab cd\x1B[H\x1B[3;5~", " cd", 0},
    {"ctrl-left", "ab cd\x1B[1;5Dx", "ab xcd", 4},
    {"ctrl-right", "ab cd\x1B[H\x1B[1;5Cx", "abx cd", 3},
    {"alt-left", "ab cd\x1B[1;3Dx", "ab xcd", 4},
    {"shift-left", "ab cd\x1B[1;2Dx", "ab cxd", 5},
    {"ctrl-left of rxvt", "ab cd\x1BOdx", "ab xcd", 4},
    {"unknown sequences", "a\x1B[99~\x1B[?1;2c\x1B[5;6;7Ab\x1B[[Ac\x1B[ q\x1BOQ", "abc", 3},
    {"a sequence broken off by a control", "ab\x1B[1" + ctrl('A') + "x", "xab", 1},
    {"keypad enter of a broken sequence", "ab\x1B[1;\x1B[Dx", "axb", 2},
    {"unknown controls", "a" + ctrl('Q') + ctrl('V') + ctrl('Z') + "b"s, "ab", 2},
    {"undo of a word", "ab cd" + ctrl('_'), "ab ", 3},
    {"undo of two", "ab cd" + ctrl('_') + ctrl('_'), "", 0},
    {"undo of a kill", "ab cd" + ctrl('U') + ctrl('_'), "ab cd", 5},
    {"undo of nothing", ctrl('_') + "a", "a", 1},
    {"paste", "a\x1B[200~b\tc\rd\r\ne\nf\x1B[201~g", "ab\tc\nd\ne\nfg", 11},
    {"paste with escapes", "\x1B[200~a\x1B[20x\x1B\x1B[201~b",
     "a\x1B[20x\x1B"
     "b",
     8},
    {"paste of broken UTF-8", "\x1B[200~a\xE2\x82\x1B[201~b",
     "a\uFFFD"
     "b",
     5},
    {"paste of controls", "\x1B[200~a\x03\x04\x1B[201~", "a\x03\x04", 3},
    {"rows: up and down", "ab\x1B\rcd\x1B[Ax\x1B[By", "abx\ncdy", 7},
    {"rows: home and end", "ab\x1B\rcd" + ctrl('A') + "x" + ctrl('E') + "y", "ab\nxcdy", 7},
    {"rows: ctrl-K joins", "ab\x1B\rcd\x1B[A" + ctrl('E') + ctrl('K'), "abcd", 2},
    {"a line that needs more", "a|\rb", "a|\nb", 4},
    {"enter needs more wherever the cursor is", "a|" + ctrl('A') + "\rb", "a|\nb", 4},
};

TEST(LineEditor, KeysMakeLines) {
    for (Typed const& typed : typed_lines) {
        SCOPED_TRACE(typed.name);
        Console console({40, 8});
        console.begin();
        EXPECT_EQ(console.type(typed.bytes), Action::none);
        EXPECT_EQ(console.editor.line(), typed.line);
        EXPECT_EQ(console.editor.cursor(), typed.cursor);
    }
}

TEST(LineEditor, Actions) {
    Console console({20, 8});
    console.begin();
    EXPECT_EQ(console.type("ab" + ctrl('B') + "\r"), Action::line);
    EXPECT_EQ(console.type("cd" + ctrl('C')), Action::interrupt);
    EXPECT_EQ(console.type(ctrl('D')), Action::end);
    EXPECT_EQ(console.type("\n"), Action::line);
    EXPECT_EQ(console.lines, (std::vector<std::string>{"ab", ""}));
    EXPECT_EQ(console.session.rows(), (std::vector<std::string>{"> ab", "> cd^C", ">", ">", ">"}));
    EXPECT_EQ(console.history.size(), 1u);
}

TEST(LineEditor, SendsNoMoreThanItMust) {
    Console console({20, 8});
    console.begin();
    console.type("a");
    EXPECT_EQ(console.take_sent(), "a");
    console.type("\u4E00");
    EXPECT_EQ(console.take_sent(), "\u4E00");
    console.type("\x1B[D");
    EXPECT_EQ(console.take_sent(), "\b\b");
    console.type("\x1B[C\x7F");
    EXPECT_EQ(console.take_sent(), "\x1B[2C\b\b\x1B[K");
    console.type("bcdefgh" + ctrl('A'));
    EXPECT_EQ(console.take_sent(), "bcdefgh\x1B[8D");
    console.type(ctrl('F') + ctrl('T')); // bacdefgh
    EXPECT_EQ(console.take_sent(), "\x1B[C\bba");
    console.editor.refresh();
    EXPECT_EQ(console.take_sent(), "");
}

TEST(LineEditor, HintIsTheLastLineOfHistory) {
    Console console({30, 8});
    console.remember({"show the memory", "show threads", "other"});
    console.begin();
    console.type("sh");
    EXPECT_EQ(console.session.row(0), "> show threads");
    EXPECT_EQ(console.session.screen.row(0)[3].attributes(), text::Attributes::none);
    EXPECT_EQ(console.session.screen.row(0)[4].attributes(), text::Attributes::faint);
    EXPECT_EQ(console.editor.line(), "sh");
    EXPECT_EQ(console.session.screen.cursor().column, 4u);
    console.take_sent();
    console.type("o");
    EXPECT_EQ(console.take_sent(), "o");
    console.type("\x1B[1;5C");
    EXPECT_EQ(console.editor.line(), "show");
    console.type("\x1B"s + "f");
    EXPECT_EQ(console.editor.line(), "show threads");
    console.type(ctrl('W') + "the");
    EXPECT_EQ(console.session.row(0), "> show the memory");
    console.type(ctrl('E'));
    EXPECT_EQ(console.editor.line(), "show the memory");
    console.type(ctrl('W') + "x\x1B[D\x1B[C"s);
    EXPECT_EQ(console.editor.line(), "show the x");
    console.type(ctrl('U') + "show" + ctrl('B'));
    EXPECT_EQ(console.session.row(0), "> show"); // the cursor is within the line
    console.type("\x1B[C\r");
    EXPECT_EQ(console.session.row(0), "> show"); // entered without the hint
    EXPECT_EQ(console.lines.back(), "show");
}

TEST(LineEditor, HistoryIsSearchedByWhatWasTyped) {
    Console console({30, 8});
    console.remember({"alpha 1", "beta", "alpha 2", "gamma", "alpha 2"});
    console.begin();
    console.type("al\x1B[A");
    EXPECT_EQ(console.editor.line(), "alpha 2");
    console.type("\x1B[A");
    EXPECT_EQ(console.editor.line(), "alpha 1") << "the same line again is passed over";
    console.type("\x1B[A");
    EXPECT_EQ(console.editor.line(), "alpha 1");
    EXPECT_EQ(console.session.terminal.bells(), 1u);
    console.type("\x1B[B" + ctrl('N'));
    EXPECT_EQ(console.editor.line(), "al");
    console.type(ctrl('U') + ctrl('P') + ctrl('P') + "x" + ctrl('P'));
    EXPECT_EQ(console.editor.line(), "gammax") << "an edit begins anew";
    console.type(ctrl('U') + ctrl('P') + "\x1B[A\x1B[A");
    EXPECT_EQ(console.editor.line(), "alpha 2");
}

TEST(LineEditor, ReverseSearch) {
    Console console({40, 8});
    console.remember({"make kernel", "run tests", "make tests"});
    console.begin();
    console.type("draft" + ctrl('R'));
    EXPECT_EQ(console.session.row(0), "(reverse-i-search)`': draft");
    console.type("te");
    EXPECT_EQ(console.session.row(0), "(reverse-i-search)`te': make tests");
    EXPECT_EQ(console.editor.cursor(), 5u);
    console.type(ctrl('R'));
    EXPECT_EQ(console.editor.line(), "run tests");
    console.type(ctrl('R'));
    EXPECT_EQ(console.session.row(0), "(failed reverse-i-search)`te': run tests");
    console.type(ctrl('S'));
    EXPECT_EQ(console.editor.line(), "make tests");
    console.type("\x7F\x7F"
                 "ker");
    EXPECT_EQ(console.editor.line(), "make kernel");
    console.type(ctrl('G'));
    EXPECT_EQ(console.editor.line(), "draft");
    EXPECT_EQ(console.session.row(0), "> draft");
    console.type(ctrl('R') + "run\x1B[D");
    EXPECT_EQ(console.editor.line(), "run tests");
    EXPECT_EQ(console.session.row(0), "> run tests");
    EXPECT_EQ(console.type(ctrl('R') + "ker\r"), Action::line);
    EXPECT_EQ(console.lines.back(), "make kernel");
}

TEST(LineEditor, CompletesWhatIsUnique) {
    Console console({30, 8});
    console.completer.known = {
        {"threads", "what runs"}, {"memory", ""}, {"memory map", ""}, {"folder/", ""}};
    console.begin();
    console.type("show -v th\t");
    EXPECT_EQ(console.editor.line(), "show -v threads ");
    EXPECT_EQ(console.completer.words, (std::vector<std::string>{"show", "-v"}));
    EXPECT_EQ(console.completer.word, "th");
    console.type("fo\t");
    EXPECT_EQ(console.editor.line(), "show -v threads folder/");
    console.type(ctrl('U') + "a b; x | 'c d' th\t");
    EXPECT_EQ(console.completer.words, (std::vector<std::string>{"c d"}));
    console.type(ctrl('U') + "memory\\ \t");
    EXPECT_EQ(console.editor.line(), "memory\\ map ");
    console.type(ctrl('U') + "\"memory \t");
    EXPECT_EQ(console.editor.line(), "\"memory map\" ");
    console.type(ctrl('U') + "th x\x1B[D\x1B[D\t");
    EXPECT_EQ(console.editor.line(), "threads x");
    console.type(ctrl('U') + ctrl('K') + "nothing\t");
    EXPECT_EQ(console.editor.line(), "nothing");
    EXPECT_EQ(console.session.terminal.bells(), 1u);
}

TEST(LineEditor, ListsCandidatesUnderTheLine) {
    Console console({20, 5});
    console.completer.known = {{"stop", ""}, {"start", ""}, {"status", ""}, {"sched", ""}};
    console.begin();
    console.type("s\t");
    EXPECT_EQ(console.session.rows(), (std::vector<std::string>{"> s"}));
    console.type("\t");
    EXPECT_EQ(
        console.session.rows(),
        (std::vector<std::string>{"> s", "sched   status", "start   stop"}));
    EXPECT_EQ(console.session.screen.cursor(), (text::Cursor{0, 3}));
    console.type("ta\t");
    EXPECT_EQ(console.session.rows(), (std::vector<std::string>{"> sta"}));
    console.completer.known = {{"ta", "first"}, {"tb", "the second of them"}};
    console.type(ctrl('U') + "t\t\t");
    EXPECT_EQ(
        console.session.rows(),
        (std::vector<std::string>{"> t", "ta  first", "tb  the second of th"}));
    console.completer.known.clear();
    for (int i = 10; i < 100; ++i) {
        console.completer.known.emplace_back("name" + std::to_string(i), "");
    }
    console.type(ctrl('U') + "n\t\t\t");
    EXPECT_EQ(
        console.session.rows(),
        (std::vector<std::string>{
            "> name", "name10  name13", "name11  name14", "name12  name15", "... and 84 more"}));
    console.type("x");
    EXPECT_EQ(console.session.rows(), (std::vector<std::string>{"> namex"}));
}

TEST(LineEditor, ColouredPrompts) {
    Console console({6, 8});
    console.prompt = "\x1B[1;32mab\x1B]0;title\a\x1B[44mc\x1B[0m> ";
    console.continuation = "\x1B[31m. ";
    console.begin();
    console.type("xyz|\rq");
    EXPECT_EQ(console.session.rows(), (std::vector<std::string>{"abc> x", "yz|", ". q"}));
    auto const look = [&](u32 row, u32 column) { return console.session.screen.row(row)[column]; };
    EXPECT_EQ(look(0, 0).attributes(), text::Attributes::bold);
    EXPECT_EQ(look(0, 2).background(), text::Colour::palette(4));
    EXPECT_EQ(look(0, 3).background(), text::Colour());
    EXPECT_EQ(look(2, 0).foreground(), text::Colour::palette(1));
    EXPECT_EQ(look(2, 2).foreground(), text::Colour());
    EXPECT_EQ(console.session.terminal.title(), "");
}

TEST(LineEditor, ClearsTheScreen) {
    Console console({10, 4});
    console.session << "before\r\n";
    console.begin();
    console.type("ab" + ctrl('L') + "c");
    EXPECT_EQ(console.session.rows(), (std::vector<std::string>{"> abc"}));
}

TEST(LineEditor, MakesRoomForOthers) {
    Console console({10, 6});
    console.begin();
    console.type("ab");
    console.editor.hide();
    console.session << "message\r\n";
    console.editor.refresh();
    console.type("c");
    EXPECT_EQ(console.session.rows(), (std::vector<std::string>{"message", "> abc"}));
    console.session << "intruder";
    console.editor.repaint();
    console.editor.refresh();
    console.type("d");
    EXPECT_EQ(
        console.session.rows(),
        (std::vector<std::string>{"message", "> abcintru", "der", "> abcd"}));
}

TEST(LineEditor, SwallowsLinesThatAreTooLong) {
    Console console({80, 24});
    console.begin();
    for (usize i = 0; i < line_bytes_max; ++i) {
        console.editor.take('a');
    }
    EXPECT_EQ(console.editor.line().size(), line_bytes_max);
    std::string_view const rest = "bcd\x1B[A"
                                  "e\t";
    for (char const byte : rest) {
        EXPECT_EQ(console.editor.take(static_cast<u8>(byte)), Action::none);
    }
    EXPECT_EQ(console.type("\r"), Action::none);
    EXPECT_EQ(console.editor.line(), "");
    std::vector<std::string> const rows = console.session.rows();
    ASSERT_GE(rows.size(), 2u);
    EXPECT_EQ(rows[rows.size() - 2], "the line is longer than 65536 bytes; nothing of it was run");
    EXPECT_EQ(rows.back(), ">");
    EXPECT_EQ(console.type("ls\r"), Action::line);
    EXPECT_EQ(console.lines, (std::vector<std::string>{"ls"}));
}

TEST(LineEditor, RefusesToYankTooMuch) {
    Console console({80, 24});
    console.begin();
    for (usize i = 0; i < 40'000; ++i) {
        console.editor.take('a');
    }
    console.type(ctrl('U') + ctrl('Y') + ctrl('Y'));
    EXPECT_EQ(console.editor.line().size(), 40'000u);
    EXPECT_EQ(console.session.rows().back(), "the line would be longer than 65536 bytes");
}

/// Memory runs out at every allocation of a session in turn: nothing breaks, and with memory the
/// session goes on.
TEST(LineEditor, LivesWithoutMemory) {
    std::string const keys = "ab cd" + ctrl('W') + ctrl('Y') + "s\t\t" + ctrl('R') + "a" +
                             ctrl('G') + ctrl('P') + ctrl('_') + ctrl('T') +
                             "\x1B[200~x\ry\x1B[201~";
    constexpr i64 allocations_max = 500;
    for (i64 allowed = 0;; ++allowed) {
        SCOPED_TRACE(allowed);
        ASSERT_LT(allowed, allocations_max);
        Console console({20, 6});
        console.remember({"alpha", "beta"});
        console.completer.known = {{"sab", ""}, {"sac", ""}};
        console.allocator.limit(allowed);
        console.begin();
        console.type(keys);
        console.allocator.limit(-1);
        console.type(ctrl('C'));
        console.type("fine\r");
        EXPECT_EQ(console.lines, (std::vector<std::string>{"fine"}));
        if (console.allocator.refused() == 0) {
            EXPECT_GT(allowed, 10) << "the session allocates, so it was short of memory before";
            break;
        }
    }
}

TEST(LineEditor, SaysThatThereIsNoMemory) {
    Console console({30, 6});
    console.begin();
    console.type("abc");
    console.allocator.limit(0);
    std::string const more(100, 'x');
    console.type(more);
    EXPECT_EQ(console.session.row(0).substr(0, 5), "> abc");
    EXPECT_NE(console.sent.find("out of memory"), std::string::npos);
    EXPECT_GT(console.session.terminal.bells(), 0u);
    std::string const line(console.editor.line());
    EXPECT_EQ(line, "abc" + more.substr(0, line.size() - 3));
    console.allocator.limit(-1);
    console.type("y");
    EXPECT_EQ(console.editor.line(), line + "y");
}

TEST(LineEditor, GivesAllMemoryBack) {
    LimitedAllocator allocator;
    {
        AnyAllocator any(allocator);
        History history(any);
        ListCompleter completer;
        completer.known = {{"sab", ""}, {"sac", ""}};
        LineEditor editor(
            any, {nullptr, [](void*, std::string_view) {}}, {9, 3}, history, completer);
        editor.begin("> ", "");
        for (char const byte : "some text\t\t\x12x\rmore"s) {
            if (editor.take(static_cast<u8>(byte)) != Action::none) {
                editor.begin("> ", "");
            }
            editor.refresh();
        }
        EXPECT_GT(allocator.blocks(), 0u);
    }
    EXPECT_EQ(allocator.blocks(), 0u);
}

} // namespace
