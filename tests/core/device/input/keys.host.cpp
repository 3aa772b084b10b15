// The table of keys and the decoder of scan codes: every key through both sets, and nothing brings
// a decoder out of step for long.
#include "core/device/input/scancode_decoder.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::device;

constexpr ScancodeSet sets[] = {ScancodeSet::one, ScancodeSet::two};

std::vector<Key> all_keys() {
    std::vector<Key> keys;
    for (u32 usage = 1; usage < 256; ++usage) {
        if (!key_name(static_cast<Key>(usage)).empty()) {
            keys.push_back(static_cast<Key>(usage));
        }
    }
    return keys;
}

std::vector<KeyChange> decode(ScancodeDecoder& decoder, std::span<u8 const> bytes) {
    std::vector<KeyChange> changes;
    for (u8 const byte : bytes) {
        if (auto const change = decoder.take(byte)) {
            changes.push_back(*change);
        }
    }
    return changes;
}

/// What the controller makes of bytes of set 2.
std::vector<u8> translated(std::span<u8 const> bytes) {
    std::vector<u8> out;
    bool is_break = false;
    for (u8 const byte : bytes) {
        if (byte == 0xf0) {
            is_break = true;
            continue;
        }
        out.push_back(static_cast<u8>(translate(byte) | (is_break ? 0x80 : 0)));
        is_break = false;
    }
    return out;
}

std::vector<u8> bytes_of(std::initializer_list<int> bytes) {
    return {bytes.begin(), bytes.end()};
}

std::vector<u8> encoded(Key key, bool pressed, ScancodeSet set) {
    ScancodeBytes const bytes = encode(key, pressed, set);
    return {bytes.view().begin(), bytes.view().end()};
}

/// The key that arrives when this one is hit.
Key arriving(Key key) {
    return key == Key::non_us_hash ? Key::backslash : key;
}

TEST(Keys, TheTableHasAWholeKeyboard) {
    EXPECT_EQ(all_keys().size(), 129u);
    EXPECT_EQ(key_name(Key::a), "a");
    EXPECT_EQ(key_name(Key::right_gui), "right_gui");
    EXPECT_EQ(key_name(Key::none), "");
    EXPECT_EQ(static_cast<u8>(Key::a), 0x04);
    EXPECT_EQ(static_cast<u8>(Key::non_us_backslash), 0x64);
    EXPECT_EQ(static_cast<u8>(Key::right_gui), 0xe7);
}

TEST(Keys, EveryKeyArrivesThroughBothSets) {
    for (ScancodeSet const set : sets) {
        ScancodeDecoder decoder(set);
        for (Key const key : all_keys()) {
            std::vector<KeyChange> expected = {{arriving(key), true}, {arriving(key), false}};
            std::vector<u8> bytes = encoded(key, true, set);
            std::vector<u8> const up = encoded(key, false, set);
            bytes.insert(bytes.end(), up.begin(), up.end());
            EXPECT_EQ(decode(decoder, bytes), expected) << key_name(key);
        }
        EXPECT_EQ(decoder.counts().unknown, 0u);
        EXPECT_EQ(decoder.counts().resyncs, 0u);
        EXPECT_EQ(decoder.counts().losses, 0u);
    }
}

TEST(Keys, TheControllerTranslatesEverySequence) {
    for (Key const key : all_keys()) {
        for (bool const pressed : {true, false}) {
            EXPECT_EQ(
                translated(encoded(key, pressed, ScancodeSet::two)),
                encoded(key, pressed, ScancodeSet::one))
                << key_name(key) << ' ' << pressed;
        }
    }
    EXPECT_EQ(translate(0xfa), 0xfa); // answers go through
    EXPECT_EQ(translate(0xaa), 0xaa);
}

// As IBM's manual prints them, not as the table that is tested has them.
TEST(Keys, SequencesAreThoseOfTheManual) {
    using enum ScancodeSet;
    EXPECT_EQ(encoded(Key::a, true, one), bytes_of({0x1e}));
    EXPECT_EQ(encoded(Key::a, false, one), bytes_of({0x9e}));
    EXPECT_EQ(encoded(Key::a, true, two), bytes_of({0x1c}));
    EXPECT_EQ(encoded(Key::a, false, two), bytes_of({0xf0, 0x1c}));
    EXPECT_EQ(encoded(Key::f7, true, two), bytes_of({0x83}));
    EXPECT_EQ(encoded(Key::up, true, one), bytes_of({0xe0, 0x48}));
    EXPECT_EQ(encoded(Key::up, false, one), bytes_of({0xe0, 0xc8}));
    EXPECT_EQ(encoded(Key::up, false, two), bytes_of({0xe0, 0xf0, 0x75}));
    EXPECT_EQ(encoded(Key::print_screen, true, one), bytes_of({0xe0, 0x2a, 0xe0, 0x37}));
    EXPECT_EQ(encoded(Key::print_screen, false, one), bytes_of({0xe0, 0xb7, 0xe0, 0xaa}));
    EXPECT_EQ(encoded(Key::print_screen, true, two), bytes_of({0xe0, 0x12, 0xe0, 0x7c}));
    EXPECT_EQ(
        encoded(Key::print_screen, false, two), bytes_of({0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12}));
    EXPECT_EQ(encoded(Key::pause, true, one), bytes_of({0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5}));
    EXPECT_EQ(
        encoded(Key::pause, true, two), bytes_of({0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77}));
    EXPECT_TRUE(encoded(Key::pause, false, two).empty());
    EXPECT_TRUE(encoded(static_cast<Key>(0xff), true, two).empty());
}

