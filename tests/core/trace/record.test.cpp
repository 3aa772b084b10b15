// The encoder of the result channel, against the bytes of docs/result-channel.md. (The decoder of
// the runners has tests of its own; they share no code.)
#include "core/trace/record.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::trace;

namespace {

u8 byte_at(std::span<std::byte const> bytes, usize index) {
    return std::to_integer<u8>(bytes[index]);
}

} // namespace

TEST(Record, IsExactlyTheSpecifiedBytes) {
    Record record(RecordType::exit);
    auto const frame = record.integer(-2).finish();
    constexpr u8 expected[] = {0x54, 0x32, 0x46, 0x1e, 10,   9,    0,    'i',
                               0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    ASSERT_EQ(frame.size(), sizeof(expected) + 4);
    for (usize i = 0; i < sizeof(expected); ++i) {
        EXPECT_EQ(byte_at(frame, i), expected[i]);
    }
    u32 const checksum = crc32(frame.subspan(4, 12));
    for (usize i = 0; i < 4; ++i) {
        EXPECT_EQ(byte_at(frame, 16 + i), static_cast<u8>(checksum >> (8 * i)));
    }
}

TEST(Record, CarriesFieldsInOrder) {
    Record record(RecordType::step);
    auto const frame = record.text("ab").number(0x0102).text("").finish();
    constexpr u8 payload[] = {'s', 2, 0, 'a', 'b', 'u', 2, 1, 0, 0, 0, 0, 0, 0, 's', 0, 0};
    ASSERT_EQ(frame.size(), sizeof(payload) + Record::frame_overhead);
    for (usize i = 0; i < sizeof(payload); ++i) {
        EXPECT_EQ(byte_at(frame, 7 + i), payload[i]);
    }
}

TEST(Record, KeepsRoomForWhatFollowsAText) {
    char text[Record::payload_capacity + 100]{};
    Record record(RecordType::command);
    record.text({text, sizeof(text)}, 2 * Record::number_bytes).integer(1);
    auto const frame = record.number(2).finish();
    EXPECT_EQ(frame.size(), Record::payload_capacity + Record::frame_overhead);
    EXPECT_EQ(byte_at(frame, frame.size() - 4 - 2 * Record::number_bytes), 'i');
    EXPECT_EQ(byte_at(frame, frame.size() - 4 - Record::number_bytes), 'u');
}

TEST(Record, CutsTextThatDoesNotFit) {
    char text[Record::payload_capacity + 100]{};
    Record record(RecordType::panic);
    auto const frame = record.text({text, sizeof(text)}).finish();
    EXPECT_EQ(frame.size(), Record::payload_capacity + Record::frame_overhead);
    EXPECT_EQ(
        byte_at(frame, 5) | byte_at(frame, 6) << 8, static_cast<int>(Record::payload_capacity));
}
