// The packets of mice.
#include "core/device/input/mouse.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace {

using namespace twofold;
using device::MouseDecoder;
using device::MouseEvent;

std::vector<MouseEvent> decode(MouseDecoder& decoder, std::initializer_list<int> bytes) {
    std::vector<MouseEvent> events;
    for (int const byte : bytes) {
        if (auto const event = decoder.take(static_cast<u8>(byte))) {
            events.push_back(*event);
        }
    }
    return events;
}

using Events = std::vector<MouseEvent>;

TEST(MouseDecoder, MovementsHaveNineBits) {
    MouseDecoder mouse;
    EXPECT_EQ(decode(mouse, {0x08, 5, 7}), (Events{{5, -7, 0, 0}}));
    EXPECT_EQ(decode(mouse, {0x38, 0xfb, 0xf9}), (Events{{-5, 7, 0, 0}}));
    EXPECT_EQ(decode(mouse, {0x08, 0xff, 0xff}), (Events{{255, -255, 0, 0}}));
    EXPECT_EQ(decode(mouse, {0x38, 0x00, 0x00}), (Events{{-256, 256, 0, 0}}));
}

TEST(MouseDecoder, OverflowsAreAsFarAsItGoes) {
    MouseDecoder mouse;
    EXPECT_EQ(decode(mouse, {0x48, 3, 1}), (Events{{255, -1, 0, 0}}));
    EXPECT_EQ(decode(mouse, {0xf8, 3, 1}), (Events{{-256, 256, 0, 0}}));
}

TEST(MouseDecoder, ButtonsAndWheel) {
    MouseDecoder plain;
    EXPECT_EQ(
        decode(plain, {0x09, 0, 0, 0x0a, 0, 0, 0x0c, 0, 0, 0x08, 0, 0}),
        (Events{
            {0, 0, 0, MouseEvent::left},
            {0, 0, 0, MouseEvent::right},
            {0, 0, 0, MouseEvent::middle},
            {0, 0, 0, 0}}));
    MouseDecoder wheel(MouseDecoder::Wheel::present);
    EXPECT_EQ(
        decode(wheel, {0x08, 1, 0, 0x01, 0x08, 0, 0, 0xff}), (Events{{1, 0, 1, 0}, {0, 0, -1, 0}}));
}

TEST(MouseDecoder, BytesThatBeginNothingAreDropped) {
    MouseDecoder mouse;
    EXPECT_EQ(decode(mouse, {0x00, 0x07, 0xf0, 0x08, 5, 7}), (Events{{5, -7, 0, 0}}));
    EXPECT_EQ(mouse.resyncs(), 3u);
    decode(mouse, {0x08, 5});
    mouse.restart();
    EXPECT_EQ(decode(mouse, {0x08, 6, 0}), (Events{{6, 0, 0, 0}}));
}

TEST(MouseDecoder, RandomBytesNeverWedgeIt) {
    std::mt19937 random(1);
    for (auto const wheel : {MouseDecoder::Wheel::absent, MouseDecoder::Wheel::present}) {
        for (int round = 0; round < 10'000; ++round) {
            MouseDecoder mouse(wheel);
            for (u32 count = random() % 9; count > 0; --count) {
                static_cast<void>(mouse.take(static_cast<u8>(random())));
            }
            // Two packets of a mouse at rest: their zeros begin none.
            for (u32 count = 0; count < 2; ++count) {
                decode(mouse, {0x08, 0, 0});
                if (wheel == MouseDecoder::Wheel::present) {
                    decode(mouse, {0});
                }
            }
            Events events = decode(mouse, {0x0a, 3, 4});
            if (wheel == MouseDecoder::Wheel::present) {
                events = decode(mouse, {1});
            }
            ASSERT_EQ(events.size(), 1u);
            EXPECT_EQ(events[0].dx, 3);
            EXPECT_EQ(events[0].dy, -4);
        }
    }
}

} // namespace