TEST(Keys, OtherCodesOfAKeyArriveAsThatKey) {
    ScancodeDecoder one(ScancodeSet::one);
    ScancodeDecoder two(ScancodeSet::two);
    std::vector<KeyChange> const print = {{Key::print_screen, true}, {Key::print_screen, false}};
    std::vector<KeyChange> const pause = {{Key::pause, true}, {Key::pause, false}};
    EXPECT_EQ(decode(one, bytes_of({0x54, 0xd4})), print); // with alt
    EXPECT_EQ(decode(two, bytes_of({0x84, 0xf0, 0x84})), print);
    EXPECT_EQ(decode(one, bytes_of({0xe0, 0x46, 0xe0, 0xc6})), pause); // with control
    EXPECT_EQ(decode(two, bytes_of({0xe0, 0x7e, 0xe0, 0xf0, 0x7e})), pause);
}

TEST(ScancodeDecoder, ShiftsThatGoAlongAreNone) {
    ScancodeDecoder one(ScancodeSet::one);
    // Insert with num lock on, and with the right shift held.
    EXPECT_EQ(
        decode(one, bytes_of({0xe0, 0x2a, 0xe0, 0x52, 0xe0, 0xd2, 0xe0, 0xaa})),
        (std::vector<KeyChange>{{Key::insert, true}, {Key::insert, false}}));
    ScancodeDecoder two(ScancodeSet::two);
    EXPECT_EQ(
        decode(two, bytes_of({0xe0, 0xf0, 0x59, 0xe0, 0x70, 0xe0, 0xf0, 0x70, 0xe0, 0x59})),
        (std::vector<KeyChange>{{Key::insert, true}, {Key::insert, false}}));
    EXPECT_EQ(one.counts().unknown + two.counts().unknown, 0u);
}

TEST(ScancodeDecoder, UnknownCodesAreCountedAndLeaveNoTrace) {
    ScancodeDecoder two(ScancodeSet::two);
    EXPECT_TRUE(decode(two, bytes_of({0x02, 0xf0, 0x02, 0xe0, 0x02, 0xf7})).empty());
    EXPECT_EQ(two.counts().unknown, 4u);
    EXPECT_EQ(decode(two, bytes_of({0x1c})), (std::vector<KeyChange>{{Key::a, true}}));
    ScancodeDecoder one(ScancodeSet::one);
    EXPECT_TRUE(decode(one, bytes_of({0x5a, 0xda, 0xe0, 0x1e})).empty());
    EXPECT_EQ(one.counts().unknown, 3u);
}

TEST(ScancodeDecoder, LossesAreTold) {
    ScancodeDecoder two(ScancodeSet::two);
    EXPECT_FALSE(two.take_loss());
    for (int const byte : {0x00, 0xff, 0xaa, 0xfc}) {
        EXPECT_TRUE(decode(two, bytes_of({0xe0, byte})).empty());
        EXPECT_TRUE(two.take_loss()) << byte;
        EXPECT_FALSE(two.take_loss()) << byte;
        EXPECT_EQ(decode(two, bytes_of({0x1c})), (std::vector<KeyChange>{{Key::a, true}}));
    }
    EXPECT_EQ(two.counts().losses, 4u);
    EXPECT_EQ(two.counts().resyncs, 4u);
    // In set 1 0xaa is a key's.
    ScancodeDecoder one(ScancodeSet::one);
    EXPECT_EQ(decode(one, bytes_of({0xaa})), (std::vector<KeyChange>{{Key::left_shift, false}}));
    EXPECT_FALSE(one.take_loss());
}

TEST(ScancodeDecoder, ABrokenOffSequenceSparesTheNextKey) {
    std::vector<KeyChange> const a = {{Key::a, true}};
    for (auto const& cut :
         {bytes_of({0xe1}), bytes_of({0xe1, 0x14}), bytes_of({0xe0, 0xe0, 0xe1})}) {
        ScancodeDecoder two(ScancodeSet::two);
        decode(two, cut);
        EXPECT_EQ(decode(two, bytes_of({0x1c})), a);
        EXPECT_GE(two.counts().resyncs, 1u);
    }
}

TEST(ScancodeDecoder, RandomBytesNeverWedgeIt) {
    std::mt19937 random(1);
    auto const keys = all_keys();
    for (int round = 0; round < 20'000; ++round) {
        ScancodeSet const set = sets[random() % 2];
        ScancodeDecoder decoder(set);
        for (u32 count = random() % 12; count > 0; --count) {
            static_cast<void>(decoder.take(static_cast<u8>(random())));
        }
        // One whole stroke may fall victim to what came before; no other does.
        decode(decoder, encoded(Key::a, true, set));
        decode(decoder, encoded(Key::a, false, set));
        Key const key = keys[random() % keys.size()];
        std::vector<KeyChange> changes = decode(decoder, encoded(key, true, set));
        ASSERT_FALSE(changes.empty());
        EXPECT_EQ(changes.front(), (KeyChange{arriving(key), true})) << key_name(key);
        changes = decode(decoder, encoded(key, false, set));
        EXPECT_EQ(changes.size(), key == Key::pause ? 0u : 1u);
    }
}

} // namespace
