// The trace format: what the writer writes the reader reads, and what is damaged is refused with a
// reason.
#include "apps/allocation/bytes.hpp"
#include "tests/apps/allocation/traces.hpp"

#include <gtest/gtest.h>
#include <random>

namespace twofold::allocation::testing {

namespace {

using enum EventKind;

Event allocation(EventKind kind, u64 object, u64 size, u32 thread = 0, u8 alignment_log2 = 0) {
    return {kind, alignment_log2, thread, object, size};
}

/// Writes the header's checksum again, after a test has changed the header.
void seal_header(Bytes& file) {
    auto const bytes = std::span(file);
    u64 const command_bytes = std::to_integer<u64>(file[header_offset::command_bytes]);
    Crc32 checksum;
    checksum.update(bytes.first(header_crc_offset));
    checksum.update(bytes.subspan(header_bytes, command_bytes));
    store_number(bytes.subspan(header_crc_offset), checksum.value());
}

/// A trace whose one block holds these bytes as events.
Bytes with_events(std::vector<u8> const& events) {
    MemoryTrace trace;
    Bytes file = trace.finish();
    std::array<std::byte, block_header_bytes> header{};
    auto const count = static_cast<u32>(events.size());
    store_number(std::span(header), count);
    store_number(std::span(header).subspan(4), count);
    Crc32 checksum;
    checksum.update(std::span(header).first(8));
    checksum.update(std::as_bytes(std::span(events)));
    store_number(std::span(header).subspan(8), checksum.value());
    file.insert(file.end(), header.begin(), header.end());
    for (u8 const byte : events) {
        file.push_back(std::byte{byte});
    }
    store_number(std::span(file).subspan(header_offset::blocks), u32{1});
    store_number(std::span(file).subspan(header_offset::file_bytes), u64{file.size()});
    seal_header(file);
    return file;
}

void expect_refused(Bytes const& file, std::string_view reason) {
    Decoded const result = decode(file);
    EXPECT_FALSE(result.good);
    EXPECT_EQ(result.problem.what, reason);
    EXPECT_LE(result.problem.offset, file.size());
}

/// A small trace with an event of every kind.
Bytes one_of_each() {
    MemoryTrace trace;
    TraceWriter& writer = trace.writer();
    EXPECT_EQ(writer.allocate(allocate, 24), 0U);
    EXPECT_EQ(writer.allocate(allocate_zeroed, 24), 1U);
    writer.set_thread(1);
    EXPECT_EQ(writer.allocate(allocate_aligned, 1000001, 12), 2U);
    EXPECT_EQ(writer.allocate(allocate, 0), 3U);
    writer.resize(0, 24, 300);
    writer.set_thread(0);
    writer.release(2, 1000001);
    writer.release(0, 300);
    writer.count_failed();
    writer.count_foreign();
    return trace.finish();
}

} // namespace

TEST(AllocationTrace, YieldsEveryKindAsItWasWritten) {
    Decoded const result = decode(one_of_each());
    ASSERT_TRUE(result.good) << result.problem.what;
    std::vector<Event> const expected = {
        allocation(allocate, 0, 24),
        allocation(allocate_zeroed, 1, 24),
        allocation(allocate_aligned, 2, 1000001, 1, 12),
        allocation(allocate, 3, 0, 1),
        {resize, 0, 1, 0, 300},
        {release, 0, 0, 2, 0},
        {release, 0, 0, 0, 0},
    };
    EXPECT_EQ(result.events, expected);
    EXPECT_EQ(result.command, std::string_view("program\0-x\0", 11));
    TraceCounts counts;
    counts.events = 7;
    counts.allocations = 4;
    counts.releases = 2;
    counts.resizes = 1;
    counts.foreign = 1;
    counts.failed = 1;
    counts.live_objects_max = 4;
    counts.live_bytes_max = 24 + 1000001 + 300;
    counts.live_bytes_end = 24;
    counts.threads = 2;
    counts.blocks = 1;
    EXPECT_EQ(result.counts, counts);
}

TEST(AllocationTrace, AnEmptyTraceIsATrace) {
    MemoryTrace trace("");
    Decoded const result = decode(trace.finish());
    EXPECT_TRUE(result.good) << result.problem.what;
    EXPECT_TRUE(result.events.empty());
    EXPECT_EQ(result.counts, TraceCounts{});
}

TEST(AllocationTrace, RandomEventsSurviveOverManyBlocks) {
    std::mt19937_64 random(7);
    MemoryTrace trace;
    TraceWriter& writer = trace.writer();
    std::vector<Event> expected;
    std::vector<std::pair<u64, u64>> live; // object, size
    u32 threads = 1;
    for (int step = 0; step < 400'000; ++step) {
        bool const another = !expected.empty() && threads < 100 && random() % 50 == 0;
        u32 const written = another ? threads++ : random() % threads;
        writer.set_thread(written);
        u64 const choice = random() % 10;
        u64 const size = random() % 3 == 0 ? random() % size_max : random() % 600;
        if (live.empty() || choice < 5) {
            auto const kind = static_cast<EventKind>(random() % 3);
            u8 const alignment = kind == allocate_aligned ? random() % 48 : 0;
            u64 const object = writer.allocate(kind, size, alignment);
            expected.push_back(allocation(kind, object, size, written, alignment));
            live.emplace_back(object, size);
            continue;
        }
        auto& victim = live[random() % live.size()];
        if (choice < 6) {
            writer.resize(victim.first, victim.second, size);
            expected.push_back({resize, 0, written, victim.first, size});
            victim.second = size;
        } else {
            writer.release(victim.first, victim.second);
            expected.push_back({release, 0, written, victim.first, 0});
            victim = live.back();
            live.pop_back();
        }
    }
    Decoded const result = decode(trace.finish());
    ASSERT_TRUE(result.good) << result.problem.what;
    EXPECT_GT(result.counts.blocks, 4U);
    ASSERT_EQ(result.events.size(), expected.size());
    EXPECT_TRUE(result.events == expected);
}

TEST(AllocationTrace, CommonEventsTakeOneByte) {
    MemoryTrace trace;
    for (int step = 0; step < 1000; ++step) { // a size of whole units, and the object before
        u64 const object = trace.writer().allocate(allocate, 8 + 8 * (step % 28));
        trace.writer().release(object, 8 + 8 * (step % 28));
    }
    Bytes const file = trace.finish();
    u32 raw = 0;
    for (usize i = 0; i < 4; ++i) {
        raw |= std::to_integer<u32>(file[header_bytes + 11 + i]) << 8 * i;
    }
    EXPECT_EQ(raw, 2000U);
}

TEST(AllocationTrace, RefusesEveryFlippedBit) {
    Bytes const file = one_of_each();
    for (usize bit = 0; bit < file.size() * 8; ++bit) {
        Bytes damaged = file;
        damaged[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
        Decoded const result = decode(damaged);
        ASSERT_FALSE(result.good) << bit;
        ASSERT_FALSE(result.problem.what.empty()) << bit;
        ASSERT_LE(result.problem.offset, file.size()) << bit;
    }
}

TEST(AllocationTrace, RefusesEveryTruncation) {
    Bytes const file = one_of_each();
    for (usize length = 0; length < file.size(); ++length) {
        Decoded const result = decode(std::span(file).first(length));
        ASSERT_FALSE(result.good) << length;
        ASSERT_FALSE(result.problem.what.empty()) << length;
    }
}

TEST(AllocationTrace, SaysWhatIsWrong) {
    Bytes file = one_of_each();
    expect_refused({}, "ends inside its header");
    expect_refused(Bytes(200, std::byte{'x'}), "is not an allocation trace");
    file.push_back(std::byte{0});
    expect_refused(file, "is longer than its header says");
    file.resize(file.size() - 2);
    expect_refused(file, "is shorter than its header says");
    file = one_of_each();
    file[header_offset::version] = std::byte{2};
    expect_refused(file, "has a version that this program does not know");
    file = one_of_each();
    file[header_offset::events] ^= std::byte{1};
    expect_refused(file, "has a damaged header");
    seal_header(file);
    expect_refused(file, "does not hold the events that its header counts");
    file = one_of_each();
    file.back() ^= std::byte{1};
    expect_refused(file, "has a damaged block");
    MemoryTrace running;
    running.writer().allocate(allocate, 1);
    expect_refused(
        running.bytes(),
        "was not finished: the recorded program is running or was ended by a signal");
}

TEST(AllocationTrace, RefusesEventsThatMakeNoSense) {
    u8 const code_end = 31 << 3;
    auto const code = [](EventKind kind, u8 small) {
        return static_cast<u8>(small << 3 | static_cast<u8>(kind));
    };
    expect_refused(with_events({code(release, 0)}), "names an object that does not exist");
    expect_refused(with_events({code(resize, 0), 1}), "names an object that does not exist");
    expect_refused(with_events({6}), "has an event of an unknown kind");
    expect_refused(with_events({7}), "has an event of an unknown kind");
    expect_refused(with_events({code_end}), "has an event that does not end");
    expect_refused(with_events({code_end, 0x80}), "has an event that does not end");
    expect_refused(with_events({code(allocate_aligned, 1)}), "has an event that does not end");
    expect_refused(
        with_events({code(allocate_aligned, 1), 48}), "asks for an impossible alignment");
    std::vector<u8> number(11, 0xFF);
    number[0] = code_end;
    expect_refused(with_events(number), "has a number of more than 64 bits");
    number.back() = 1;
    expect_refused(with_events(number), "asks for an impossible size");
    expect_refused(with_events({code(thread, 0), 1}), "names a thread out of order");
    // And one that is sound but not in the header's counts.
    expect_refused(
        with_events({code(allocate, 1)}), "does not hold the events that its header counts");
}

TEST(AllocationTrace, MayGoOnAfterItWasFinished) { // an exec that fails
    MemoryTrace trace;
    trace.writer().allocate(allocate, 100);
    EXPECT_EQ(decode(trace.finish()).events.size(), 1U);
    trace.writer().release(0, 100);
    Bytes const file = trace.finish();
    Decoded const result = decode(file);
    EXPECT_TRUE(result.good) << result.problem.what;
    EXPECT_EQ(result.events.size(), 2U);
    EXPECT_EQ(result.counts.blocks, 2U);
}

TEST(AllocationTrace, AFullDiskIsAnErrorAndStaysOne) {
    MemoryTrace trace;
    trace.writer().allocate(allocate, 1);
    trace.refuses = true;
    trace.finish();
    EXPECT_FALSE(trace.finished);
    trace.refuses = false;
    trace.finish();
    EXPECT_FALSE(trace.finished);
}

TEST(AllocationTrace, CutsALongCommandLineAtAnArgument) {
    std::string command(command_bytes_max - 1, 'a');
    command += '\0';
    std::string const whole = command;
    command += std::string("more\0", 5);
    MemoryTrace trace(command);
    EXPECT_EQ(decode(trace.finish()).command, whole);
    MemoryTrace endless(std::string(command_bytes_max + 1, 'b'));
    EXPECT_EQ(decode(endless.finish()).command, "");
}

} // namespace twofold::allocation::testing
