// Workloads as bytes: what is written is read as it was, and nothing else is taken.
#include "apps/sched/generators.hpp"
#include "apps/sched/workload_writer.hpp"
#include "tests/apps/sched/workload_reader.hpp"

#include <gtest/gtest.h>

using namespace twofold;
using namespace twofold::lab;

namespace {

using FileBytes = std::vector<std::byte>;

// Where fields lie, by docs/laboratory.md.
constexpr usize version_at = 8;
constexpr usize checksum_at = 12;
constexpr usize size_at = 16;
constexpr usize duration_at = 24;
constexpr usize flags_at = 32;
constexpr usize cpu_count_at = 36;
constexpr usize task_count_at = 40;
constexpr usize device_count_at = 76;
constexpr usize cpus_at = 80;
constexpr usize tasks_at = cpus_at + 16;
constexpr usize operations_at = tasks_at + 56;
constexpr usize schedulings_at = operations_at + usize{2} * 16;
constexpr usize affinities_at = schedulings_at + 40;

/// One thread that computes for a millisecond, on one processor.
OwnedWorkload small() {
    WorkloadBuilder builder("small");
    builder.set_cpus(equal_cpus(1, 1));
    builder.set_duration({5'000'000});
    builder.begin_task("one", 7, {.weight = 512, .period = {20}}, ~Affinity{}, {3});
    builder.add(OperationKind::run, 0, 1'000'000);
    builder.finish_task();
    return builder.finish();
}

void put(FileBytes& bytes, usize at, u64 value, usize size) {
    for (usize i = 0; i < size; ++i) {
        bytes.at(at + i) = static_cast<std::byte>(value >> (8 * i));
    }
}

/// Makes the checksum right for what stands there now.
void seal(FileBytes& bytes) {
    put(bytes, checksum_at, crc32(std::span(bytes).subspan(workload_checked_from)), 4);
}

/// What becomes of the small workload with a field changed, under a right checksum.
std::optional<Error> error_with(usize at, u64 value, usize size) {
    FileBytes bytes = write_workload(small().view(), false);
    put(bytes, at, value, size);
    seal(bytes);
    ReadWorkload const made = read_owned(bytes);
    return made.workload ? std::nullopt : std::optional(made.workload.error());
}

} // namespace

TEST(WorkloadBytes, LieAsSpecified) {
    FileBytes const bytes = write_workload(small().view(), true);
    ByteReader const reader(bytes);
    ASSERT_EQ(bytes.size(), affinities_at + 8);
    EXPECT_EQ(static_cast<char>(bytes[0]), 'W');
    EXPECT_EQ(static_cast<char>(bytes[6]), 'D');
    EXPECT_EQ(bytes[7], std::byte{0});
    EXPECT_EQ(reader.peek_at<u32>(version_at).value(), 1u);
    EXPECT_EQ(reader.peek_at<u64>(size_at).value(), bytes.size());
    EXPECT_EQ(reader.peek_at<u64>(duration_at).value(), 5'000'000u);
    EXPECT_EQ(reader.peek_at<u32>(flags_at).value(), 1u);
    EXPECT_EQ(reader.peek_at<u32>(cpu_count_at).value(), 1u);
    EXPECT_EQ(reader.peek_at<u32>(cpus_at + 4).value(), 1024u);
    EXPECT_EQ(static_cast<char>(bytes[tasks_at + 2]), 'e');
    EXPECT_EQ(reader.peek_at<u32>(tasks_at + 32).value(), 7u);
    EXPECT_EQ(reader.peek_at<u64>(tasks_at + 48).value(), 3u);
    EXPECT_EQ(reader.peek_at<u64>(operations_at + 8).value(), 1'000'000u);
    EXPECT_EQ(reader.peek_at<u8>(operations_at + 16).value(), 20u);
    EXPECT_EQ(reader.peek_at<u32>(schedulings_at + 4).value(), 512u);
    EXPECT_EQ(reader.peek_at<u64>(schedulings_at + 32).value(), 20u);
    EXPECT_EQ(reader.peek_at<u64>(affinities_at).value(), ~u64{0});
}

TEST(WorkloadBytes, EveryGeneratedWorkloadComesBack) {
    for (Generator const& generator : generators()) {
        OwnedWorkload const made =
            generate(generator, {.cpus = 3, .nodes = 2, .seed = 5, .duration = {100'000'000}});
        FileBytes bytes = write_workload(made.view(), true);
        FileBytes const written = bytes;
        bytes.resize(bytes.size() + 4096); // a loader hands over whole pages
        ReadWorkload const back = read_owned(bytes);
        ASSERT_TRUE(back.workload) << generator.name;
        EXPECT_TRUE(back.header.value().inherits);
        EXPECT_EQ(back.owned.operations, made.operations) << generator.name;
        EXPECT_EQ(back.owned.schedulings, made.schedulings) << generator.name;
        EXPECT_EQ(write_workload(back.workload.value(), true), written) << generator.name;
    }
}

