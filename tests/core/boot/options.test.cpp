// The kernel command line.
#include "core/boot/options.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using boot::ConsoleMode;
using boot::Options;

TEST(Options, AreModestByDefault) {
    Options const options = Options::parse("");
    EXPECT_FALSE(options.has_command);
    EXPECT_FALSE(options.json);
    EXPECT_EQ(options.console, ConsoleMode::interactive);
    EXPECT_TRUE(options.nonce.empty());
    EXPECT_TRUE(options.problem.empty());
}

TEST(Options, ReadQuotedCommands) {
    Options const options = Options::parse("json=on command='version; echo \"a b\"' console=pipe");
    EXPECT_TRUE(options.has_command);
    EXPECT_EQ(options.command.view(), std::string_view("version; echo \"a b\""));
    EXPECT_TRUE(options.json);
    EXPECT_EQ(options.console, ConsoleMode::pipe);
    EXPECT_TRUE(options.problem.empty());
}

TEST(Options, AnEmptyCommandIsACommand) {
    EXPECT_TRUE(Options::parse("command=''").has_command);
    EXPECT_TRUE(Options::parse("command=").has_command);
}

TEST(Options, TheLastOfTwoWins) {
    EXPECT_EQ(Options::parse("command=a command=b").command.view(), std::string_view("b"));
}

TEST(Options, NameWhatIsWrong) {
    EXPECT_FALSE(Options::parse("json=perhaps").problem.empty());
    EXPECT_FALSE(Options::parse("console=braille").problem.empty());
    EXPECT_FALSE(Options::parse("command='open").problem.empty());
    EXPECT_TRUE(
        Options::parse("colour=red").problem.view().find("colour") != std::string_view::npos);
    EXPECT_TRUE(Options::parse("image_base=0xffffffff90000000").problem.empty());
}

TEST(Options, LimitTheProcessors) {
    EXPECT_EQ(Options::parse("").cpus, 0u);
    EXPECT_EQ(Options::parse("cpus=3").cpus, 3u);
    EXPECT_TRUE(Options::parse("cpus=3").problem.empty());
    for (std::string_view const line :
         {"cpus=0", "cpus=", "cpus", "cpus=many", "cpus=4294967296"}) {
        Options const options = Options::parse(line);
        EXPECT_EQ(options.cpus, 0u); // as many as there are
        EXPECT_TRUE(options.problem.view().find("cpus") != std::string_view::npos);
    }
}

TEST(Options, AreNotHurtByLongLines) {
    char line[Options::command_line_max + 64];
    for (char& letter : line) {
        letter = 'x';
    }
    EXPECT_FALSE(Options::parse({line, sizeof(line)}).problem.empty());
    constexpr std::string_view key = "command=";
    for (usize i = 0; i < key.size(); ++i) {
        line[i] = key[i];
    }
    Options const options = Options::parse({line, Options::command_max + 100});
    EXPECT_FALSE(options.has_command);
    EXPECT_FALSE(options.problem.empty());
}
