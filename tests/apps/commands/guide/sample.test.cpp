// The test of docs/guides/write-a-command.md: its command in a kernel of each machine.
#include "sample.hpp"

#include "tests/support/test.hpp"

namespace {

using namespace twofold;

/// A line, and what it printed.
struct Ran {
    char storage[2048];
    TextBuffer text{std::span(storage)};
    u8 outcome;

    explicit Ran(std::string_view line) {
        outcome = boot::run_line(boot::current_kernel(), text.output(), line, 0);
    }
    bool says(std::string_view part) const { return text.view().contains(part); }
    usize lines() const {
        usize count = 0;
        for (char const letter : text.view()) {
            count += letter == '\n' ? 1 : 0;
        }
        return count;
    }
};

} // namespace

TEST(Sample, GrowthIsFromLookToLook) {
    mine::Growth growth;
    EXPECT_EQ(growth.since_last(7), 0u);
    EXPECT_EQ(growth.since_last(10), 3u);
    EXPECT_EQ(growth.since_last(10), 0u);
}

TEST(Sample, ARowForEachLook) {
    Ran const ran("sample switches 3");
    EXPECT_EQ(ran.outcome, boot::status::success);
    EXPECT_EQ(ran.lines(), 4u); // and the heading
    EXPECT_TRUE(ran.says("growth"));
}

TEST(Sample, BadInputIsRefused) {
    EXPECT_EQ(Ran("sample").outcome, boot::status::usage);
    EXPECT_TRUE(Ran("sample").says("usage: sample WHAT [LOOKS]"));
    EXPECT_TRUE(Ran("sample luck").says("'luck' is no WHAT; one of: switches frames heap"));
    EXPECT_TRUE(Ran("sample heap many").says("'many' is no number"));
    EXPECT_TRUE(Ran("sample heap 0").says("a number from 1 to 10000"));
    EXPECT_EQ(Ran("sample heap 10001").outcome, boot::status::usage);
}

TEST(Sample, EndsWhenItIsAskedTo) {
    struct Asked {
        static void run(void* self) {
            Ran const ran("sample frames 10000"); // 200 seconds
            static_cast<Asked*>(self)->outcome = ran.outcome;
        }
        u8 outcome = boot::status::success;
    };
    task::Threads& threads = *boot::current_kernel().threads;
    Asked asked;
    task::ThreadAttributes attributes;
    attributes.stack = {u64{64} << 10}; // a line needs more than most threads do
    auto const thread = threads.spawn(attributes, Asked::run, &asked);
    ASSERT_TRUE(thread.has_value());
    threads.ask_to_end(*thread.value());
    EXPECT_TRUE(threads.join(*thread.value()).has_value());
    EXPECT_EQ(asked.outcome, boot::status::failure);
}
