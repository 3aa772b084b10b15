// Schedules as text: there and back, and each kind of bad line is named with its number.
#include "sim/record/schedule_file.hpp"

#include "apps/launch/status.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

namespace {

using namespace twofold;
using namespace twofold::sim;
using hosted::Candidate;
using hosted::Grant;
using launch::Status;

std::vector<Grant> const grants{{0, 250}, {63, 0}, {1, 9'000'000'000}};

/// What a schedule gives where any of its processors can run.
std::vector<Grant> given_by(hosted::Schedule const& schedule, usize turns) {
    auto const copy = schedule.copy();
    std::vector<Candidate> const ready{{0, 0}, {1, 0}, {63, 0}};
    hosted::ScheduleView const view{.ready = ready, .last = {}};
    std::vector<Grant> given;
    for (usize i = 0; i < turns; ++i) {
        given.push_back(copy->choose(view));
    }
    EXPECT_EQ(copy->objection(), "");
    return given;
}

std::string refusal(std::string const& text) {
    try {
        parse_schedule_text("x", text);
    } catch (launch::Failure const& failure) {
        EXPECT_EQ(failure.status(), Status::usage);
        return failure.what();
    }
    return {};
}

TEST(ScheduleFile, ComesBack) {
    for (bool const has_one_time : {false, true}) {
        auto const schedule = parse_schedule_text("x", schedule_text(grants, has_one_time));
        EXPECT_EQ(schedule->has_one_time(), has_one_time);
        EXPECT_EQ(given_by(*schedule, grants.size()), grants);
    }
}

TEST(ScheduleFile, PeopleMayWriteIt) {
    auto const schedule = parse_schedule_text(
        "x",
        "twofold-schedule 1 own-times\n# a comment\n\n0 250\n63   0\n1 9000000000\n\nend\n#\n");
    EXPECT_EQ(given_by(*schedule, grants.size()), grants);
}

TEST(ScheduleFile, BadLinesAreNamed) {
    std::string const title = "twofold-schedule 1 own-times\n";
    std::string const no_turn = "a turn is a processor and a stretch in nanoseconds, as '1 250'";
    for (std::string const line :
         {"x", "1", "1 x", "1 2 3", "-1 250", "1 -250", "64 250", "1 99999999999999999999",
          "99999999999999999999 1", "1,250", "end 1"}) {
        EXPECT_EQ(refusal(title + "0 1\n# a comment\n" + line + "\nend\n"), "x:4: " + no_turn)
            << line;
    }
    EXPECT_EQ(refusal(title + "0 1\nend\n0 1\n"), "x:4: nothing comes behind the end");
    std::string const whole = schedule_text(grants, true);
    for (std::string const first : {"", "\n", "twofold-schedule 2 own-times\n", "0 1\nend\n"}) {
        EXPECT_EQ(
            refusal(first + "0 1\nend\n"),
            "x:1: a schedule begins with 'twofold-schedule 1 one-time' or 'own-times'")
            << first;
    }
}

TEST(ScheduleFile, CutAnywhereIsRefused) {
    std::string const whole = schedule_text(grants, true);
    for (usize size = 0; size + 1 < whole.size(); ++size) { // the last line may lack its end
        ASSERT_NE(refusal(whole.substr(0, size)), "") << size;
    }
    EXPECT_EQ(refusal(whole), "");
}

TEST(ScheduleFile, FilesThatCannotBeUsedAreNamed) {
    auto const path =
        std::filesystem::temp_directory_path() / ("twofold-schedule-" + std::to_string(getpid()));
    write_schedule(path, grants, true);
    EXPECT_EQ(read_schedule(path), schedule_text(grants, true));
    std::filesystem::remove(path);
    for (auto const& [name, why] :
         {std::pair{path.string(), "No such file or directory"},
          {"/dev/null", "it is empty"},
          {"/", "Is a directory"}}) {
        try {
            read_schedule(name);
            ADD_FAILURE() << name;
        } catch (launch::Failure const& failure) {
            EXPECT_EQ(failure.status(), Status::io);
            EXPECT_EQ(failure.what(), "cannot read the schedule " + name + ": " + why);
        }
    }
    try {
        write_schedule("/dev/full", grants, true);
        ADD_FAILURE();
    } catch (launch::Failure const& failure) {
        EXPECT_EQ(failure.status(), Status::io);
    }
}

} // namespace
