// The command line of the host's programs: what each kind of option takes, and how it refuses.
#include "apps/arguments/arguments.hpp"

#include <gtest/gtest.h>

#include <vector>

using namespace twofold;

namespace {

using Occurrence = Arguments::Occurrence;

/// A program with an option of each kind.
struct Program {
    Program() {
        known.add({"--name", "TEXT", "a text", store_in(name)});
        known.add(
            {.name = "--count",
             .value_name = "N",
             .help = "a number",
             .take = number_in(count, 1u, 9u),
             .excludes = "--name"});
        known.add({"--port", "[PORT]", "may be bare", store_in(port), Occurrence::bare});
        known.add({"-a,--add", "TEXT", "again and again", append_to(added), Occurrence::repeated});
        known.add_flag("--fast", fast, "a flag");
        known.add_action("--list", [this] { ++listed; }, "does it and ends");
        known.add({"WORD", "WORD...", "words", append_to(words), Occurrence::several});
    }

    std::optional<int> parse(std::vector<char const*> arguments) {
        arguments.insert(arguments.begin(), "program");
        testing::internal::CaptureStderr();
        auto const status = known.parse(static_cast<int>(arguments.size()), arguments.data());
        error = testing::internal::GetCapturedStderr();
        return status;
    }

    Arguments known{"program", "test"};
    std::optional<std::string> name, port;
    unsigned count = 0;
    std::vector<std::string> added, words;
    bool fast = false;
    int listed = 0;
    std::string error;
};

TEST(Arguments, TakeEachKindOfOption) {
    Program program;
    ASSERT_EQ(
        program.parse(
            {"--name", "x", "--add", "1", "--port", "--fast", "-a", "2", "--", "a", "-b"}),
        std::nullopt)
        << program.error;
    EXPECT_EQ(program.name, "x");
    EXPECT_EQ(program.port, "");
    EXPECT_EQ(program.added, (std::vector<std::string>{"1", "2"}));
    EXPECT_EQ(program.words, (std::vector<std::string>{"a", "-b"}));
    EXPECT_TRUE(program.fast);
    EXPECT_EQ(program.error, "");
}

TEST(Arguments, EndAfterAnAction) {
    Program program;
    EXPECT_EQ(program.parse({"--list"}), 0);
    EXPECT_EQ(program.listed, 1);
}

TEST(Arguments, RefuseInOneLine) {
    struct Case {
        std::vector<char const*> arguments;
        std::string line;
    };
    std::vector<Case> const cases = {
        {{}, "program: WORD is required (see --help)\n"},
        {{"w", "--count", "0"}, "program: --count: '0' is not a number from 1 to 9 (see --help)\n"},
        {{"w", "--count", "9x"},
         "program: --count: '9x' is not a number from 1 to 9 (see --help)\n"},
        {{"w", "--count", "1", "--name", "x"}, "program: --name excludes --count (see --help)\n"},
    };
    for (Case const& each : cases) {
        Program program;
        EXPECT_EQ(program.parse(each.arguments), 64);
        EXPECT_EQ(program.error, each.line);
    }
}

} // namespace
