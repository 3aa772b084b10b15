// Recordings as files: there and back, and what is not whole, or of another build, is refused.
#include "sim/record/recording.hpp"

#include "apps/launch/status.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <unistd.h>

namespace {

using namespace twofold;
using namespace twofold::sim;
using launch::Status;

constexpr std::string_view build = "0123abcd";
constexpr std::string_view run = R"({"id":0,"workload":"heap","seed":7})";
RecordingEnd const end{
    .moments = 3 * recording_distance + 5, .hash = 77, .time_ns = 1'234, .outcome = "passed"};

class Folder {
public:
    Folder()
        : m_path(
              std::filesystem::temp_directory_path() /
              ("twofold-recording-" + std::to_string(getpid()))) {
        std::filesystem::create_directory(m_path);
    }
    Folder(Folder const&) = delete;
    Folder& operator=(Folder const&) = delete;
    ~Folder() { std::filesystem::remove_all(m_path); }

    std::filesystem::path file(std::string const& name) const { return m_path / name; }

private:
    std::filesystem::path m_path;
};

std::vector<std::byte> copy_of(u64 moment) {
    std::vector<std::byte> bytes(64);
    for (usize i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::byte>(i / 8 + moment);
    }
    return bytes;
}

/// Hashes at three distances, two copies between them.
void write_small(std::filesystem::path const& path, std::string const& schedule = {}) {
    RecordingWriter writer(path, std::string(build), std::string(run), schedule);
    writer.add_hash(11);
    writer.add_copy(1'500, copy_of(1'500));
    writer.add_hash(22);
    writer.add_copy(2'500, copy_of(2'500));
    writer.add_hash(33);
    writer.finish(end);
}