TEST(WorkloadBytes, EveryCutAndEveryFlippedBitIsNoticed) {
    FileBytes const whole = write_workload(small().view(), false);
    for (usize size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(
            read_owned(FileBytes(whole.begin(), whole.begin() + static_cast<i64>(size))).workload);
    }
    for (usize bit = 0; bit < 8 * whole.size(); ++bit) {
        FileBytes changed = whole;
        changed[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
        EXPECT_FALSE(read_owned(changed).workload) << bit;
    }
}

TEST(WorkloadBytes, OtherVersionsAndOtherFilesAreRefused) {
    EXPECT_EQ(error_with(version_at, 2, 4), Error::not_supported);
    EXPECT_EQ(error_with(version_at, 0, 4), Error::not_supported);
    EXPECT_EQ(error_with(0, 'w', 1), Error::corrupted);
    EXPECT_EQ(error_with(flags_at, 2, 4), Error::corrupted);
    EXPECT_EQ(error_with(size_at, 0, 8), Error::corrupted);
    EXPECT_EQ(error_with(size_at, 79, 8), Error::corrupted);
    EXPECT_EQ(error_with(size_at, ~u64{0}, 8), Error::truncated);
}

TEST(WorkloadBytes, CountsThatCannotBeAreRefused) {
    for (usize at = cpu_count_at; at <= device_count_at; at += 4) {
        EXPECT_EQ(error_with(at, ~u32{0}, 4), Error::out_of_range) << at;
        EXPECT_EQ(error_with(at, operations_max + 1, 4), Error::out_of_range) << at;
    }
    EXPECT_EQ(error_with(task_count_at, 2, 4), Error::corrupted); // the size is another then
    EXPECT_EQ(error_with(device_count_at, objects_max + 1, 4), Error::out_of_range);
    EXPECT_FALSE(error_with(device_count_at, 1, 4)); // nobody need use it
}

TEST(WorkloadBytes, NumbersOutOfTheirRangesAreRefused) {
    constexpr u64 huge = u64{1} << 63;
    EXPECT_EQ(error_with(duration_at, huge, 8), Error::out_of_range);
    EXPECT_EQ(error_with(duration_at, 0, 8), Error::out_of_range);
    EXPECT_EQ(error_with(cpus_at + 4, 1025, 4), Error::out_of_range);
    EXPECT_EQ(error_with(tasks_at + 36, 1, 4), Error::not_found); // no program begins there
    EXPECT_EQ(error_with(tasks_at + 40, 1, 4), Error::not_found);
    EXPECT_EQ(error_with(tasks_at + 44, 1, 4), Error::not_found);
    EXPECT_EQ(error_with(tasks_at + 48, huge, 8), Error::out_of_range);
    EXPECT_EQ(error_with(operations_at, operation_kinds, 1), Error::out_of_range);
    EXPECT_EQ(error_with(operations_at, 255, 1), Error::out_of_range);
    EXPECT_EQ(error_with(operations_at + 1, 2, 1), Error::out_of_range);
    EXPECT_EQ(error_with(operations_at + 8, huge, 8), Error::out_of_range);
    EXPECT_EQ(error_with(operations_at + 16, 0, 1), Error::invalid_argument); // no end
    EXPECT_EQ(error_with(schedulings_at, demands, 1), Error::out_of_range);
    for (usize const time : {16u, 24u, 32u}) {
        EXPECT_EQ(error_with(schedulings_at + time, huge, 8), Error::out_of_range);
    }
    EXPECT_EQ(error_with(affinities_at, 2, 8), Error::not_found);
    EXPECT_FALSE(error_with(schedulings_at + 4, ~u32{0}, 4)); // a policy looks at weights
}

TEST(WorkloadBytes, WhatIsToBeZeroIs) {
    EXPECT_EQ(error_with(operations_at + 3, 1, 1), Error::corrupted);
    EXPECT_EQ(error_with(schedulings_at + 1, 1, 1), Error::corrupted);
    EXPECT_EQ(error_with(schedulings_at + 2, 0x100, 2), Error::corrupted);
    EXPECT_EQ(error_with(schedulings_at + 12, 1, 4), Error::corrupted);
    EXPECT_EQ(error_with(tasks_at + 31, 'x', 1), Error::corrupted); // behind the name's end
}
