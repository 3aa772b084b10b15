// The laboratory inside of a kernel: a workload read from bytes, a schedule worked out by hand, and
// what is refused.
#include "apps/sched/kernel/kernel_run.hpp"
#include "core/boot/boot.hpp"
#include "tests/support/test.hpp"

#include <array>

using namespace twofold;
using namespace twofold::lab;

namespace {

constexpr i64 ms = 1'000'000;

/// Keeps the pieces of a schedule, put together.
struct PieceLog {
    static constexpr usize bytes_max = 4096;

    Output output() {
        return {this, [](void* self, std::string_view piece) {
                    static_cast<PieceLog*>(self)->take(piece);
                }};
    }
    void take(std::string_view piece) {
        largest = piece.size() > largest ? piece.size() : largest;
        ++pieces;
        for (char const letter : piece) {
            if (size < bytes_max) {
                bytes[size++] = static_cast<std::byte>(letter);
            }
        }
    }
    std::span<std::byte const> all() const { return std::span(bytes).first(size); }

    std::byte bytes[bytes_max]{};
    usize size = 0;
    usize pieces = 0;
    usize largest = 0;
};

/// Writes the file of a workload, field by field as docs/laboratory.md has it.
struct FileWriter {
    std::array<std::byte, 512> bytes{};
    usize size = 0;

    void put(u64 value, usize width) {
        for (usize i = 0; i < width; ++i) {
            bytes[size++] = static_cast<std::byte>(value >> 8 * i);
        }
    }
    void task(char letter, u32 program, u32 schedule) {
        put(static_cast<u8>(letter), 8);
        for (int i = 0; i < 3; ++i) {
            put(0, 8);
        }
        put(0, 4); // instance
        put(program, 4);
        put(schedule, 4);
        put(0, 4); // affinity
        put(0, 8); // delay
    }
    void operation(OperationKind kind, i64 amount) {
        put(static_cast<u64>(kind), 8); // the object in the upper half: 0
        put(static_cast<u64>(amount), 8);
    }
    void priority(u32 level) {
        put(0, 4); // ordinary
        put(1024, 4);
        put(level, 8);
        put(0, 8);
        put(0, 8);
        put(0, 8);
    }
    void seal() {
        std::span const all = std::span(bytes).first(size);
        u32 const checksum = crc32(all.subspan(workload_checked_from));
        for (usize i = 0; i < 4; ++i) {
            bytes[12 + i] = static_cast<std::byte>(checksum >> 8 * i);
        }
    }
    std::span<std::byte const> file() const { return std::span(bytes).first(size); }
};

/// Two threads on one processor: `low` computes for 2 ms, `high` for 3.
FileWriter two_threads() {
    FileWriter writer;
    WorkloadCounts const counts{
        .cpus = 1, .tasks = 2, .operations = 4, .schedulings = 2, .affinities = 1};
    writer.put(workload_magic, 8);
    writer.put(workload_version, 4);
    writer.put(0, 4); // the checksum
    writer.put(workload_file_bytes(counts), 8);
    writer.put(10 * ms, 8);
    writer.put(0, 4); // flags
    for (u32 const count : {1u, 2u, 4u, 2u, 1u, 0u, 0u, 0u, 0u, 0u, 0u}) {
        writer.put(count, 4);
    }
    writer.put(u64{1024} << 32, 8); // node 0, the full capacity
    writer.put(0, 8);               // no power
    writer.task('l', 0, 0);
    writer.task('h', 2, 1);
    writer.operation(OperationKind::run, 2 * ms);
    writer.operation(OperationKind::exit, 0);
    writer.operation(OperationKind::run, 3 * ms);
    writer.operation(OperationKind::exit, 0);
    writer.priority(1);
    writer.priority(2);
    writer.put(~u64{0}, 8);
    writer.seal();
    return writer;
}

memory::KernelHeap& heap() {
    return *boot::current_kernel().heap;
}

} // namespace