std::string bytes_of(std::filesystem::path const& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_bytes(std::filesystem::path const& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// Why a file is refused; empty: it is not.
std::string refusal(
    std::filesystem::path const& path,
    Status status = Status::usage,
    std::string_view its_build = build) {
    try {
        Recording const read = Recording::read(path, std::string(its_build));
        for (u64 const moment : {u64{1'499}, u64{1'500}, u64{9'999}}) {
            read.copy_before(moment);
        }
    } catch (launch::Failure const& failure) {
        std::string const line = failure.what();
        EXPECT_EQ(failure.status(), status) << line;
        EXPECT_EQ(line.find('\n'), std::string::npos) << line;
        EXPECT_NE(line.find(path.string()), std::string::npos) << line;
        return line;
    }
    return {};
}

void expect_small(Recording const& read) {
    EXPECT_EQ(read.run(), run);
    EXPECT_EQ(read.hashes(), (std::vector<u64>{0, 11, 22, 33}));
    ASSERT_TRUE(read.end().has_value());
    EXPECT_EQ(read.end()->moments, end.moments);
    EXPECT_EQ(read.end()->hash, end.hash);
    EXPECT_EQ(read.end()->time_ns, end.time_ns);
    EXPECT_EQ(read.end()->outcome, "passed");
    ASSERT_EQ(read.copies(), 2u);
    EXPECT_FALSE(read.copy_before(1'499).has_value());
    for (auto const& [moment, found] :
         {std::pair{u64{1'500}, u64{1'500}}, {2'499, 1'500}, {2'500, 2'500}, {~u64{0}, 2'500}}) {
        auto const copy = read.copy_before(moment);
        ASSERT_TRUE(copy.has_value());
        EXPECT_EQ(copy->moment, found);
        EXPECT_EQ(copy->bytes, copy_of(found));
    }
}

TEST(Recording, ComesBack) {
    Folder const folder;
    write_small(folder.file("a"));
    Recording const read = Recording::read(folder.file("a"), std::string(build));
    expect_small(read);
    EXPECT_EQ(read.schedule(), "");
    write_small(folder.file("b"), "a schedule");
    Recording const followed = Recording::read(folder.file("b"), std::string(build));
    expect_small(followed);
    EXPECT_EQ(followed.schedule(), "a schedule");
}

TEST(Recording, HashesOfManyChunksComeBack) {
    Folder const folder;
    constexpr u64 count = 10'000;
    {
        RecordingWriter writer(folder.file("a"), std::string(build), std::string(run));
        for (u64 i = 1; i <= count; ++i) {
            writer.add_hash(i * i);
        }
        writer.finish({count * recording_distance, 1, 2, "passed"});
    }
    Recording const read = Recording::read(folder.file("a"), std::string(build));
    ASSERT_EQ(read.hashes().size(), count + 1);
    for (u64 i = 0; i <= count; ++i) {
        ASSERT_EQ(read.hashes()[i], i * i);
    }
}

TEST(Recording, CutAnywhereIsRefused) {
    Folder const folder;
    write_small(folder.file("whole"), "a schedule");
    std::string const whole = bytes_of(folder.file("whole"));
    for (usize size = 0; size < whole.size(); ++size) {
        write_bytes(folder.file("cut"), whole.substr(0, size));
        std::string const why = refusal(folder.file("cut"));
        bool const is_clear = why.find(size < 8 ? "no recording" : "truncated") != why.npos;
        ASSERT_TRUE(is_clear) << size << " of " << whole.size() << ": " << why;
    }
    write_bytes(folder.file("cut"), whole);
    EXPECT_EQ(refusal(folder.file("cut")), "");
    // One that was cut can be read by who knows it.
    write_bytes(folder.file("cut"), whole.substr(0, whole.size() - 1));
    Recording const read = Recording::read(folder.file("cut"), std::string(build), true);
    EXPECT_EQ(read.copies(), 2u);
    EXPECT_FALSE(read.end().has_value());
}

TEST(Recording, DamagedAnywhereIsRefused) {
    Folder const folder;
    write_small(folder.file("whole"), "a schedule");
    std::string const whole = bytes_of(folder.file("whole"));
    for (usize at = 0; at < whole.size(); ++at) {
        for (int const flip : {0x01, 0x06, 0x80, 0xff}) {
            std::string damaged = whole;
            damaged[at] = static_cast<char>(damaged[at] ^ flip);
            write_bytes(folder.file("damaged"), damaged);
            ASSERT_NE(refusal(folder.file("damaged")), "") << at << " of " << whole.size();
        }
    }
    write_bytes(folder.file("damaged"), whole + "x");
    EXPECT_NE(refusal(folder.file("damaged")).find("more follows its end"), std::string::npos);
    write_bytes(folder.file("damaged"), whole + whole.substr(8));
    EXPECT_NE(refusal(folder.file("damaged")).find("more follows its end"), std::string::npos);
}

TEST(Recording, WhatDoesNotBelongTogetherIsRefused) {
    Folder const folder;
    {
        RecordingWriter writer(folder.file("a"), std::string(build), std::string(run));
        writer.finish(end); // whose hashes are not there
    }
    EXPECT_NE(refusal(folder.file("a")).find("of another length"), std::string::npos);
}

TEST(Recording, AnotherBuildIsRefusedByBothNames) {
    Folder const folder;
    write_small(folder.file("a"));
    std::string const why = refusal(folder.file("a"), Status::usage, "feed");
    EXPECT_NE(why.find("it is of build 0123abcd, this program is build feed"), std::string::npos)
        << why;
}

TEST(Recording, FilesThatCannotBeUsedAreNamed) {
    Folder const folder;
    EXPECT_NE(refusal(folder.file("none"), Status::io).find("No such file"), std::string::npos);
    EXPECT_NE(refusal("/dev/null").find("no recording"), std::string::npos);
    write_bytes(folder.file("text"), "a text that is longer than the first word of a recording");
    EXPECT_NE(refusal(folder.file("text")).find("no recording"), std::string::npos);
    for (auto const& [path, why] :
         {std::pair{std::filesystem::path("/dev/full"), "No space left on device"},
          {folder.file("no/folder"), "No such file or directory"}}) {
        try {
            RecordingWriter writer(path, std::string(build), std::string(run));
            ADD_FAILURE() << path;
        } catch (launch::Failure const& failure) {
            EXPECT_EQ(failure.status(), Status::io);
            EXPECT_EQ(failure.what(), "cannot write the recording " + path.string() + ": " + why);
        }
    }
}

} // namespace