TEST(Lab, AWorkloadRunsInTheKernel) {
    FileWriter const writer = two_threads();
    auto const loaded = HeapWorkload::create(heap(), writer.file());
    ASSERT_TRUE(loaded.has_value());
    EXPECT_FALSE(loaded.value().inherits());
    EXPECT_EQ(loaded.value().workload().tasks[1].name.view(), "h");
    PieceLog log;
    Output const out = log.output();
    SchedulePacker packer(out);
    auto const outcome = run_in_kernel(
        heap(), loaded.value().workload(), {.policy = "fifo", .switch_cost = {1000}}, packer);
    ASSERT_TRUE(outcome.has_value());
    EXPECT_FALSE(outcome.value().refusal.has_value());
    EXPECT_EQ(outcome.value().end.value, 10 * ms);
    // To low, to high at once, and to low again.
    EXPECT_EQ(outcome.value().overheads.all()[0].value, 2000);
    EXPECT_EQ(log.pieces, 1u);
    EXPECT_EQ(packer.checksum(), crc32(log.all()));

    constexpr Happening expected[] = {
        {.kind = HappeningKind::wake, .thread = 0},
        {.kind = HappeningKind::run, .thread = 0},
        {.kind = HappeningKind::wake, .thread = 1},
        {.kind = HappeningKind::run, .thread = 1},
        {.kind = HappeningKind::leave, .thread = 1, .now = {3 * ms + 1000}},
        {.kind = HappeningKind::run, .thread = 0, .now = {3 * ms + 1000}},
        {.kind = HappeningKind::leave, .thread = 0, .now = {5 * ms + 2000}},
        {.kind = HappeningKind::run, .thread = nobody, .now = {5 * ms + 2000}}};
    EXPECT_EQ(packer.count(), std::size(expected));
    HappeningReader reader(log.all());
    for (Happening const& each : expected) {
        auto const happening = reader.read();
        ASSERT_TRUE(happening.has_value());
        EXPECT_EQ(happening.value().kind, each.kind);
        EXPECT_EQ(happening.value().thread, each.thread);
        EXPECT_EQ(happening.value().now, each.now);
    }
    EXPECT_TRUE(reader.at_end());
}

TEST(Lab, PiecesAreNeverTooLarge) {
    PieceLog log;
    Output const out = log.output();
    SchedulePacker packer(out);
    for (i64 i = 0; i < 200; ++i) {
        packer.take(
            {.kind = HappeningKind::job, .thread = 100, .now = {i * ms}, .amount = -i * ms});
    }
    packer.finish();
    packer.finish(); // there is nothing left
    EXPECT_GT(log.pieces, 1u);
    EXPECT_LE(log.largest, SchedulePacker::piece_bytes_max);
    EXPECT_GT(log.largest, SchedulePacker::piece_bytes_max - happening_bytes_max);
    HappeningReader reader(log.all());
    for (i64 i = 0; i < 200; ++i) {
        auto const happening = reader.read();
        ASSERT_TRUE(happening.has_value());
        EXPECT_EQ(happening.value().amount, -i * ms);
    }
    EXPECT_TRUE(reader.at_end());
}

TEST(Lab, WhatIsNoWorkloadIsRefused) {
    FileWriter const writer = two_threads();
    for (usize size = 0; size < writer.size; ++size) {
        EXPECT_FALSE(HeapWorkload::create(heap(), writer.file().first(size)).has_value());
    }
    FileWriter changed = writer;
    changed.bytes[40] = std::byte{3}; // threads
    changed.seal();
    EXPECT_EQ(HeapWorkload::create(heap(), changed.file()).error(), Error::corrupted);
    PieceLog log;
    Output const out = log.output();
    SchedulePacker packer(out);
    auto const loaded = HeapWorkload::create(heap(), writer.file());
    ASSERT_TRUE(loaded.has_value());
    auto const outcome =
        run_in_kernel(heap(), loaded.value().workload(), {.policy = "fair"}, packer);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error(), Error::not_found);
}

TEST(Lab, AThreadThatIsNotAdmittedIsNamed) {
    FileWriter const writer = two_threads();
    auto const loaded = HeapWorkload::create(heap(), writer.file());
    ASSERT_TRUE(loaded.has_value());
    Workload workload = loaded.value().workload();
    constexpr Scheduling impossible[] = {
        {.demand = Demand::deadline, .runtime = {6 * ms}, .period = {10 * ms}},
        {.demand = Demand::deadline, .runtime = {6 * ms}, .period = {10 * ms}}};
    workload.schedulings = impossible;
    PieceLog log;
    Output const out = log.output();
    SchedulePacker packer(out);
    auto const outcome = run_in_kernel(heap(), workload, {.policy = "edf"}, packer);
    ASSERT_TRUE(outcome.has_value());
    ASSERT_TRUE(outcome.value().refusal.has_value());
    EXPECT_EQ(outcome.value().refusal->thread, 1u);
    EXPECT_EQ(outcome.value().refusal->error, Error::no_space);
    EXPECT_EQ(packer.count(), 0u);
}

TEST(Lab, MemoryThatIsNotThereIsAnError) {
    FileWriter const writer = two_threads();
    auto const loaded = HeapWorkload::create(heap(), writer.file());
    ASSERT_TRUE(loaded.has_value());
    Workload workload = loaded.value().workload();
    workload.mutexes = workload.timers = ~u32{0}; // more than any machine has
    PieceLog log;
    Output const out = log.output();
    SchedulePacker packer(out);
    auto const outcome = run_in_kernel(heap(), workload, {.policy = "rr"}, packer);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error(), Error::out_of_memory);
}
